"""Evidence to verdict: ledger, laws, metrics, thresholds."""
