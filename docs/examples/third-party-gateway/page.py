#!/usr/bin/env python3
"""Page Cisco IP phones: page.py PHONES.CSV AUDIO.WAV USER PASSWORD-FILE OWN-ADDRESS

A paging script as people write them, with nothing but Python. It tells each phone of a list to listen (RTPRx), sends a
WAV file (8 kHz, mono, 16 bit) as G.711 mu-law, and tells the phones to stop. It answers no phone: whether its user may
push, phones ask CallManager.
"""

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

RTP_PORT = 32674
FRAME = 160  # samples in 20 ms


def push(address, port, uri, credentials):
    """Have one phone execute one URI; whether it says that it did."""
    page = f'<CiscoIPPhoneExecute><ExecuteItem Priority="0" URL="{uri}"/></CiscoIPPhoneExecute>'
    request = urllib.request.Request(
        f"http://{address}:{port}/CGI/Execute",
        data=urllib.parse.urlencode({"XML": page}).encode(),
        headers={"Authorization": f"Basic {credentials}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return b'Status="0"' in answer.read()
    except OSError as error:
        print(f"{address}: {uri}: {error}", file=sys.stderr)
        return False


def mu_law(sample):
    """One 16 bit sample as G.711 mu-law."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> (exponent + 3) & 15) & 0xFF


def frames(path):
    """The recording in frames of 20 ms, the last one filled with silence."""
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (8000, 1, 2):
            sys.exit(f"{path}: expected 8000 Hz, mono, 16 bit")
        samples = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    sound = bytes(mu_law(sample) for sample in samples)
    return [sound[at : at + FRAME].ljust(FRAME, b"\xff") for at in range(0, len(sound), FRAME)]


def send(sound, addresses, own):
    """Every frame to every phone, 50 times a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind((own, 0))
        begun = time.monotonic()
        for number, frame in enumerate(sound):
            time.sleep(max(0, begun + number * 0.02 - time.monotonic()))
            packet = struct.pack("!BBHII", 0x80, 0, number, number * FRAME, 0x5EED) + frame
            for address in addresses:
                out.sendto(packet, (address, RTP_PORT))


def main(phones, audio, user, password_file, own, port="80"):
    with open(phones, newline="") as file:
        addresses = [row["address"] for row in csv.DictReader(file)]
    with open(password_file) as file:
        credentials = base64.b64encode(f"{user}:{file.readline().strip()}".encode()).decode()
    sound = frames(audio)
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda a: push(a, port, f"RTPRx:{own}:{RTP_PORT}", credentials), addresses))
        listening = [address for address, listens in zip(addresses, told) if listens]
        send(sound, listening, own)
        list(pool.map(lambda a: push(a, port, "RTPRx:Stop", credentials), listening))
    print(f"{len(listening)} of {len(addresses)} phones were paged")
    return 0 if len(listening) == len(addresses) else 1


if __name__ == "__main__":
    if len(sys.argv) not in (6, 7):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
