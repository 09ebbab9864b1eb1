"""The interface for people and programs: pages, inventory, status."""
