"""Gateways with one defect each, brought up where the harness expects a foreign gateway.

    python gateway_variant.py NAME          page once with the variant, then end
    python gateway_variant.py NAME serve    the variant itself, as `pushlab gateway serve`

A scenario runs one with `[gateway] kind = "command"`. All it needs is in PUSHLAB_* variables (docs/reference/exec.md).
`clean` has no defect: it shows that a verdict of another variant comes from the defect and not from the way it is run.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from urllib.parse import urlencode

from gateway.administration.page_request import PageRequest
from gateway.authentication import Authenticator, Decision, Request
from gateway.command import main as gateway_main
from gateway.inventory import Phone
from gateway.media import Audio
from gateway.product import Gateway
from gateway.push import PagePlan


class SkipsLastPhone(Gateway):
    """M15: off by one."""

    def make_plan(self, wish: PageRequest, phones: Sequence[Phone], audio: Audio) -> PagePlan:
        return super().make_plan(wish, phones[:-1], audio)


class AsksCallManagerFirst(Gateway):
    """M10: matches, but still asks CallManager."""

    def respond(self, request: Request) -> Decision:
        decision = super().respond(request)
        if decision.answer == "authorized":
            settings = self.settings.current
            question = urlencode(
                {
                    "UserID": settings.push_user,
                    "Password": settings.push_password,
                    "devicename": decision.device_name,
                }
            )
            url = f"{settings.callmanager_url}?{question}"
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - CallManager of the lab
                answer.read()
        return decision


class AnyPassword(Gateway):
    """M01: AUTHORIZED for any password."""

    def make_authenticator(self) -> Authenticator:
        right = super().make_authenticator()
        right.compare = lambda _: (True, True)  # type: ignore[method-assign]
        return right


VARIANTS: dict[str, type[Gateway]] = {
    "clean": Gateway,
    "skips-last-phone": SkipsLastPhone,
    "asks-callmanager-first": AsksCallManagerFirst,
    "any-password": AnyPassword,
}


def main(name: str, mode: str = "page") -> int:
    config, events = os.environ["PUSHLAB_GATEWAY_CONFIG"], os.environ["PUSHLAB_EVENTS"]
    if mode == "serve":
        return gateway_main(["serve", "--config", config, "--events", events], VARIANTS[name])
    server = subprocess.Popen([sys.executable, __file__, name, "serve"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            return server.wait()
        status = gateway_main(["page", os.environ["PUSHLAB_AUDIO"], "--config", config])
        probed = os.environ.get("PUSHLAB_PROBE_DONE")
        while probed and not os.path.exists(probed):  # noqa: PTH110 - a path of the harness
            time.sleep(0.1)
        return status
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
