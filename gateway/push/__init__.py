"""A page over many phones: plan, progress, deadlines, an outcome for each phone."""

from gateway.push.client import Pusher, PushTarget
from gateway.push.exchange import Exchange, Limits, exchange
from gateway.push.page import Page, PagePacer, PagePusher
from gateway.push.progress import Begin, Join, PagePlan, PageProgress, Start

__all__ = [
    "Begin",
    "Exchange",
    "Join",
    "Limits",
    "Page",
    "PagePacer",
    "PagePlan",
    "PageProgress",
    "PagePusher",
    "PushTarget",
    "Pusher",
    "Start",
    "exchange",
]
