"""Brings gateway, fleet and CallManager up on a ground and down again, leaving nothing behind."""
