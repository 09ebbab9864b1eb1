"""Evidence from the wire: taps with drop counts, a fast reader, scapy as the second reader, RTP analysis."""
