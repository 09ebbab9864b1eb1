"""Scenario files: strict TOML to frozen objects, and the catalogue of metrics."""
