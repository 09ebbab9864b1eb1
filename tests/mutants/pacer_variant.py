"""A pacer process with one defect: `python pacer_variant.py NAME`, the channel as standard input."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.media import pacer_process
from tests.mutants.wrong_audio import PACERS

if __name__ == "__main__":
    pacer_process.PacerProcess = PACERS[sys.argv[1]]  # type: ignore[assignment,misc]
    pacer_process.main()
