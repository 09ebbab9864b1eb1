"""The audit trail: who did what, from where, in a chain that shows tampering."""

from gateway.audit.chain import Entry, first_break
from gateway.audit.trail import AUDIT_KEY, AuditTrail, verify

__all__ = ["AUDIT_KEY", "AuditTrail", "Entry", "first_break", "verify"]
