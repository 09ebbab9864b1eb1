"""Alerts: a text on phones' screens, with keys to answer it, and what became of it at each phone."""

from gateway.alerts.alert import Alert, PhoneState, Recipient
from gateway.alerts.desk import Answer, Desk
from gateway.alerts.interface import AlertService, AlertView, RecipientView
from gateway.alerts.pushing import AlertPusher, AlertPushSettings
from gateway.alerts.request import AlertError, AlertRequest, Priority, parse_alert_request
from gateway.alerts.service import Alerts

__all__ = [
    "Alert",
    "AlertError",
    "AlertPushSettings",
    "AlertPusher",
    "AlertRequest",
    "AlertService",
    "AlertView",
    "Alerts",
    "Answer",
    "Desk",
    "PhoneState",
    "Priority",
    "Recipient",
    "RecipientView",
    "parse_alert_request",
]
