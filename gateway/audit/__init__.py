"""The audit trail: who did what, from where, in a chain that shows tampering."""

from gateway.audit.chain import Entry, first_break
from gateway.audit.trail import AuditTrail, verify

__all__ = ["AuditTrail", "Entry", "first_break", "verify"]
