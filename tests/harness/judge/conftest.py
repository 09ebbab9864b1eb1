import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.judge import Judgement, judge

# With --import-mode=importlib test folders are no packages: the builder is loaded by its path, once, under this name.
_PATH = Path(__file__).with_name("synthetic.py")
_SPEC = importlib.util.spec_from_file_location("judge_synthetic", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
synthetic = importlib.util.module_from_spec(_SPEC)
sys.modules["judge_synthetic"] = synthetic
_SPEC.loader.exec_module(synthetic)


@pytest.fixture
def judged(tmp_path: Path) -> Callable[["synthetic.Run"], Judgement]:
    def run(made: "synthetic.Run") -> Judgement:
        return judge(made.write(tmp_path / "run"))

    return run
