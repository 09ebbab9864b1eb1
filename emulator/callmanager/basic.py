"""Basic authentication (RFC 7617): what a request claims. No I/O."""

from __future__ import annotations

import base64


def credentials(authorization: bytes) -> tuple[str, str] | None:
    """Name and password of an `Authorization` field; None: empty, of another scheme, garbled, no UTF-8."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:  # binascii.Error and UnicodeDecodeError, whose text would show the password
        return None
    return (name, password) if colon else None
