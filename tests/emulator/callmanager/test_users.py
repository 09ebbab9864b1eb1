"""The user directory: who is refused, for which reason, and that no password shows."""

import pytest

from emulator.callmanager.users import CredentialCache, Devices, UserError, Users, is_device_name

PHONE = "SEP001BD4000001"
OTHER = "SEP001BD4000002"


@pytest.fixture
def users() -> Users:
    directory = Users()
    directory.add(name="agpush", password="right", cti=True, devices=Devices(everything=True))
    directory.add(name="few", password="right", cti=True, devices=Devices.of([PHONE]))
    directory.add(name="nobody", password="right", cti=True, devices=Devices.of("none"))
    directory.add(name="no-cti", password="right", cti=False, devices=Devices.of("all"))
    return directory


@pytest.mark.parametrize(
    ("name", "password", "device", "reason", "user"),
    [
        ("agpush", "right", PHONE, None, "agpush"),
        ("agpush", "right", OTHER, None, "agpush"),
        ("agpush", "wrong", PHONE, "password", "agpush"),
        ("agpush", "Right", PHONE, "password", "agpush"),
        ("agpush", "right ", PHONE, "password", "agpush"),
        ("Agpush", "right", PHONE, "user", None),
        ("absent", "right", PHONE, "user", None),
        ("", "right", PHONE, "user", None),
        ("few", "right", PHONE, None, "few"),
        ("few", "right", OTHER, "association", "few"),
        ("few", "right", PHONE.lower(), "association", "few"),
        ("nobody", "right", PHONE, "association", "nobody"),
        ("no-cti", "right", PHONE, "cti", "no-cti"),
        ("no-cti", "wrong", PHONE, "password", "no-cti"),
    ],
)
def test_refusals(users: Users, *, name: str, password: str, device: str, reason: str | None, user: str | None):
    check = users.check(name=name, password=password, device=device)
    assert (check.authorised, check.reason, check.user) == (reason is None, reason, user)


def test_changes_hold_at_once(users: Users):
    users.change("agpush", password="new")
    assert users.check(name="agpush", password="right", device=PHONE).reason == "password"
    assert users.check(name="agpush", password="new", device=PHONE).authorised
    users.change("agpush", cti=False)
    assert users.check(name="agpush", password="new", device=PHONE).reason == "cti"
    users.change("agpush", cti=True, devices=Devices.of([OTHER]))
    assert users.check(name="agpush", password="new", device=PHONE).reason == "association"
    users.remove("agpush")
    assert users.check(name="agpush", password="new", device=OTHER).reason == "user"
    with pytest.raises(KeyError):
        users.change("agpush", cti=True)


def test_no_password_in_any_repr(users: Users):
    user = users.add(name="x", password="Geheim-77", cti=True, devices=Devices())
    check = users.check(name="x", password="Geheim-77", device=PHONE)
    shown = repr(user) + repr(users) + repr(vars(users)) + repr(check)
    assert "Geheim-77" not in shown
    assert repr(user.salt) not in shown
    assert repr(user.digest) not in shown


def test_equal_passwords_have_different_digests(users: Users):
    one, two = users.get("agpush"), users.get("few")
    assert one is not None
    assert two is not None
    assert one.digest != two.digest


def test_comparison_is_constant_time_and_made_for_unknown_users_too(users: Users, monkeypatch: pytest.MonkeyPatch):
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr("emulator.callmanager.users.hmac.compare_digest", compare)
    users.check(name="agpush", password="w", device=PHONE)
    users.check(name="absent", password="w", device=PHONE)
    assert [(len(left), len(right)) for left, right in compared] == [(32, 32), (32, 32)]


@pytest.mark.parametrize("described", ["some", 5, None, [5], ["SEP 1"], [""], ["x" * 129], ["SEP1\n"]])
def test_what_is_no_association(described: object):
    with pytest.raises(UserError, match="devices"):
        Devices.of(described)


def test_association_is_described_as_it_was_given():
    assert [Devices.of(text).described() for text in ("all", "none", [OTHER, PHONE])] == ["all", "none", [PHONE, OTHER]]
    assert Devices.of([]).described() == "none"


@pytest.mark.parametrize(
    ("name", "password"), [("", "p"), ("x" * 129, "p"), ("a\nb", "p"), ("new", ""), ("new", "p" * 257)]
)
def test_what_can_be_no_user(users: Users, name: str, password: str):
    with pytest.raises(UserError) as caught:
        users.add(name=name, password=password, cti=True, devices=Devices())
    assert "ppp" not in str(caught.value)


def test_a_taken_name_is_refused(users: Users):
    with pytest.raises(UserError, match="already"):
        users.add(name="few", password="p", cti=True, devices=Devices())


def test_odd_passwords_are_passwords(users: Users):
    users.add(name="odd", password="\ud800 ü\0", cti=True, devices=Devices.of("all"))
    assert users.check(name="odd", password="\ud800 ü\0", device=PHONE).authorised


def test_device_names():
    assert is_device_name(PHONE)
    assert not is_device_name("SEP\x00")
    assert not is_device_name("SEPü")


def test_cache_knows_right_passwords_for_its_time_only(users: Users):
    cache = CredentialCache(seconds=2)
    user = users.get("few")
    assert user is not None
    assert not cache.hits(user, "right", 0)
    cache.remember(user, 1_000_000_000)
    assert cache.hits(user, "right", 2_999_999_999)
    assert not cache.hits(user, "wrong", 2_000_000_000)
    assert not cache.hits(user, "right", 3_000_000_000)


def test_cache_forgets_a_changed_password_and_can_be_off(users: Users):
    cache = CredentialCache(seconds=100)
    old = users.get("few")
    assert old is not None
    cache.remember(old, 0)
    new = users.change("few", password="new")
    assert not cache.hits(new, "right", 1)
    assert not cache.hits(new, "new", 1)
    off = CredentialCache(seconds=0)
    off.remember(new, 0)
    assert not off.hits(new, "new", 0)


def test_users_of_the_directory_have_no_password_and_no_case():
    users = Users()
    user = users.associate(name="AgPush", cti=True, devices=Devices(everything=True))
    assert users.of_directory("agpush") is user
    assert users.get("agpush") is None
    assert not users.check(name="AgPush", password="", device="SEP001BD4000001").authorised
    for name in ("AgPush", "AGPUSH"):
        with pytest.raises(UserError, match="already"):
            users.associate(name=name, cti=True, devices=Devices())
    assert users.names() == ["AgPush"]
    with pytest.raises(UserError, match="directory's"):
        users.change("AgPush", password="new")
    assert users.change("AgPush", cti=False).directory
    users.remove("AgPush")
    assert users.of_directory("agpush") is None
    users.associate(name="agpush", cti=True, devices=Devices())
    users.add(name="own", password="p", cti=True, devices=Devices())
    assert users.of_directory("own") is None
