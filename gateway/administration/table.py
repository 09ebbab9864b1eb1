"""All routes: what is not in here is not answered."""

from __future__ import annotations

from typing import Final

from gateway.administration.api import API_ROUTES
from gateway.administration.routes import Route
from gateway.administration.site.alerts import ALERTS_ROUTES
from gateway.administration.site.entry import ENTRY_ROUTES
from gateway.administration.site.ip_phone import IP_PHONE_ROUTES
from gateway.administration.site.oversight import OVERSIGHT_ROUTES
from gateway.administration.site.paging import PAGING_ROUTES
from gateway.administration.site.people import PEOPLE_ROUTES
from gateway.administration.site.phones import PHONES_ROUTES
from gateway.administration.site.zones import ZONES_ROUTES

ROUTES: Final[tuple[Route, ...]] = (
    *API_ROUTES,
    *ENTRY_ROUTES,
    *PAGING_ROUTES,
    *ALERTS_ROUTES,
    *PHONES_ROUTES,
    *ZONES_ROUTES,
    *IP_PHONE_ROUTES,
    *PEOPLE_ROUTES,
    *OVERSIGHT_ROUTES,
)
