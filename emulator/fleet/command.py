"""`pushlab phones`: the fleet alone."""

from __future__ import annotations

import argparse
import ssl
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from emulator import misbehaviour, server
from emulator.callmanager.certificate import CertificateError, ensure_certificate, server_context
from emulator.fleet import catalogue, faults, roster
from emulator.fleet.boot import HTTP_PORT, TFTP_PORT, Source
from emulator.fleet.fleet import Fleet, Settings
from emulator.phone.authentication import Server, read_url
from emulator.phone.phone import RTP_PORT, Phone
from emulator.server import ConfigurationError

_NETWORK: Final = IPv4Network("127.20.0.0/17")
_PORT: Final = 18080
_MODELS: Final = "CP-7960G=0.5,CP-7961G=0.3,CP-7970G=0.2"


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 65536:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {text}")
    return value


def _place(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    try:
        return str(IPv4Address(address)), _port(port)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected an IPv4 address and a port, got {text}") from error


def _away(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"expected 0 to 3600 seconds, got {text}")
    return value


def _timeout(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 600:
        raise argparse.ArgumentTypeError(f"expected 0.1 to 600 seconds, got {text}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="pushlab phones", description="Emulated Cisco IP phones on real sockets."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--count", type=int, metavar="N", help="make up this many phones")
    which.add_argument("--csv", type=Path, metavar="FILE", help="phones from a roster")
    parser.add_argument("--network", type=IPv4Network, default=_NETWORK, metavar="NET", help=f"of --count ({_NETWORK})")
    parser.add_argument("--model", default=_MODELS, metavar="M", help=f"of --count: a model, or shares ({_MODELS})")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of --count: which phone is which model (1)")
    parser.add_argument("--port", type=_port, default=_PORT, metavar="P", help=f"HTTP port of the phones ({_PORT})")
    parser.add_argument("--https-port", type=_port, metavar="P", help="HTTPS too, at this port, with --certificate")
    parser.add_argument(
        "--certificate", type=Path, metavar="PEM", help="of HTTPS, its key beside it as .key; made if both are missing"
    )
    parser.add_argument("--rtp-port", type=_port, default=RTP_PORT, metavar="P", help=f"where they hear ({RTP_PORT})")
    parser.add_argument("--interface", metavar="IF", help="serve what comes in by this network interface only")
    parser.add_argument("--auth-url", default="", metavar="URL", help="who is asked about a push (default: nobody)")
    parser.add_argument("--authentication-timeout-s", type=_timeout, default=10.0, metavar="S", help="(10, assumed)")
    parser.add_argument(
        "--callmanager", metavar="URL", help=f"fetch configuration files there: http://ADDRESS[:{HTTP_PORT}]"
    )
    parser.add_argument("--tftp-port", type=_port, default=TFTP_PORT, metavar="P", help=f"of it, by TFTP ({TFTP_PORT})")
    parser.add_argument("--boot", choices=("instant", "fetch"), help="instant: ask nobody (fetch with --callmanager)")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="certificates for https URLs (CallManager's list)")
    parser.add_argument("--record", type=Path, metavar="DIR", help="write what phones hear there, as WAV")
    parser.add_argument("--control", type=_place, metavar="ADDR:PORT", help="control API, on no phone's address")
    parser.add_argument("--reset-s", type=_away, default=1.0, metavar="S", help="how long a reset phone is away (1)")
    parser.add_argument(
        "--misbehaviour",
        action="append",
        default=[],
        metavar="NAME=SHARE",
        help=f"share of phones (0 to 1) that misbehave, may be repeated: {', '.join(misbehaviour.NAMES)}",
    )
    parser.add_argument(
        "--impairment",
        action="append",
        default=[],
        metavar="WHAT@SHARE",
        help="share of phones whose RTP packets suffer at the door, may be repeated: "
        "loss=0.01,duplicate=0.005,reorder=0.01,jitter_ms=20@0.5",
    )
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="instead of both: CSV of device_name,fault,parameters"
    )
    server.add_arguments(parser)
    return parser


