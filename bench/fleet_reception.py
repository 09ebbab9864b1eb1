"""CPU per RTP packet of the fleet's reception, per-stream statistics included.

    python bench/fleet_reception.py --phones 2000 --rounds 50

Packets are sent in rounds of one to each phone; only the reading and counting is timed.
"""

from __future__ import annotations

import argparse
import socket
import struct
import time

from emulator.fleet.reception import Reception
from emulator.phone.stream import Period

SOURCE = "127.20.128.10"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--phones", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    reception = Reception(0)
    periods = []
    for number in range(arguments.phones):
        period = Period(push="bench", source=SOURCE, port=reception.port, since_ns=0)
        reception.listen(f"127.20.{number >> 8}.{number & 255}", period)
        periods.append(period)
    payload = bytes(160)
    cpu_s = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((SOURCE, 0))
        for sequence in range(arguments.rounds):
            for number in range(arguments.phones):
                packet = struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, number) + payload
                sender.sendto(packet, (f"127.20.{number >> 8}.{number & 255}", reception.port))
            begun = time.process_time()
            reception.drain()
            cpu_s += time.process_time() - begun
    heard = sum(stream.packets for period in periods for stream in period.streams.values())
    print(
        f"{heard} of {arguments.phones * arguments.rounds} packets heard, {reception.dropped} dropped, "
        f"{cpu_s / heard * 1e6:.2f} us a packet, {heard / cpu_s:.0f} packets/s on one core"
    )


if __name__ == "__main__":
    main()
