"""The bytes of SEP<MAC>.cnf.xml, and whose values stand in them."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from emulator.callmanager.configuration_file import configuration_file, device_name_of
from emulator.callmanager.enterprise import EnterpriseParameters
from emulator.callmanager.registry import Device
from emulator.phone.configuration import PhoneConfiguration, read_configuration

PHONE = Device(name="SEP001BD4000001")
ENTERPRISE = EnterpriseParameters(
    url_authentication="http://10.20.128.20/CCMCIP/authenticate.asp?a=1&b=2",
    url_services="http://10.20.128.20/services",
    url_directories="http://10.20.128.20/directory",
    url_idle="http://10.20.128.20/idle",
    url_idle_time_s=30,
    url_information="http://10.20.128.20/information",
    url_messages="http://10.20.128.20/messages",
    ip_phone_proxy_address="10.20.128.30:8080",
    secured_authentication_url="https://10.20.128.20:8443/ccmcip/authenticate.jsp",
    secured_services_url="https://10.20.128.20:8443/services",
)


def made(device: Device = PHONE, parameters: EnterpriseParameters = ENTERPRISE) -> bytes:
    return configuration_file(device, parameters, callmanager="10.20.128.20")


def test_the_values_stand_under_the_names_that_phones_read():
    root = ET.fromstring(made())  # noqa: S314 - made here
    assert root.tag == "device"
    found = {element.tag: element.text or "" for element in root}
    assert found | {"versionStamp": ""} == {
        "fullConfig": "true",
        "deviceProtocol": "SCCP",
        "devicePool": "\n    ",
        "loadInformation": "",
        "vendorConfig": "\n    ",
        "versionStamp": "",
        "deviceSecurityMode": "1",
        "idleTimeout": "30",
        "authenticationURL": ENTERPRISE.url_authentication,
        "directoryURL": ENTERPRISE.url_directories,
        "idleURL": ENTERPRISE.url_idle,
        "informationURL": ENTERPRISE.url_information,
        "messagesURL": ENTERPRISE.url_messages,
        "proxyServerURL": "10.20.128.30:8080",
        "servicesURL": ENTERPRISE.url_services,
        "secureAuthenticationURL": ENTERPRISE.secured_authentication_url,
        "secureDirectoryURL": "",
        "secureIdleURL": "",
        "secureInformationURL": "",
        "secureMessagesURL": "",
        "secureServicesURL": ENTERPRISE.secured_services_url,
    }
    assert root.findtext("vendorConfig/webAccess") == "0"
    assert root.findtext("devicePool/callManagerGroup/members/member/callManager/processNodeName") == "10.20.128.20"
    assert b"?a=1&amp;b=2</authenticationURL>" in made()


def test_a_phone_reads_what_callmanager_means():
    assert read_configuration(made()) == PhoneConfiguration(
        authentication_url=ENTERPRISE.url_authentication,
        secured_authentication_url=ENTERPRISE.secured_authentication_url,
        services_url=ENTERPRISE.url_services,
        secured_services_url=ENTERPRISE.secured_services_url,
        web_access=True,
    )
    off = read_configuration(made(replace(PHONE, web_access=False)))
    assert off.web_access is False


@pytest.mark.parametrize(
    ("secured_own", "own", "secured", "plain", "in_force"),
    [
        ("https://1.1.1.1/", "http://2.2.2.2/", "https://3.3.3.3/", "http://4.4.4.4/", "https://1.1.1.1/"),
        ("", "http://2.2.2.2/", "https://3.3.3.3/", "http://4.4.4.4/", "http://2.2.2.2/"),
        ("", "", "https://3.3.3.3/", "http://4.4.4.4/", "https://3.3.3.3/"),
        ("", "", "", "http://4.4.4.4/", "http://4.4.4.4/"),
        ("", "", "", "", ""),
    ],
)
def test_the_url_in_force_goes_by_uplinx_precedence(
    secured_own: str, own: str, secured: str, plain: str, in_force: str
):
    device = replace(PHONE, authentication_url=own, secured_authentication_url=secured_own)
    parameters = EnterpriseParameters(url_authentication=plain, secured_authentication_url=secured)
    assert read_configuration(made(device, parameters)).authentication_url_in_force == in_force


def test_the_stamp_tells_a_change_from_none():
    def stamp(data: bytes) -> str | None:
        return ET.fromstring(data).findtext("versionStamp")  # noqa: S314 - made here

    assert stamp(made()) == stamp(made())
    assert stamp(made()) != stamp(made(parameters=replace(ENTERPRISE, url_idle_time_s=31)))
    assert stamp(made()) != stamp(made(replace(PHONE, name="SEP001BD4000002")))


def test_file_names():
    for name in ("SEP001BD4000001.cnf.xml", "/SEP001BD4000001.cnf.xml", "/SEP001bd4000001.cnf.xml"):
        assert device_name_of(name) == "SEP001BD4000001"
    for name in ("", "/", "SEP001BD4000001.cnf", "SEP001BD400001.cnf.xml", "../SEP001BD4000001.cnf.xml"):
        assert device_name_of(name) is None
