"""Decides what a phone's authentication request is answered. No I/O."""
