"""Where phones are found: a CSV file, a network range, CallManager's DeviceListX report or its RisPort70 service."""

from gateway.inventory.sources.source import KINDS, Source, SourceError, read_source

__all__ = ["KINDS", "Source", "SourceError", "read_source"]
