"""Ask CallManager whether it still knows the push user: the one question that the gateway asks it, and on request only.

Pages do not need CallManager's word, so a push user that is locked or was changed there is noticed by nobody until
phones that still ask CallManager refuse a page. It is asked as a phone asks, once: a wrong password counts there.
"""

from __future__ import annotations

import logging
from typing import Final

import trio

from gateway.alarms import Alarms
from gateway.authentication.decision import ready_for_fields
from gateway.authentication.question import Question

CHECK_S: Final = 10.0
"""As long as a phone waits (assumed)."""
MAX_BYTES: Final = 4096
ALARM: Final = "push-user-refused"


async def check_push_user(url: str, user: str, password: str, device_name: str, alarms: Alarms) -> str:
    """Ask, sound or clear the alarm, and return what CallManager says in a sentence. Raises nothing but cancellation.

    Args:
        url: CallManager's authentication URL.
        user: the push user.
        password: its password.
        device_name: of a phone that has to be associated with the user.
        alarms: gets `ALARM` where CallManager refuses.
    """
    import httpx  # noqa: PLC0415  half a second that only who asks has to spend

    # It logs addresses, and in this one is the password.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    question = Question(user=user.encode(), password=password.encode(), device_name=device_name.encode())
    body = bytearray()
    try:
        with trio.fail_after(CHECK_S):
            async with (
                httpx.AsyncClient(timeout=CHECK_S, trust_env=False) as client,
                client.stream("GET", ready_for_fields(url) + question.encoded()) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        break
    except trio.TooSlowError:
        return f"CallManager did not answer within {CHECK_S:g} s. Pages do not need it."
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # The type alone: a text might quote the address.
        return f"CallManager could not be asked ({type(error).__name__}). Pages do not need it."
    word = bytes(body).strip()
    if answer.status_code == 200 and word == b"AUTHORIZED":
        alarms.clear(ALARM)
        return f"CallManager authorises the push user for {device_name}."
    if word == b"UN-AUTHORIZED":
        text = (
            f"CallManager refuses the push user for {device_name}: its password, a lock, CTI, or the phone's "
            "association. Phones that ask this gateway are paged all the same; those that still ask CallManager are not"
        )
        alarms.sound(ALARM, text, stays=True)
        return f"{text}."
    return f"CallManager answered with status {answer.status_code} and no word that a phone understands."
