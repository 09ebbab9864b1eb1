"""`pushlab callmanager`: the mock CallManager alone."""

import argparse
import contextlib
import ipaddress
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from emulator import engine, server
from emulator.callmanager.alarm import Alarm
from emulator.callmanager.certificate import CertificateError, ensure_certificate, server_context
from emulator.callmanager.cluster import Cluster, nobody_to_reset
from emulator.callmanager.configuration import LISTEN_DEFAULT, Configuration, load, split_address
from emulator.callmanager.enterprise import Enterprise
from emulator.callmanager.provisioning import Provisioning, tftp_door
from emulator.callmanager.registry import Registry
from emulator.callmanager.reset import PhonesControl
from emulator.callmanager.secured import serve as serve_secured
from emulator.callmanager.service import Service, address_text, connection_limits
from emulator.callmanager.users import Users
from emulator.records import Records

if TYPE_CHECKING:
    from emulator.callmanager.ldap import Directory

_EPILOG = """\
Users come from the configuration file (docs/reference/callmanager.md):

  [[user]]
  name = "agpush"
  password_file = "agpush.password"    # mode 0600
  cti = true
  devices = "all"                      # all | none | a list of device names

Users of an LDAP directory, account locks and the secured page are described there too.
"""


class _Part:
    """The running CallManager, as emulator.server knows it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        users = Users()
        for entry in configuration.users:
            if entry.password is None:
                users.associate(name=entry.name, cti=entry.cti, devices=entry.devices)
            else:
                users.add(
                    name=entry.name,
                    password=entry.password,
                    cti=entry.cti,
                    devices=entry.devices,
                    first_name=entry.first_name,
                    last_name=entry.last_name,
                )
        self._service: Service | None = None
        self._directory: Directory | None = None
        if configuration.directory is not None:
            from emulator.callmanager import ldap  # noqa: PLC0415 - needs the extra `directory`

            self._directory = ldap.Directory(configuration.directory)
        control = configuration.phones_control
        self._cluster = Cluster(
            users=users,
            registry=Registry(configuration.devices),
            enterprise=Enterprise(configuration.enterprise),
            administrator=configuration.administrator,
            directory=self._directory,
            reset=nobody_to_reset if control is None else PhonesControl(*split_address(control)),
        )
        self._trusted = b""
        self._context: ssl.SSLContext | None = None
        if configuration.secured_listen is not None:
            address = split_address(configuration.secured_listen)[0]
            certificate, key = configuration.secured_certificate, configuration.secured_key
            ensure_certificate(certificate, key, address=address)
            self._context = server_context(certificate, key)
            self._trusted = certificate.read_bytes()

    async def run(self, records: Records, task_status: trio.TaskStatus[Mapping[str, str]]) -> None:
        configuration = self._configuration
        with contextlib.ExitStack() as doors:
            # It may share its port with emulated phones on this host's other addresses: both are 80 in life.
            address, port = split_address(configuration.listen)
            doors.enter_context(engine.claim("callmanager", address, port))
            listener = doors.enter_context(engine.listen(address, port, reuse_port=True))
            door = None
            if configuration.administration is not None:
                door = doors.enter_context(engine.listen(*split_address(configuration.administration)))
            secured = None
            if configuration.secured_listen is not None:
                secured = doors.enter_context(engine.listen(*split_address(configuration.secured_listen)))
            files: list[tuple[str, socket.socket]] = []
            if configuration.configuration_listen is not None:
                place = split_address(configuration.configuration_listen)
                files.append(("configuration", doors.enter_context(engine.listen(*place))))
            if configuration.tftp_listen is not None:
                files.append(("tftp", doors.enter_context(tftp_door(*split_address(configuration.tftp_listen)))))
            alarm = doors.enter_context(Alarm())
            self._service = Service(
                configuration,
                self._cluster.users,
                records,
                until=alarm.until,
                directory=self._directory,
                registry=self._cluster.registry,
                attempts=self._cluster.attempts,
            )
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(alarm.run)
                    urls = await self._open(nursery, self._service, listener, door)
                    if secured is not None and self._context is not None:
                        limits = connection_limits(configuration)
                        handle = partial(self._service.handle, secured=True)
                        await nursery.start(partial(serve_secured, secured, self._context, handle, limits=limits))
                        address = address_text(secured.getsockname()[:2])
                        urls["authentication_secured"] = f"https://{address}/ccmcip/authenticate.jsp"
                    urls |= await self._provide(nursery, records, files)
                    task_status.started(urls)
            finally:
                self._service.write_summary()

    async def _open(
        self, nursery: trio.Nursery, service: Service, listener: socket.socket, door: socket.socket | None
    ) -> dict[str, str]:
        """Start serving; the URLs of the ready line."""
        host, port = listener.getsockname()[:2]
        address = address_text((host, port))
        urls = {
            "authentication": f"http://{address}/CCMCIP/authenticate.asp",
            "authentication_jsp": f"http://{address}/ccmcip/authenticate.jsp",
        }
        # No phone reaches 0.0.0.0: with it the parameter has to be said.
        if not self._configuration.url_authentication_given and not ipaddress.ip_address(host).is_unspecified:
            self._cluster.enterprise.change(url_authentication=urls["authentication"])
        if door is not None:
            # Imported only where it is asked for: quart and hypercorn take half a second.
            from emulator.callmanager.administration import application  # noqa: PLC0415
            from emulator.callmanager.web import serve  # noqa: PLC0415

            address = address_text(door.getsockname()[:2])
            urls["administration"] = f"http://{address}/api/users"
            urls["administration_pages"] = f"http://{address}/ccmadmin/"
            token, own = self._configuration.administration_token, urls["authentication"]
            app = application(self._cluster, token=token, accounts=service, authentication_url=own)
            await nursery.start(serve, app, door)
        limits = connection_limits(self._configuration)
        await nursery.start(partial(engine.serve, [listener], service.handle, limits=limits))
        return urls

    async def _provide(
        self, nursery: trio.Nursery, records: Records, doors: list[tuple[str, socket.socket]]
    ) -> dict[str, str]:
        """Start serving phones' configuration at these doors; their URLs."""
        told = split_address(self._configuration.listen)[0]
        provisioning = Provisioning(self._cluster, records, callmanager=told, trusted=self._trusted)
        urls = {}
        for name, door in doors:
            serve, scheme = {
                "configuration": (provisioning.serve_http, "http"),
                "tftp": (provisioning.serve_tftp, "tftp"),
            }[name]
            await nursery.start(serve, door)
            urls[name] = f"{scheme}://{address_text(door.getsockname()[:2])}"
        return urls

    def status(self) -> Mapping[str, int]:
        assert self._service is not None, "asked for only after run has started"
        return self._service.status()

    def ended(self) -> Mapping[str, Any]:
        return {}


def main(argv: Sequence[str]) -> int:
    """Run the mock CallManager until it is asked to stop; the exit codes are those of docs/reference/exit-codes.md."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab callmanager",
        description="Mock CallManager: authentication pages with users, device association and a capacity model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--listen", metavar="ADDR:PORT", type=_address, help=f"instead of the file's; default {LISTEN_DEFAULT}"
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="TOML; without it nobody can be authorised")
    server.add_arguments(parser)
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as wanted:
        return int(wanted.code or 0)
    try:
        configuration = load(arguments.config) if arguments.config is not None else Configuration()
    except server.ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the log
        return error.exit_code
    if arguments.listen is not None:
        configuration = replace(configuration, listen=arguments.listen)
    ways = (configuration.administration, configuration.administrator, configuration.directory)
    if not configuration.users and not any(ways):
        print(  # noqa: T201 - the log
            "pushlab callmanager: there is no user, so nobody can be authorised; "
            "add [[user]] to a file and give it with --config (see --help)",
            file=sys.stderr,
        )
    try:
        part = _Part(configuration)
    except CertificateError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the log
        return server.ConfigurationError.exit_code
    return server.run(part.run, part, how=server.manners(arguments, "callmanager"))


def _address(text: str) -> str:
    try:
        split_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
