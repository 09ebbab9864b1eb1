"""A real site's phones from what its CallManager exports: pure readers, one list out of several files.

`read_exports` takes files of any kind that is known and merges them; `read_phone_list` takes the one CSV that the rest
of pushlab takes. docs/reference/site-lists.md has the formats, with the source of each fact.
"""

from harness.site.errors import SiteError
from harness.site.files import read_exports, read_phone_list
from harness.site.merging import Site
from harness.site.phone import Phone

__all__ = ["Phone", "Site", "SiteError", "read_exports", "read_phone_list"]
