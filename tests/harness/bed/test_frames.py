"""Canaries as frames, read by scapy, which knows nothing of how they were made."""

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from harness.bed.frames import syn_frame, udp_frame

OWN = bytes.fromhex("020000000001")
SOURCE, TARGET = ("192.0.2.250", 9), ("10.9.0.30", 32674)


def test_a_datagram() -> None:
    made = udp_frame(OWN, SOURCE, TARGET, b"pushlab canary before")
    frame = Ether(made)
    assert (frame.src, frame.dst) == ("02:00:00:00:00:01", "02:00:00:00:00:01")
    assert (frame[IP].src, frame[IP].dst, frame[IP].ttl) == ("192.0.2.250", "10.9.0.30", 1)
    assert (frame[UDP].sport, frame[UDP].dport, bytes(frame[UDP].payload)) == (9, 32674, b"pushlab canary before")
    assert rebuilt(frame) == made


def test_the_beginning_of_a_connection() -> None:
    made = syn_frame(OWN, SOURCE, ("10.9.0.30", 80))
    frame = Ether(made)
    assert (frame[TCP].dport, str(frame[TCP].flags)) == (80, "S")
    assert rebuilt(frame) == made


def rebuilt(frame: Ether) -> bytes:
    """With lengths and checksums by scapy."""
    for layer, names in ((IP, ("len", "chksum")), (UDP, ("len", "chksum")), (TCP, ("chksum",))):
        for name in names if layer in frame else ():
            delattr(frame[layer], name)
    return bytes(frame)
