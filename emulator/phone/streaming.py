"""What `startMedia` and `stopMedia` do to a phone (XSI-4, RTP Streaming API)."""

from __future__ import annotations

from collections.abc import Callable

from emulator.phone.answer import PARSE_ERROR
from emulator.phone.media import (
    CARRIED,
    NO_RESOURCE,
    Media,
    Medium,
    Refusal,
    StartMedia,
    StopMedia,
    refused,
    started,
    stopped,
)
from emulator.phone.phone import RTP_PORT, Change, Executed, Phone, Reply, Transmission
from emulator.phone.stream import Period


def stream_media(
    phone: Phone,
    media: Media,
    *,
    identity: str,
    now_ns: int,
    rtp_port: int = RTP_PORT,
    new_period: Callable[..., Period] = Period,
) -> Executed:
    """Carry out one of the two objects; the arguments are those of `Phone.execute`.

    To a model that does not know them they are no object at all: error 1 (assumed).
    """
    if not phone.model.media_api:
        return Executed(PARSE_ERROR, [], [])
    match media:
        case Refusal():
            return _refuse(media)
        case StopMedia(None):
            changes = phone.end_media(None)
            if phone.period is not None:
                changes.append(Change("RTPRx:Stop", phone.period))
                phone.period = None
            if phone.transmission is not None:
                changes.append(Change("RTPTx:Stop", transmission=phone.end_transmission()))
            return Executed(None, [], changes, reply=_stopped(phone, None))
        case StopMedia(name):
            return _stop(phone, name)
        case StartMedia():
            return _start(phone, media, identity, now_ns, rtp_port, new_period)


def _refuse(refusal: Refusal) -> Executed:
    return Executed(None, [], [], reply=Reply(400, refused(refusal)))


def _stop(phone: Phone, name: str | None) -> Executed:
    if phone.extra is None or all(medium.identity != name for medium in phone.extra.media):
        return _refuse(Refusal("InvalidResourceID", f"Unknown Media Stream ID: {name}"))
    # One stream per direction: no two of them share one, so a direction names its stream.
    medium = next(medium for medium in phone.extra.media if medium.identity == name)
    changes = phone.end_media("receives" if medium.receives else "sends")
    return Executed(None, [], changes, reply=_stopped(phone, medium))


def _stopped(phone: Phone, medium: Medium | None) -> Reply:
    return Reply(200, stopped(medium) if phone.model.stop_media == "stream" else b"")


def _start(
    phone: Phone,
    media: StartMedia,
    identity: str,
    now_ns: int,
    rtp_port: int,
    new_period: Callable[..., Period],
) -> Executed:
    """One stream a direction, URI streams included; no transmission during a call.

    That these are what the documents call no DSP resource, and that a call is treated as with the URIs, is assumed.
    """
    medium_sends, medium_receives = media.mode != "receive", media.mode != "send"
    in_call = phone.state == "in-call"
    if (
        media.codec != CARRIED
        or (medium_receives and phone.period is not None)
        or (medium_sends and (phone.transmission is not None or in_call))
    ):
        return _refuse(Refusal("UnavailableResource", NO_RESOURCE))
    extra = phone.more()
    extra.media_begun += 1
    medium = Medium(f"{media.mode}:{extra.media_begun}", media.mode, media.on_stopped)
    extra.media = (*extra.media, medium)
    changes: list[Change] = []
    if medium_receives:
        phone.period = new_period(
            push=identity,
            source=media.address,
            port=rtp_port if media.port is None else media.port,
            since_ns=now_ns,
            volume=None if in_call else media.volume,
            multicast=media.multicast,
            mixed=in_call,
        )
        changes.append(Change("RTPMRx" if media.multicast else "RTPRx", phone.period))
    if medium_sends and media.port is not None:
        extra.transmission = Transmission(identity, media.address, media.port, media.multicast, now_ns)
        changes.append(Change("RTPMTx" if media.multicast else "RTPTx", transmission=extra.transmission))
    return Executed(None, [], changes, reply=Reply(200, started(medium, rtp_port if media.port is None else None)))
