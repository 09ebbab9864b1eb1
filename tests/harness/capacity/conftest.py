import json
from collections.abc import Callable
from pathlib import Path

import pytest

Judged = Callable[..., Path]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """Makes a judged run's folder, as far as a search reads it."""

    def make(name: str, verdict: str, *, check: str = "", why: str = "", blind: str = "", **metrics: float) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        checks = [{"name": check, "verdict": verdict, "kind": "threshold", "why": why}] if check else []
        seen = [{"witness": "gateway", "scope": "audio", "why": blind}] if blind else []
        found = {
            "schema": 1, "verdict": verdict, "as_expected": True, "phones": 5, "outcomes": {"delivered": 5},
            "metrics": {key.replace("__", "."): value for key, value in metrics.items()},
            "checks": checks, "blind": seen,
        }  # fmt: skip
        (folder / "verdict.json").write_text(json.dumps(found))
        return folder

    return make
