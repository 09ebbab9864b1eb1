"""The rules behind pages and JSON, without either."""

import pytest
import trio

from emulator.callmanager.administration import actions as module
from emulator.callmanager.administration.actions import Actions, ConflictError, UnknownError
from emulator.callmanager.administration.device_search import Search
from emulator.callmanager.cluster import Cluster, LostError, ResetError
from emulator.callmanager.registry import Device, Registration, Registry
from emulator.callmanager.users import Devices, UserError

NAMES = [f"SEP001BD40000{number:02X}" for number in range(60)]


def registry() -> Registry:
    return Registry([Device(name=name) for name in NAMES])


class Fleet:
    """Stands in for the fleet's control interface: some phones cannot be told, all take their time."""

    def __init__(self, *, seconds: float = 0.0, lost: frozenset[str] = frozenset()) -> None:
        self.told: list[str] = []
        self.at_once = 0
        self.at_once_max = 0
        self._seconds = seconds
        self._lost = lost

    async def __call__(self, name: str) -> None:
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            await trio.sleep(self._seconds)
        finally:
            self.at_once -= 1
        if name in self._lost:
            raise ResetError(f"{name}: it does not answer")
        self.told.append(name)


async def test_each_phone_is_told_once_and_failures_are_named():
    fleet = Fleet(lost=frozenset(NAMES[:2]))
    resets = await Actions(Cluster(registry=registry(), reset=fleet)).reset([*NAMES, *NAMES, "SEPX"])
    assert sorted(resets.told) == sorted(fleet.told) == sorted(NAMES[2:])
    unreachable = dict.fromkeys(NAMES[:2], "it does not answer")
    assert resets.failed == {**unreachable, "SEPX": "there is no such device"}


async def test_a_phone_that_the_fleet_does_not_have_is_unregistered():
    async def tell(name: str) -> None:
        raise LostError(name) if name == NAMES[0] else ResetError(name)

    phones = registry()
    for name in NAMES[:2]:
        phones.seen(name, "10.20.0.1")
    resets = await Actions(Cluster(registry=phones, reset=tell)).reset(NAMES[:2])
    assert len(resets.failed) == 2
    found = [device.registration for device in phones.all()[:2]]
    assert found == [Registration.UNREGISTERED, Registration.REGISTERED]


async def test_resets_are_bounded_in_number_and_time(autojump_clock: trio.abc.Clock):
    fleet = Fleet(seconds=module.RESET_S - 1)
    began = trio.current_time()
    resets = await Actions(Cluster(registry=registry(), reset=fleet)).reset(NAMES)
    assert trio.current_time() - began == module.RESET_S
    assert fleet.at_once_max == module.RESETS_AT_ONCE
    assert len(resets.told) == module.RESETS_AT_ONCE
    assert len(resets.failed) == len(NAMES) - module.RESETS_AT_ONCE
    assert set(resets.failed.values()) == {"not known whether it was told: out of time"}
    assert fleet.at_once == 0


async def test_what_was_not_reached_in_time_is_said(autojump_clock: trio.abc.Clock):
    fleet = Fleet(seconds=module.RESET_S + 1)
    resets = await Actions(Cluster(registry=registry(), reset=fleet)).reset(NAMES)
    assert not resets.told
    not_told = [why for why in resets.failed.values() if why.startswith("not told")]
    assert len(resets.failed) == len(NAMES)
    assert len(not_told) == len(NAMES) - module.RESETS_AT_ONCE


async def test_without_a_fleet_every_reset_fails_with_the_reason():
    resets = await Actions(Cluster(registry=registry())).reset(NAMES[:1])
    assert resets.failed == {NAMES[0]: "phones_control names no fleet that could be told"}


def test_association_adds_and_takes_away():
    actions = Actions(Cluster(registry=registry()))
    actions.add_user(name="agpush", password="p", cti=True, devices=Devices())
    actions.associate("agpush", add=Devices(names=frozenset(NAMES[:3])))
    user = actions.associate("agpush", remove=Devices(names=frozenset(NAMES[1:2])))
    assert user.devices.names == {NAMES[0], NAMES[2]}
    with pytest.raises(UnknownError):
        actions.associate("nobody")


def test_all_devices_become_each_device_before_one_is_taken_away():
    actions = Actions(Cluster(registry=registry()))
    actions.add_user(name="agpush", password="p", cti=True, devices=Devices(everything=True))
    with pytest.raises(ConflictError):
        actions.associate("agpush", remove=Devices(names=frozenset(NAMES[:1])))
    assert actions.associate_each("agpush").devices == Devices(names=frozenset(NAMES))
    assert NAMES[0] not in actions.associate("agpush", remove=Devices(names=frozenset(NAMES[:1]))).devices


def test_associations_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "DEVICES_PER_USER_MAX", 2)
    actions = Actions(Cluster())
    actions.add_user(name="agpush", password="p", cti=True, devices=Devices())
    with pytest.raises(UserError, match="more than 2"):
        actions.associate("agpush", add=Devices(names=frozenset(NAMES)))
    assert actions.user("agpush").devices == Devices()


def test_a_search_among_the_associated():
    actions = Actions(Cluster(registry=registry()))
    among = Devices(names=frozenset([NAMES[5], "SEPX"]))
    assert [device.name for device in actions.find_devices(Search(), among=among).devices] == [NAMES[5]]
    assert actions.matching_devices(Search(), among=among) == [NAMES[5]]
    user = actions.add_user(name="agpush", password="p", cti=True, devices=among)
    assert actions.unknown_devices(user) == ["SEPX"]
