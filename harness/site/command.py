"""`pushlab site`: exports in, a summary and the one list out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

from harness.screen import complain, say
from harness.site import models
from harness.site.errors import SiteError
from harness.site.files import read_exports
from harness.site.merging import ZONES_FROM
from harness.site.phone import Phone
from harness.site.phone_list import write_phone_list
from harness.site.summary import facts, summary


def main(argv: Sequence[str]) -> int:
    """Read exports, say what is in them, write the list.

    Returns:
        The exit code: 4 where a file cannot be used.
    """
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab site",
        description="A site's phones from what its CallManager exports: DeviceListX, RisPort, AXL listPhone, Bulk "
        "Administration's All Phone Details, or a list of one's own. Several files are merged by device name, and the "
        "file named first counts (docs/how-to/make-a-twin-of-your-site.md).",
    )
    parser.add_argument("file", nargs="+", type=Path, help="an export of any known kind; what it is, is seen from it")
    parser.add_argument("--out", type=Path, metavar="CSV", help="write the list that the rest of pushlab takes")
    parser.add_argument(
        "--zones",
        choices=ZONES_FROM,
        default=ZONES_FROM[0],
        help=f"what a phone's zone is, where no file gives one (default: {ZONES_FROM[0]})",
    )
    parser.add_argument(
        "--subnet",
        action="append",
        default=[],
        type=_network,
        metavar="CIDR",
        help="a subnet of phones that has another mask than /24; may be given several times",
    )
    parser.add_argument(
        "--emulated", action="store_true", help="write the models that a twin takes, as pushlab phones --csv needs them"
    )
    parser.add_argument("--json", action="store_true", help="for programs; everything that was left out is in it")
    arguments = parser.parse_args(argv)
    if arguments.out is not None and any(_same(arguments.out, file) for file in arguments.file):
        parser.error(f"--out {arguments.out}: is one of the files that are read")
    try:
        site = read_exports(arguments.file, zone_from=arguments.zones, subnets=arguments.subnet)
    except SiteError as error:
        for line in error.errors:
            complain(line)
        return error.exit_code
    if arguments.out is not None:
        try:
            phones = [_emulated(phone) for phone in site.phones] if arguments.emulated else site.phones
            arguments.out.write_text(write_phone_list(phones), encoding="utf-8")
        except OSError as error:
            complain(f"{arguments.out}: cannot be written: {error.strerror}")
            return SiteError.exit_code
    if arguments.json:
        say(json.dumps(facts(site), indent=1, ensure_ascii=False))
        return 0
    for line in summary(site):
        say(line)
    say(f"written: {arguments.out}" if arguments.out is not None else "nothing was written; --out FILE writes the list")
    return 0


def _emulated(phone: Phone) -> Phone:
    return replace(phone, model=models.emulated_as(phone.model))


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no network, as 10.30.4.0/23: {error}") from None


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
