"""Pages as a service: asked for, written down, run, stopped, remembered."""

from gateway.paging.journal import Journal, PageRecord
from gateway.paging.pages import EndedPage, Pages
from gateway.paging.recordings import RecordingError, Recordings

__all__ = ["EndedPage", "Journal", "PageRecord", "Pages", "RecordingError", "Recordings"]