def _source(arguments: argparse.Namespace) -> Source | None:
    """Where phones fetch from; None with `--boot instant`."""
    fetch = arguments.callmanager is not None if arguments.boot is None else arguments.boot == "fetch"
    if not fetch:
        return None
    if arguments.callmanager is None:
        raise ConfigurationError(["--boot fetch: --callmanager URL is needed"])
    if arguments.auth_url:
        raise ConfigurationError(["--auth-url: phones that fetch take it from CallManager (or --boot instant)"])
    try:
        return Source.of(arguments.callmanager, arguments.tftp_port)
    except ValueError as error:
        raise ConfigurationError([f"--callmanager {arguments.callmanager}: {error}"]) from None


def _phones(arguments: argparse.Namespace) -> list[Phone]:
    models = catalogue.load()
    problems: list[str] = []
    asked: Server | None = None
    if arguments.auth_url:
        asked = read_url(arguments.auth_url)
        if asked is None:
            problems.append("--auth-url: expected http:// or https:// and an IPv4 address")
    try:
        if arguments.csv is not None:
            phones = roster.read(arguments.csv, catalogue=models, server=asked)
        else:
            phones = roster.make(
                arguments.count,
                network=arguments.network,
                models=roster.read_models(arguments.model, models),
                seed=arguments.seed,
                catalogue=models,
                server=asked,
            )
    except ConfigurationError as error:
        raise ConfigurationError(problems + error.problems) from error
    if arguments.control is not None and any(phone.address == arguments.control[0] for phone in phones):
        problems.append(f"--control: {arguments.control[0]} is a phone's address")
    if problems:
        raise ConfigurationError(problems)
    return phones


def _faults(arguments: argparse.Namespace, phones: list[Phone]) -> faults.Faults:
    if arguments.faults is None:
        return faults.by_share(phones, arguments.misbehaviour, arguments.impairment, seed=arguments.seed)
    if arguments.misbehaviour or arguments.impairment:
        raise ConfigurationError(["--faults: not together with --misbehaviour or --impairment"])
    return faults.read(arguments.faults, phones)


def _https(arguments: argparse.Namespace) -> tuple[int, ssl.SSLContext] | None:
    """Port and certificate.

    Raises:
        CertificateError: one of the two options is missing, or there is no certificate and none can be made.
    """
    port, certificate = arguments.https_port, arguments.certificate
    if port is None and certificate is None:
        return None
    if port is None or certificate is None:
        raise CertificateError("expected together with --https-port")
    key = certificate.with_suffix(".key")
    ensure_certificate(certificate, key, address="phones.invalid")
    return port, server_context(certificate, key)


def main(argv: Sequence[str]) -> int:
    """Run the command; the exit code of docs/reference/exit-codes.md."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        source = _source(arguments)
        phones = _phones(arguments)
        faulty = _faults(arguments, phones)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the log
        return error.exit_code
    trusting = sum(phone.server is None for phone in phones)
    if trusting and source is None:
        print(  # noqa: T201 - the log
            f"{trusting} phones have no authentication URL: they accept every push without asking", file=sys.stderr
        )
    try:
        https = _https(arguments)
    except CertificateError as error:
        print(f"--certificate: {error}", file=sys.stderr)  # noqa: T201 - the log
        return ConfigurationError.exit_code
    settings = Settings(
        port=arguments.port,
        https=https,
        rtp_port=arguments.rtp_port,
        interface=arguments.interface,
        authentication_timeout_s=arguments.authentication_timeout_s,
        record=arguments.record,
        control=arguments.control,
        faults=faulty,
        seed=arguments.seed,
        reset_s=arguments.reset_s,
        callmanager=source,
        trust=arguments.trust,
    )
    try:
        fleet = Fleet(phones, settings)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the log
        return error.exit_code
    return server.run(fleet.run, fleet, how=server.manners(arguments, "phones"))
