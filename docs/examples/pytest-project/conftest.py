"""How the pager is started: its options from pushlab's variables, which are set in the lab only."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OPTIONS = """
    --phones "$PUSHLAB_PHONES_CSV" --port "$PUSHLAB_PHONE_PORT" --source "$PUSHLAB_GATEWAY"
    --user "$PUSHLAB_USER" --password-file "$PUSHLAB_PASSWORD_FILE"
    --audio "$PUSHLAB_AUDIO" --rtp-port "$PUSHLAB_RTP_PORT"
"""


def command(script: str) -> list[str]:
    line = f'exec "$0" "$1" {" ".join(OPTIONS.split())}'
    return ["sh", "-c", line, sys.executable, str(HERE / script)]


@pytest.fixture
def pager() -> list[str]:
    return command("site_pager.py")


@pytest.fixture
def broken_pager() -> list[str]:
    return command("broken_pager.py")
