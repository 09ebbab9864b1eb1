"""A page over many phones: plan, progress, deadlines, an outcome for each phone."""

from gateway.push.claims import Claims
from gateway.push.client import Pusher, PushTarget
from gateway.push.crew import Slots, Weight
from gateway.push.exchange import Exchange, Limits, exchange
from gateway.push.page import Page, PageJournal, PagePacer, PagePusher
from gateway.push.plan import Busy, Delivery, Group, PagePlan, Priority, Start
from gateway.push.progress import Begin, Join, PageProgress
from gateway.push.result import PhoneResult, Unheard

__all__ = [
    "Begin",
    "Busy",
    "Claims",
    "Delivery",
    "Exchange",
    "Group",
    "Join",
    "Limits",
    "Page",
    "PageJournal",
    "PagePacer",
    "PagePlan",
    "PageProgress",
    "PagePusher",
    "PhoneResult",
    "Priority",
    "PushTarget",
    "Pusher",
    "Slots",
    "Start",
    "Unheard",
    "Weight",
    "exchange",
]
