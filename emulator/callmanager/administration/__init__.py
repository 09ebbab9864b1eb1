"""CallManager's administration: pages for a browser, JSON for programs, one set of rules behind both.

`actions` has every rule, and knows neither HTML nor HTTP. `api` and `*_pages` read a request, call one action and show
what came of it. `entrance` says who may come in at all.
"""

from emulator.callmanager.administration.application import application

__all__ = ["application"]
