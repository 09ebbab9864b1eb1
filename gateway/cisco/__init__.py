"""The phone push protocol as the gateway sees it. No I/O."""
