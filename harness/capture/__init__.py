"""Evidence from the wire: taps with drop counts, a fast reader, scapy as the second reader, RTP analysis."""

from harness.capture.pcap import CaptureError
from harness.capture.reader import DamagedCaptureError, Packets, read
from harness.capture.rtp import Stream, analyse

__all__ = ["CaptureError", "DamagedCaptureError", "Packets", "Stream", "analyse", "read"]
