"""Basic authentication (RFC 7617): what a request claims. No I/O."""

from __future__ import annotations

import base64
import binascii


def credentials(authorization: bytes) -> tuple[str, str] | None:
    """Name and password of an `Authorization` field; None where it is empty, of another scheme or garbled."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    # Bytes that are no UTF-8 are compared as they are, and so are wrong.
    return (name.decode("utf-8", "replace"), password.decode("utf-8", "replace")) if colon else None
