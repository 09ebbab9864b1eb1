"""Evidence from the wire: taps with drop counts, a fast reader, scapy as the second reader, RTP analysis.

What is exported here only reads; the tap and the command are imported by name, since they open sockets.
"""

from harness.capture.canary import Canary, find, is_canary
from harness.capture.dissection import CrossCheck, Disagreement, cross_check
from harness.capture.pcap import CaptureError
from harness.capture.reader import DamagedCaptureError, Packets, read
from harness.capture.rtp import Stream, analyse

__all__ = [
    "Canary",
    "CaptureError",
    "CrossCheck",
    "DamagedCaptureError",
    "Disagreement",
    "Packets",
    "Stream",
    "analyse",
    "cross_check",
    "find",
    "is_canary",
    "read",
]
