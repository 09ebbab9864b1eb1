"""The records of the witnesses, in one format."""

from harness.observe.merging import Merged, merge_records
from harness.observe.records import Problem, Record, Records, RecordsError, read_records
from harness.observe.writing import EventWriter

__all__ = ["EventWriter", "Merged", "Problem", "Record", "Records", "RecordsError", "merge_records", "read_records"]
