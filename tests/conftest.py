"""What all tests share."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are not timed: a busy machine is no defect of a codec.
settings.register_profile("pushlab", deadline=None)
settings.load_profile("pushlab")


@pytest.fixture(scope="session")
def skip_if_held_up() -> Callable[[Path], None]:
    """Skips a test whose run says that the machine held its parts up: the run is inconclusive, and rightly so.

    Shared machines stop a processor for 0.1 s and more now and then. Only what the judge itself calls blind for that
    reason counts, and the reason is told.
    """

    def skip(folder: Path) -> None:
        verdict = folder / "verdict.json"
        if not verdict.is_file():
            return
        for blind in json.loads(verdict.read_text(encoding="utf-8"))["blind"]:
            if "held up" in str(blind):
                pytest.skip(f"this machine was too busy for a verdict: {blind}")

    return skip
