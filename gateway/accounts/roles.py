"""Three roles, each allowed what the one before it is."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """What a person or program may do."""

    VIEWER = "viewer"
    """See everything but secrets."""
    OPERATOR = "operator"
    """Also send and stop pages and alerts."""
    ADMINISTRATOR = "administrator"
    """Also change settings, phones, zones, accounts and tokens."""

    def may(self, needed: Role) -> bool:
        """Whether this role is allowed what `needed` is."""
        order = tuple(Role)
        return order.index(self) >= order.index(needed)
