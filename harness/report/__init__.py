"""Verdicts for people and machines: terminal, HTML, JUnit, comparison."""
