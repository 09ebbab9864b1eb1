"""Answers phones' authentication requests: match, then `AUTHORIZED`; no match, then off to CallManager. No I/O."""

from gateway.authentication.decision import Authenticator, Decision, OwnUserMismatch
from gateway.authentication.endpoint import AUTHENTICATION_PATH, answer_request
from gateway.authentication.failures import Failures
from gateway.authentication.flights import Flights
from gateway.authentication.request import Rejection, Request, RequestReader

__all__ = [
    "AUTHENTICATION_PATH",
    "Authenticator",
    "Decision",
    "Failures",
    "Flights",
    "OwnUserMismatch",
    "Rejection",
    "Request",
    "RequestReader",
    "answer_request",
]
