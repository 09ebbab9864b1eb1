"""Phones by directory number, MAC and address, read from their web servers."""
