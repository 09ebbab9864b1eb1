"""Which fields a record must have before anybody draws a conclusion from it.

Only what the judge reads is listed; docs/reference/events.md has all. Kinds and fields that are not here are let
through unseen: a foreign gateway may write more, and a later version will.
"""

from typing import Final

WITNESSES: Final = frozenset({"gateway", "phones", "callmanager", "harness"})

MAX_COUNT: Final = 2**63
"""Times and counts are reckoned with in 64 bits; nothing real comes near."""

_TEXT: Final = (str,)
_COUNT: Final = (int,)
_NUMBER: Final = (int, float)
_FLAG: Final = (bool,)
_LIST: Final = (list,)
_TABLE: Final = (dict,)

Fields = dict[str, tuple[type, ...]]

REQUIRED: Final[dict[tuple[str, str], Fields]] = {
    ("gateway", "page.started"): {"page": _TEXT},
    ("gateway", "push.sent"): {"phone": _TEXT, "push": _TEXT, "action": _TEXT},
    ("gateway", "push.ended"): {"phone": _TEXT, "action": _TEXT, "outcome": _TEXT},
    ("gateway", "authentication.answered"): {"connection": _TEXT, "answer": _TEXT},
    # Without a phone where it goes to a group.
    ("gateway", "stream.started"): {
        "source": _TEXT,
        "destination": _TEXT,
        "ssrc": _COUNT,
        "first_sequence": _COUNT,
        "first_frame": _COUNT,
    },
    ("gateway", "stream.stopped"): {"packets": _COUNT},
    ("gateway", "alert.displayed"): {"phone": _TEXT},
    ("gateway", "alert.acknowledged"): {"phone": _TEXT},
    ("phones", "screen.shown"): {"phone": _TEXT, "object": _TEXT},
    ("phones", "softkey.pressed"): {"phone": _TEXT, "name": _TEXT},
    ("phones", "push.received"): {"phone": _TEXT, "push": _TEXT, "items": _LIST, "well_formed": _FLAG},
    ("phones", "authentication.asked"): {
        "phone": _TEXT,
        "push": _TEXT,
        "connection": _TEXT,
        "server": _TEXT,
        "hop": _COUNT,
    },
    ("phones", "authentication.answered"): {
        "phone": _TEXT,
        "push": _TEXT,
        "connection": _TEXT,
        "server": _TEXT,
        "answer": _TEXT,
    },
    ("phones", "push.executed"): {"phone": _TEXT, "push": _TEXT, "action": _TEXT},
    ("phones", "push.answered"): {"phone": _TEXT, "push": _TEXT, "answer": _TEXT},
    ("phones", "stream.listening"): {"phone": _TEXT, "push": _TEXT, "port": _COUNT},
    ("phones", "stream.heard"): {
        "phone": _TEXT,
        "source": _TEXT,
        "ssrc": _COUNT,
        "packets": _COUNT,
        "lost": _COUNT,
        "duplicates": _COUNT,
        "reordered": _COUNT,
        "malformed": _COUNT,
        "foreign": _FLAG,
        "first_t_ns": _COUNT,
        "last_t_ns": _COUNT,
        "first_sequence": _COUNT,
        "last_sequence": _COUNT,
        "jitter_ms": _NUMBER,
        "gap_ms": _NUMBER,
        "crc32": _TEXT,
    },
    ("phones", "stream.impaired"): {
        "phone": _TEXT,
        "source": _TEXT,
        "ssrc": _COUNT,
        "lost": _COUNT,
        "duplicated": _COUNT,
        "reordered": _COUNT,
    },
    ("phones", "phone.misbehaves"): {"phone": _TEXT, "misbehaviour": _TEXT},
    ("phones", "stream.stopped"): {"phone": _TEXT, "reason": _TEXT},
    ("phones", "rtp.unlistened"): {"phone": _TEXT, "source": _TEXT, "packets": _COUNT},
    ("phones", "phone.booted"): {"phone": _TEXT, "way": _TEXT, "authentication_url": _TEXT},
    ("callmanager", "configuration.served"): {"phone": _TEXT, "way": _TEXT, "outcome": _TEXT},
    ("callmanager", "authentication.answered"): {"connection": _TEXT, "answer": _TEXT},
    ("harness", "lab.described"): {"ground": _TEXT, "authentication_servers": _TABLE},
    ("harness", "administration.checked"): {"facts": _COUNT, "kept": _COUNT},
    ("harness", "page.requested"): {},
    ("harness", "alert.requested"): {},
    ("harness", "application.pushed"): {"phone": _TEXT, "push": _TEXT},
    ("harness", "control.pushed"): {"phone": _TEXT, "push": _TEXT},
    ("harness", "canary.sent"): {"clause": _TEXT, "source": _TEXT, "destination": _TEXT, "when": _TEXT},
    ("harness", "secrets.searched"): {"files": _COUNT, "found": _LIST},
    ("harness", "fault.applied"): {"fault": _TEXT, "phones": _LIST},
    ("harness", "probe.checked"): {"check": _TEXT, "verdict": _TEXT, "why": _TEXT},
}


def problem(witness: str, kind: str, fields: dict[str, object]) -> str | None:
    """What a record lacks to be used; None for a good one and for a kind that is not known."""
    required = REQUIRED.get((witness, kind))
    if required is None:
        return None
    for name, types in required.items():
        value = fields.get(name)
        if type(value) not in types:  # as JSON has them: no subclasses, and true is no number
            expected = " or ".join(t.__name__ for t in types)
            return f"{kind}: expected {name} as {expected}, got {type(value).__name__}"
        if isinstance(value, int) and abs(value) >= MAX_COUNT:
            return f"{kind}: {name} has more than 63 bits"
    return None
