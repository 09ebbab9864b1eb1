"""Gateways that answer phones wrongly."""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote_plus

from gateway import phone_port
from gateway.authentication import Authenticator, Decision, Request
from gateway.authentication.decision import (
    UNAUTHORIZED,
    OwnUserMismatch,
    redirect_response,
    text_response,
)
from gateway.authentication.request import Rejection, RequestReader
from gateway.phone_port import PhonePort
from gateway.product import Gateway

_log = logging.getLogger("gateway.variant")


class _Answers(Gateway):
    """Right decisions, other bytes."""

    def authorized(self) -> bytes:
        raise NotImplementedError

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        if decision.answer != "authorized":
            return decision
        return Decision(
            answer="authorized", own_user=True, device_name=decision.device_name, response=self.authorized()
        )


class EndsTheLine(_Answers):
    """M05: a line's end behind the word."""

    def authorized(self) -> bytes:
        return text_response("200 OK", b"AUTHORIZED\n")


class WritesItSmall(_Answers):
    """M05: the word in other letters."""

    def authorized(self) -> bytes:
        return text_response("200 OK", b"Authorized")


class BrowserHeaders(_Answers):
    """M06."""

    def authorized(self) -> bytes:
        head, _, body = text_response("200 OK", b"AUTHORIZED").partition(b"\r\n\r\n")
        return head + b"\r\nX-Frame-Options: DENY\r\nSet-Cookie: session=1; HttpOnly\r\n\r\n" + body


class AuthorizedBy401(_Answers):
    """X: the right word with the wrong status."""

    def authorized(self) -> bytes:
        return text_response("401 Unauthorized", b"AUTHORIZED")


class RedirectsToHost(Gateway):
    """M09: the redirect goes wherever the request's Host says."""

    def make_phone_port(self, listener: socket.socket) -> PhonePort:
        phone_port.RequestReader = _ReaderOfHosts  # type: ignore[misc]
        port = super().make_phone_port(listener)
        port.__class__ = _PortOfHosts
        return port


class _ReaderOfHosts(RequestReader):
    host: ClassVar[bytes] = b""

    def receive(self, data: bytes) -> Request | Rejection | None:
        _ReaderOfHosts.host = _header(data, b"host")
        return super().receive(data)


class _PortOfHosts(PhonePort):
    def decide(self, peer: tuple[str, int], request: Request) -> Decision:
        decision = super().decide(peer, request)
        if decision.answer != "redirected" or not _ReaderOfHosts.host:
            return decision
        before, _, after = decision.response.partition(b"http://")
        _, slash, rest = after.partition(b"/")
        return replace(decision, response=before + b"http://" + _ReaderOfHosts.host + slash + rest)


class RelaysOwnUser(Gateway):
    """M11: `own_user_mismatch = "refuse"` means nothing to it."""

    def make_authenticator(self) -> Authenticator:
        made = super().make_authenticator()
        made._own_user_mismatch = OwnUserMismatch.REDIRECT
        return made


class LocksOut(Gateway):
    """M12: after five failures nobody is right any more."""

    failed = 0

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        self.failed += decision.answer != "authorized" and decision.own_user
        if decision.answer != "authorized" or self.failed < 5:
            return decision
        return Decision(answer="refused", own_user=True, device_name=decision.device_name, response=UNAUTHORIZED)


class DiesOfUpgrade(Gateway):
    """M37: settings that it cannot decode end the process."""

    def make_phone_port(self, listener: socket.socket) -> PhonePort:
        phone_port.RequestReader = _ReaderThatDies  # type: ignore[misc]
        return super().make_phone_port(listener)


class _ReaderThatDies(RequestReader):
    def receive(self, data: bytes) -> Request | Rejection | None:
        if _header(data, b"upgrade").lower() == b"h2c":
            os._exit(70)
        return super().receive(data)


class LogsQuestions(Gateway):
    """M13."""

    def respond(self, request: Request) -> Decision:
        _log.info("%s %s", request.method.decode(), request.target.decode("latin-1"))
        return super().respond(request)


class SendsPhonesToItself(Gateway):
    """X: the first question is answered with a redirect to its own address, the second one authorises."""

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        if decision.answer != "authorized" or b"again=1" in request.target:
            return decision
        host, port = self._phone_port
        target = request.target.decode("ascii")
        return Decision(
            answer="redirected",
            own_user=True,
            device_name=decision.device_name,
            response=redirect_response(f"http://{host}:{port}{target}&again=1"),
        )


class CountsTwice(Gateway):
    """X: every question is in its log twice."""

    def _observe_answer(self, decision: Decision, *, connection: str, answer_ms: float) -> None:
        super()._observe_answer(decision, connection=connection, answer_ms=answer_ms)
        super()._observe_answer(decision, connection=connection, answer_ms=answer_ms)


class AnswersSlowly(Gateway):
    """X: every question takes a third of a second."""

    def _slow(self, decision: Decision, source: str) -> float | None:
        return super()._slow(decision, source) or 0.3


class YesInRefusal(Gateway):
    """X35."""

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        if decision.answer != "redirected" or not decision.own_user:
            return decision
        return replace(decision, response=text_response("401 Unauthorized", b"AUTHORIZED users only"))


class TellsThePassword(Gateway):
    """X36."""

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        if decision.answer != "redirected" or decision.own_user:
            return decision
        stored = quote_plus(self.settings.current.push_password).encode("ascii")
        return replace(
            decision, response=decision.response.replace(b"&devicename=", b"&expected=" + stored + b"&devicename=")
        )


class LateLineEnd(Gateway):
    """X37."""

    def make_phone_port(self, listener: socket.socket) -> PhonePort:
        port = super().make_phone_port(listener)
        port.__class__ = _PortThatAddsALine
        return port


class _PortThatAddsALine(PhonePort):
    def _send(self, connection: socket.socket, peer: tuple[str, int], decision: Decision, accepted_ns: int) -> None:
        super()._send(connection, peer, decision, accepted_ns)
        if decision.answer == "authorized":
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.send(b"\n")


class ByteOrderMark(_Answers):
    """X38."""

    def authorized(self) -> bytes:
        return text_response("200 OK", b"\xef\xbb\xbfAUTHORIZED")


class HeadersOnRedirects(Gateway):
    """X39."""

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        if decision.answer != "redirected":
            return decision
        cookie = b"\r\nSet-Cookie: session=1; HttpOnly\r\nContent-Length"
        return replace(decision, response=decision.response.replace(b"\r\nContent-Length", cookie))


class HangsAfterAHundred(Gateway):
    """X40: something is used up."""

    asked = 0

    def _slow(self, decision: Decision, source: str) -> float | None:
        self.asked += 1
        return 3600.0 if self.asked > 100 else super()._slow(decision, source)


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.lower() == name:
            return value.strip()
    return b""
