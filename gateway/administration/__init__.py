"""The JSON interface for those who page.

`application` and `listener` load quart and hypercorn, which takes longer than everything else: import them where they
serve.
"""

from gateway.administration.page_request import PageRequest, RequestError, parse_page_request

__all__ = ["PageRequest", "RequestError", "parse_page_request"]
