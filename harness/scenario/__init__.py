"""Scenario files: strict TOML to frozen objects, and the catalogue of metrics."""

from harness.scenario.file import bundled, load
from harness.scenario.model import Scenario, ScenarioError
from harness.scenario.resolved import read_resolved, resolved_facts, write_resolved

__all__ = ["Scenario", "ScenarioError", "bundled", "load", "read_resolved", "resolved_facts", "write_resolved"]
