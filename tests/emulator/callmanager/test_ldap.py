"""The directory client against servers that do not do what they should."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from sansldap import (
    BindRequest,
    LDAPServer,
    PartialAttribute,
    SearchRequest,
    SearchResultDone,
    UnbindRequest,
)

from emulator.callmanager import ldap
from emulator.callmanager.directory import DirectoryError, DirectorySettings, Kind, Tls, Verdict

SETTINGS = DirectorySettings(
    server=("127.0.0.1", 389),
    base_dn="dc=lab",
    manager_dn="cn=manager",
    manager_password="Verwalter-1",
    kind=Kind.LDAP,
    tls=Tls.NONE,
)
BOUND = bytes.fromhex("300c02010161070a010004000400")
"""BindResponse success to the first message."""

Behaviour = Callable[[trio.abc.Stream], Awaitable[None]]
Serving = Callable[[trio.Nursery, Behaviour], list[object]]


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Serving:
    """Connections lead to this behaviour, in memory; a list of all that were made."""

    def serve(nursery: trio.Nursery, behave: Behaviour) -> list[object]:
        opened: list[object] = []

        async def connect(host: str, port: int) -> trio.abc.Stream:
            near, far = trio.testing.memory_stream_pair()
            opened.append((host, port))
            nursery.start_soon(behave, far)
            await trio.lowlevel.checkpoint()
            return near

        monkeypatch.setattr(trio, "open_tcp_stream", connect)
        return opened

    return serve


def directory_of(entries: list[tuple[str, str]], *, at_a_time: int = 65536) -> Behaviour:
    """A directory that finds these (DN, uid) whatever is asked, and lets everybody in."""

    async def behave(stream: trio.abc.Stream) -> None:
        server = LDAPServer()
        while True:
            try:
                messages = server.receive(await stream.receive_some(65536))
            except Exception:  # noqa: BLE001 - the unbind ends it
                return
            for message in messages:
                if isinstance(message, BindRequest):
                    server.bind_response(message.message_id)
                elif isinstance(message, SearchRequest):
                    for dn, uid in entries:
                        attributes = [PartialAttribute("uid", [uid.encode()])] if uid else []
                        server.search_result_entry(message.message_id, dn, attributes=attributes)
                    server.search_result_reference(message.message_id, ["ldap://elsewhere/"])
                    server.search_result_done(message.message_id)
                else:
                    assert isinstance(message, UnbindRequest | SearchResultDone)
            data = server.data_to_send()
            for start in range(0, len(data), at_a_time):
                await stream.send_all(data[start : start + at_a_time])

    return behave


async def asked(behave: Behaviour, serve: Serving) -> Verdict | str:
    async with trio.open_nursery() as nursery:
        serve(nursery, behave)
        try:
            return await ldap.Directory(SETTINGS).authenticate("agpush", "Geheim-77")
        except DirectoryError as error:
            return error.kind if "Geheim" not in str(error) else "a password was shown"
        finally:
            nursery.cancel_scope.cancel()


async def test_one_byte_at_a_time(serving: Serving):
    assert await asked(directory_of([("cn=a", "agpush")], at_a_time=1), serving) == Verdict(name="agpush", reason=None)


async def test_an_entry_without_a_dn_is_nobody(serving: Serving):
    """A bind with an empty DN is anonymous and would succeed with any password."""
    assert await asked(directory_of([("", "agpush")]), serving) == Verdict(reason="user")


async def test_an_entry_without_its_name_is_nobody(serving: Serving):
    assert await asked(directory_of([("cn=a", "")]), serving) == Verdict(reason="user")


async def test_two_entries_are_ambiguous(serving: Serving):
    assert await asked(directory_of([("cn=a", "agpush"), ("cn=b", "agpush")]), serving) == "ambiguous"


async def test_an_empty_password_makes_no_connection(serving: Serving):
    async with trio.open_nursery() as nursery:
        opened = serving(nursery, directory_of([("cn=a", "agpush")]))
        assert await ldap.Directory(SETTINGS).authenticate("agpush", "") == Verdict(reason="password")
        assert opened == []


@pytest.mark.parametrize("answered", [b"", BOUND, BOUND[:5]])
async def test_silence_ends_after_the_whole_time(
    serving: Serving, autojump_clock: trio.testing.MockClock, answered: bytes
):
    async def behave(stream: trio.abc.Stream) -> None:
        if answered:
            await stream.send_all(answered)
        await trio.sleep_forever()

    began = trio.current_time()
    assert await asked(behave, serving) == "timed_out"
    assert trio.current_time() - began == SETTINGS.total_s


async def test_waiting_for_a_place_is_part_of_the_time(serving: Serving, autojump_clock: trio.testing.MockClock):
    async def behave(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    failed: list[float] = []

    async def ask(directory: ldap.Directory) -> None:
        with pytest.raises(DirectoryError):
            await directory.authenticate("agpush", "Geheim-77")
        failed.append(trio.current_time() - began)

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        opened = serving(nursery, behave)
        directory = ldap.Directory(SETTINGS)
        async with trio.open_nursery() as asking:
            for _ in range(SETTINGS.connections + 5):
                asking.start_soon(ask, directory)
        nursery.cancel_scope.cancel()
    assert set(failed) == {SETTINGS.total_s}
    assert len(opened) == SETTINGS.connections


async def test_a_lost_connection_is_named(serving: Serving):
    async def behave(stream: trio.abc.Stream) -> None:
        await stream.receive_some(10)
        await stream.aclose()

    assert await asked(behave, serving) == "connection_lost"


async def test_an_answer_without_end_is_cut(serving: Serving):
    async def behave(stream: trio.abc.Stream) -> None:
        await stream.send_all(bytes.fromhex("30847fffffff"))
        await stream.send_all(bytes(2 * ldap.ANSWER_BYTES_MAX))
        await trio.sleep_forever()

    assert await asked(behave, serving) == "garbled"


async def test_plain_text_in_front_of_the_tls_is_refused(serving: Serving, monkeypatch: pytest.MonkeyPatch):
    """As CVE-2011-0411: what came before the encryption must not be read as if it had come through it."""

    async def behave(stream: trio.abc.Stream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(bytes.fromhex("300c02010178070a010004000400") + BOUND)

    monkeypatch.setattr(f"{__name__}.SETTINGS", DirectorySettings(
        server=("127.0.0.1", 389), base_dn="b", manager_dn="m", manager_password="p", tls=Tls.STARTTLS
    ))  # fmt: skip
    assert await asked(behave, serving) in {"garbled", "tls"}


@settings(max_examples=300, deadline=None)
@given(data=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: BOUND[:-4] + tail)))
def test_no_answer_is_a_defect_or_a_success(data: bytes):
    async def behave(stream: trio.abc.Stream) -> None:
        await stream.send_all(data)
        await stream.send_eof()  # type: ignore[attr-defined]

    async def run() -> Verdict | str:
        near, far = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(behave, far)
            session = ldap._Session(near, SETTINGS)
            try:
                await session.bind_manager()
                await session.one(ldap.parse_filter("(uid=a)"))
            except DirectoryError as error:
                return error.kind
            except ldap.LDAPError:
                return "garbled"
            finally:
                nursery.cancel_scope.cancel()
        return "found"

    assert trio.run(run) in {"garbled", "connection_lost", "manager"}


@pytest.mark.parametrize("text", ["", "(", "uid=a)", "(uid=a", "(&(uid=a)", "(uid=\\zz)"])
def test_what_is_no_filter_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        ldap.parse_filter(text)


def test_filters_of_the_kinds_are_filters():
    for kind in Kind:
        ldap.Directory(DirectorySettings(
            server=("a", 1), base_dn="b", manager_dn="m", manager_password="p", kind=kind, tls=Tls.NONE
        ))  # fmt: skip
