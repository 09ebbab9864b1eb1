"""The one CSV of phones: as people write it, written and read again, and every error of a list at once."""

from pathlib import Path

import pytest

from harness.site import Phone, SiteError, read_phone_list
from harness.site.phone_list import write_phone_list

HEADER = "device_name,directory_number,mac,model,address,authentication_url,web_access,zone,subnet"
SHORT = "device_name,directory_number,mac,model,address,authentication_url,web_access"


def _site(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "site.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_site_as_people_write_it(tmp_path: Path) -> None:
    path = _site(
        tmp_path,
        "\ufeffmodel, device_name ,address,mac,web_access\r\n"
        "CP-7960G,sep001bd4abcdef, 10.20.5.5 ,00:1b:d4:ab:cd:ef,FALSE\r\n"
        "\r\n"
        "CP-7961G,SEP001BD4ABCDF0,10.20.5.6,,\r\n",
    )
    first, second = read_phone_list(path, network="10.20.0.0/17")
    assert (first.device_name, first.mac, first.address, first.web_access) == (
        "SEP001BD4ABCDEF",
        "001BD4ABCDEF",
        "10.20.5.5",
        False,
    )
    assert (second.mac, second.directory_number, second.web_access) == ("001BD4ABCDF0", "", True)


def test_every_error_of_a_site_with_its_line(tmp_path: Path) -> None:
    path = _site(
        tmp_path,
        f"{SHORT}\n"
        "SEP001BD4000001,2001,001BD4000001,CP-7960G,10.20.0.1,,true\n"
        "SEP001BD4000001,2002,001BD4000001,CP-7960G,10.20.0.2,,true\n"
        "SEP001BD4000003,2003,001BD4000003,CP-7960G,10.20.0.1,,true\n"
        "SEP1,2004,,CP-7960G,10.20.0.4,,true\n"
        "SEP001BD4000005,20x5,001BD4000009,,10.20.0,,maybe\n"
        "SEP001BD4000006,2006,,CP-7960G,192.0.2.1,,true\n"
        "SEP001BD4000007,2007,,CP-7960G,10.20.127.254,,true\n"
        "SEP001BD4000008,2008\n",
    )
    with pytest.raises(SiteError) as caught:
        read_phone_list(path, network="10.20.0.0/17", reserved=("10.20.127.254",))
    assert [error.removeprefix(f"{path}:") for error in caught.value.errors] == [
        "3: device_name SEP001BD4000001 is that of line 2 already",
        "4: address 10.20.0.1 is that of line 2 already",
        "5: device_name 'SEP1': SEP and 12 hex digits are needed",
        "6: mac 001BD4000009 does not belong to SEP001BD4000005",
        "6: no model",
        "6: directory_number '20x5': digits, * # + only",
        "6: web_access 'maybe': true or false is needed",
        "6: address '10.20.0': an IPv4 address is needed",
        "7: address 192.0.2.1: outside the phones' network 10.20.0.0/17",
        "8: address 10.20.127.254: reserved for controls of the run",
        "9: 2 values for 7 columns",
        "9: no model",
        "9: address '': an IPv4 address is needed",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEADER}\n", "no phone in it"),
        ("", "no column device_name"),
        ("device_name,model,adress\n", "unknown column 'adress'"),
        ("device_name,model,address,model\n", "column model twice"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (SHORT + "\nSEP001BD4000001,\x00" + "x" * 140_000 + ",,,,,\n", "not CSV"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(SiteError, match=message):
        read_phone_list(_site(tmp_path, content))


def test_list_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="cannot be read: No such file"):
        read_phone_list(tmp_path / "absent.csv")


def test_zones_and_subnets(tmp_path: Path) -> None:
    path = _site(
        tmp_path,
        "device_name,model,address,zone,subnet\n"
        'SEP001BD4000001,CP-7961G,10.30.4.11,"Ward A, east",10.30.4.0/23\n'
        "SEP001BD4000002,CP-7961G,10.30.4.12,,10.30.5.0/24\n"
        f"SEP001BD4000003,CP-7961G,10.30.4.13,{'x' * 65},10.30.4.1/24\n"
        "SEP001BD4000004,CP-7961G,239.1.1.1,,\n",
    )
    with pytest.raises(SiteError) as caught:
        read_phone_list(path)
    assert [error.removeprefix(f"{path}:") for error in caught.value.errors] == [
        "3: subnet 10.30.5.0/24: 10.30.4.12 is not in it",
        "4: zone 'xxxxxxxxxxxxxxxxxxxx': at most 64 characters that can be printed",
        "4: subnet '10.30.4.1/24': a network is needed, as 10.30.4.0/24",
        "5: address '239.1.1.1': an IPv4 address is needed",
    ]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    phone = Phone(
        device_name="SEP001BD4000001", directory_number="+494103", mac="001BD4000001", model="CP-7961G",
        address="10.30.4.11", web_access=False, zone='Ward "A", east', subnet="10.30.4.0/23",
    )  # fmt: skip
    path = _site(tmp_path, write_phone_list([phone]))
    assert read_phone_list(path) == (phone,)
