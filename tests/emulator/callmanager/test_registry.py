from pathlib import Path

import pytest

from emulator.callmanager.cluster import Administrator
from emulator.callmanager.device_list import read_device_list
from emulator.callmanager.enterprise import LABELS, Enterprise, EnterpriseParameters, settings_of
from emulator.callmanager.registry import Device, DeviceError, Registration, Registry
from emulator.server import ConfigurationError

NAME = "SEP001BD4000001"


class TestRegistry:
    def test_a_device_is_there_once(self):
        registry = Registry([Device(name=NAME)])
        with pytest.raises(DeviceError, match="already"):
            registry.add(Device(name=NAME))

    @pytest.mark.parametrize(
        "values",
        [
            {"description": "a\nb"},
            {"directory_number": "20 01"},
            {"model": "<b>"},
            {"authentication_url": "ftp://10.0.0.1/"},
            {"authentication_url": "http://10.0.0.1/" + "a" * 240},
            {"services_url": "http://10.0.0.1/ x"},
        ],
    )
    def test_a_value_that_cannot_be_changes_nothing(self, values: dict[str, str]):
        registry = Registry([Device(name=NAME)])
        with pytest.raises(DeviceError, match=next(iter(values))):
            registry.change(NAME, **values)
        assert registry.get(NAME) == Device(name=NAME)

    def test_who_comes_for_the_configuration_is_registered_from_there(self):
        registry = Registry([Device(name=NAME)])
        registry.seen(NAME, "10.20.0.1")
        registry.seen("SEP001BD4000002", "10.20.0.2")
        device = registry.get(NAME)
        assert device is not None
        assert (device.address, device.registration) == ("10.20.0.1", Registration.REGISTERED)
        assert len(registry) == 1

    def test_a_lost_phone_keeps_its_address_and_who_was_never_there_is_not_lost(self):
        other = "SEP001BD4000002"
        registry = Registry([Device(name=NAME), Device(name=other)])
        registry.seen(NAME, "10.20.0.1", 100)
        for name in (NAME, other, "SEP001BD4000003"):
            registry.lost(name, 200)
        registry.lost(NAME, 300)
        expected = Device(
            name=NAME, address="10.20.0.1", registration=Registration.UNREGISTERED, registration_s=200
        )
        assert registry.all() == [expected, Device(name=other)]


class TestSettings:
    PARAMETERS = EnterpriseParameters(
        url_authentication="http://10.1.1.1/enterprise", secured_authentication_url="https://10.1.1.1/enterprise"
    )

    def test_without_urls_of_its_own_the_enterprise_parameters_hold(self):
        settings = settings_of(Device(name=NAME, web_access=False), self.PARAMETERS)
        assert settings.authentication_url == "http://10.1.1.1/enterprise"
        assert settings.secured_authentication_url == "https://10.1.1.1/enterprise"
        assert not settings.web_access

    def test_a_url_of_its_own_goes_before_both_of_the_enterprise(self):
        settings = settings_of(Device(name=NAME, authentication_url="http://10.1.1.2/own"), self.PARAMETERS)
        assert (settings.authentication_url, settings.secured_authentication_url) == ("http://10.1.1.2/own", "")

    def test_a_wrong_parameter_changes_nothing(self):
        enterprise = Enterprise(self.PARAMETERS)
        with pytest.raises(DeviceError, match="url_services"):
            enterprise.change(url_services="javascript:alert(1)", url_idle_time_s=5)
        with pytest.raises(DeviceError, match="url_idle_time_s"):
            enterprise.change(url_idle_time_s=-1)
        assert enterprise.parameters == self.PARAMETERS

    def test_every_parameter_has_the_name_of_callmanagers_page(self):
        assert set(LABELS) == set(EnterpriseParameters.__slots__)


class TestDeviceList:
    def test_it_reads_the_fleets_roster(self, tmp_path: Path):
        path = tmp_path / "roster.csv"
        path.write_text(
            "device_name,directory_number,mac,model,address,authentication_url,web_access\n"
            "SEP001BD4000001,2001,001BD4000001,CP-7961G,10.20.0.1,,true\n"
            "SEP001BD4000002,,001BD4000002,,,http://10.1.1.1/own,false\n"
        )
        first, second = read_device_list(path)
        assert (first.description, first.registration) == ("Auto 2001", Registration.REGISTERED)
        assert second == Device(name="SEP001BD4000002", authentication_url="http://10.1.1.1/own", web_access=False)

    def test_all_that_is_wrong_is_told_with_its_line(self, tmp_path: Path):
        path = tmp_path / "roster.csv"
        path.write_text("device_name,address\nSEP1,x\nSEP1\nSEP2,10.0.0.1\nSEP2,10.0.0.2\n")
        with pytest.raises(ConfigurationError) as caught:
            read_device_list(path)
        assert [problem.split(":")[1] for problem in caught.value.problems] == ["2", "3", "5"]

    def test_an_unknown_column_is_refused(self, tmp_path: Path):
        path = tmp_path / "roster.csv"
        path.write_text("device_name,adress\n")
        with pytest.raises(ConfigurationError, match="adress"):
            read_device_list(path)


def test_an_administrator_is_admitted_by_name_and_password_and_hides_it():
    administrator = Administrator(name="admin", password="secret")
    assert administrator.admits("admin", "secret")
    assert not administrator.admits("admin", "Secret")
    assert not administrator.admits("admi", "nsecret")
    assert "secret" not in repr(administrator)
