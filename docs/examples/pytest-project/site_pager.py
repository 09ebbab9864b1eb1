"""Pages phones: tells each to listen, sends the announcement, tells each to stop. The gateway under test."""

import argparse
import base64
import csv
import socket
import struct
import sys
import time
import urllib.parse
import urllib.request
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FRAME = 160
"""Bytes of µ-law in a packet of 20 ms."""


def options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=Path, required=True, help="CSV with a column address")
    parser.add_argument("--port", type=int, default=80, help="of the phones' web servers")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--source", required=True, help="address that the audio comes from")
    parser.add_argument("--rtp-port", type=int, default=32674)
    parser.add_argument("--audio", type=Path, required=True, help="WAV, 8 kHz, 16 bit, mono")
    return parser.parse_args(argv)


def push(address: str, url: str, given: argparse.Namespace) -> bool:
    """Have one phone execute a URL; whether it did."""
    password = given.password_file.read_text().strip()
    xml = f'<CiscoIPPhoneExecute><ExecuteItem Priority="0" URL="{url}"/></CiscoIPPhoneExecute>'
    request = urllib.request.Request(
        f"http://{address}:{given.port}/CGI/Execute", data=urllib.parse.urlencode({"XML": xml}).encode()
    )
    credentials = base64.b64encode(f"{given.user}:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return b'Status="0"' in answer.read()
    except OSError:
        return False


def mulaw(sample: int) -> int:
    """One 16 bit sample as G.711 µ-law."""
    sign = 0x80 if sample < 0 else 0
    level = min(abs(sample), 32635) + 132
    exponent = level.bit_length() - 8
    return ~(sign | exponent << 4 | (level >> (exponent + 3)) & 0x0F) & 0xFF


def encoded(audio: Path) -> bytes:
    with wave.open(str(audio)) as file:
        samples = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    data = bytes(map(mulaw, samples))
    return data + b"\xff" * (-len(data) % FRAME)


def send(audio: bytes, addresses: list[str], given: argparse.Namespace) -> None:
    """One packet to each phone every 20 ms."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind((given.source, 0))
        began = time.monotonic()
        for number in range(len(audio) // FRAME):
            payload = audio[number * FRAME : (number + 1) * FRAME]
            for stream, address in enumerate(addresses, 1):
                header = struct.pack("!BBHII", 0x80, 0, number, number * FRAME, stream)
                out.sendto(header + payload, (address, given.rtp_port))
            time.sleep(max(0.0, began + (number + 1) * 0.02 - time.monotonic()))


def page(addresses: list[str], given: argparse.Namespace) -> int:
    """Page them; how many did not take it."""
    with ThreadPoolExecutor(16) as at_once:
        start = f"RTPRx:{given.source}:{given.rtp_port}"
        taken = list(at_once.map(lambda address: push(address, start, given), addresses))
        listening = [address for address, took in zip(addresses, taken, strict=True) if took]
        send(encoded(given.audio), listening, given)
        list(at_once.map(lambda address: push(address, "RTPRx:Stop", given), listening))
    print(f"{len(listening)} of {len(addresses)} phones paged")
    return len(addresses) - len(listening)


def addresses_in(phones: Path) -> list[str]:
    with phones.open(newline="") as file:
        return [row["address"] for row in csv.DictReader(file)]


if __name__ == "__main__":
    given = options(sys.argv[1:])
    sys.exit(1 if page(addresses_in(given.phones), given) else 0)
