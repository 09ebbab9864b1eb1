# make install | demo | test | test-all | lint | mutants | bench | docs
# PYTHON names the interpreter (3.11 or newer) that .venv is made with.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-dev
RUNTIME_STAMP := $(VENV)/.installed

# Two workers of pytest, whatever the machine, each in a network of its own (tests/conftest.py): whole runs wait for
# recordings to play more than they work. Only root makes networks as simply as that; anybody else's tests come one by one.
WORKERS := $(if $(filter 0,$(shell id -u)),-n 2 --dist worksteal)

.PHONY: install demo test test-all lint mutants bench docs system clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "pushlab needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(RUNTIME_STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(RUNTIME_STAMP)

# Debian packages that some tests use; only where it is asked for, never a reason to fail.
system:
	@if [ "$${PUSHLAB_INSTALL_SYSTEM:-}" = 1 ]; then sh tests/install-system.sh; fi

install: $(RUNTIME_STAMP)

# The comparison is shown whatever the runs came to; the exit code is the runs' where they are not as expected.
demo: $(RUNTIME_STAMP)
	@status=0; \
	$(BIN)/pushlab run burst-direct burst-offload --out runs/demo || status=$$?; \
	$(BIN)/pushlab compare runs/demo/burst-direct/latest runs/demo/burst-offload/latest || [ $$status != 0 ] || status=$$?; \
	echo; echo "Reports to open:"; \
	ls runs/demo/burst-direct/latest/report.html runs/demo/burst-offload/latest/report.html; \
	exit $$status

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(STAMP) system lint
	$(BIN)/python -m pytest -m 'not slow' $(WORKERS)

test-all: $(STAMP) system
	$(BIN)/python -m pytest -m slow $(WORKERS)

# Every wrong gateway against the bed, and right ones: docs/design/why-believe-the-verdict.md.
mutants: $(STAMP)
	$(BIN)/python -m tests.mutants --clean 20 --at-once 2

# The documents as a site with search, which needs no server: open build/docs/index.html.
docs: $(STAMP)
	$(BIN)/python -m sphinx -W -E -q --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

bench: $(STAMP)
	$(BIN)/python bench/run.py

clean:
	rm -rf $(VENV) build dist
