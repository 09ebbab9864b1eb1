"""Evidence to verdict: ledger, laws, metrics, thresholds."""

from harness.judge.judging import judge
from harness.judge.ledger import COLUMNS, ledger_csv
from harness.judge.verdict import Judgement, Verdict

__all__ = ["COLUMNS", "Judgement", "Verdict", "judge", "ledger_csv"]
