"""Builds the documents into a site that works from a disk: `make docs`, then open build/docs/index.html."""

from datetime import UTC, datetime
from importlib.metadata import version as installed
from typing import Final

project = "pushlab"
author = "the pushlab authors"
version = release = installed("pushlab")
html_title = "pushlab"
html_last_updated_fmt = f"{datetime.now(UTC):%Y-%m-%d}"

extensions = ["myst_parser"]
exclude_patterns = ["examples/**"]
source_suffix = {".md": "markdown"}
root_doc = "index"

myst_heading_anchors: Final = 3
"""Headings down to this depth can be linked to, as readers of the files do on any forge."""
myst_links_external_new_tab = False

html_theme = "furo"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

nitpicky = True
# The documents speak of lines of a terminal, which no lexer knows.
highlight_language = "none"
