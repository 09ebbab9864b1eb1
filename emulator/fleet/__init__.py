"""Thousands of phones on real sockets."""
