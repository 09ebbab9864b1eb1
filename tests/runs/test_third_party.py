"""The third party's script of docs/examples, run as its page says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.runs.conftest import Pushlab

ROOT = Path(__file__).parents[2]
EXAMPLE = "docs/examples/third-party-gateway"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.usefixtures("netns")
def test_every_phone_is_paged_and_callmanager_is_asked_twice_for_each(pushlab: Pushlab) -> None:
    # Its scenario names the script as seen from the clone.
    (pushlab.folder / "docs").symlink_to(ROOT / "docs")
    ended = pushlab.run(f"{EXAMPLE}/scenario.toml", phones=20)
    assert ended.verdict["outcomes"] == {"delivered": 20}, ended.stdout + ended.stderr
    assert ended.metric("callmanager.authentications") == 40
    # A script paces as well as a busy machine lets it.
    assert ended.checks("fail") <= {"stream-well-formed"}
    assert "20 of 20 phones were paged" in (ended.folder / "gateway.log").read_text(encoding="utf-8")
