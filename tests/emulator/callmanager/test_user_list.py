from pathlib import Path

import pytest

from emulator.callmanager.user_list import UserEntry, read_user_list
from emulator.callmanager.users import Devices
from emulator.server import ConfigurationError

SECRET = "Geheim-77"


@pytest.fixture
def users_csv(tmp_path: Path) -> Path:
    path = tmp_path / "users.csv"
    path.touch(mode=0o600)
    secret = tmp_path / "agpush.password"
    secret.touch(mode=0o600)
    secret.write_text(f"{SECRET}\n")
    return path


def problems(path: Path, text: str, *, has_directory: bool = False) -> list[str]:
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_user_list(path, has_directory=has_directory)
    assert SECRET not in str(caught.value)
    return [problem.removeprefix(f"{path}") for problem in caught.value.problems]


def test_users_with_passwords_files_and_of_the_directory(users_csv: Path):
    users_csv.write_text(
        "\ufeffname, password,password_file,first_name,last_name,cti,devices,directory\r\n"
        "agpush,,agpush.password,,Gateway,TRUE,SEP001BD4000001 SEP001BD4000002,\r\n"
        'other," a,b ",,,,false,none,false\r\n'
        "Person,,,,,,,true\r\n",
        encoding="utf-8",
    )
    phones = Devices(names=frozenset({"SEP001BD4000001", "SEP001BD4000002"}))
    assert read_user_list(users_csv, has_directory=True) == (
        UserEntry(name="agpush", password=SECRET, cti=True, devices=phones, last_name="Gateway"),
        UserEntry(name="other", password=" a,b ", cti=False, devices=Devices()),
        UserEntry(name="Person", password=None, cti=True, devices=Devices(everything=True)),
    )


def test_all_that_is_wrong_is_said_at_once_with_lines(users_csv: Path):
    said = problems(
        users_csv,
        "name,password,password_file,cti,devices,first_name,directory\n"
        f"a,{SECRET},agpush.password,,,,\n"
        "a,,absent,,,,\n"
        f",{SECRET},,,,,\n"
        f"c,{SECRET},,perhaps,,,\n"
        f"d,{SECRET},,,SEP/1,,\n"
        f"e,{SECRET * 40},,,,,\n"
        f"f,{SECRET},,,,{'x' * 65},\n"
        f"g,{SECRET},,,,,true\n"
        f"h,{SECRET}\n"
        "i,,,,,,\n",
    )
    assert said == [
        ":2: password: exactly one of password and password_file is needed",
        f":3: password_file: {users_csv.parent / 'absent'} cannot be read: No such file or directory",
        ":3: name: there is a user 'a' already",
        ":4: name: 1 to 128 printable characters are needed",
        ":5: cti: true or false is needed",
        ":6: devices: 'SEP/1' is no device name (as SEP001BD4000001)",
        ":7: password: 1 to 256 characters are needed",
        ":8: first_name: at most 64 printable characters",
        ":9: directory: there is no [directory]",
        ":9: password: a user of the directory has none here",
        ":10: expected 7 fields",
        ":11: password: exactly one of password and password_file is needed",
    ]


@pytest.mark.parametrize("text", ["", "name,name\n", f"agpush,{SECRET}\n", "name,pasword\n", "password\n"])
def test_a_header_that_is_none_is_not_quoted(users_csv: Path, text: str):
    assert problems(users_csv, text)[0].startswith(":1: expected a header of name, password, password_file,")


def test_passwords_that_others_can_read(users_csv: Path):
    users_csv.chmod(0o640)
    assert problems(users_csv, f"name,password\na,{SECRET}\n") == [
        f": others can read this file: chmod 600 {users_csv}"
    ]
    users_csv.write_text("name,password_file\na,agpush.password\n")
    assert read_user_list(users_csv, has_directory=False)[0].password == SECRET
    (users_csv.parent / "agpush.password").chmod(0o644)
    said = problems(users_csv, "name,password_file\na,agpush.password\n")
    assert said == [f":2: password_file: others can read it: chmod 600 {users_csv.parent / 'agpush.password'}"]


def test_users_of_the_configuration_come_first_and_are_not_there_twice(users_csv: Path):
    users_csv.write_text(f"name,password,directory\nA,{SECRET},\nperson,,true\n")
    before = UserEntry(name="a", password="p", cti=True, devices=Devices())
    users = read_user_list(users_csv, has_directory=True, before=[before])
    assert [user.name for user in users] == ["a", "A", "person"]
    person = UserEntry(name="Person", password=None, cti=True, devices=Devices())
    with pytest.raises(ConfigurationError, match=":3: name: there is a user 'person' already"):
        read_user_list(users_csv, has_directory=True, before=[person])


def test_what_is_no_list(users_csv: Path, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_user_list(tmp_path / "absent", has_directory=False)
    users_csv.write_bytes(b"name,password\na,\xff\n")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        read_user_list(users_csv, has_directory=False)
    assert "the rest was not read" in problems(users_csv, "name,password\n" + "a,\n" * 500)[-1]


def test_one_user_with_very_many_phones(users_csv: Path):
    names = " ".join(f"SEP001BD4{number:06X}" for number in range(20_000))
    users_csv.write_text(f"name,password,devices\na,{SECRET},{names}\n")
    assert len(read_user_list(users_csv, has_directory=False)[0].devices.names) == 20_000
