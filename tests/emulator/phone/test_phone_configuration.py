"""What a phone reads from its configuration file, and what it does not let do to it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.phone.configuration import FILE_BYTES, ConfigurationFileError, PhoneConfiguration, read_configuration

# The form of files of Unified CM 11 that their owners published: a type with a prefix that is declared nowhere, the
# elements that matter among others of the same name, deeper down. Values are our own.
LIKE_REAL = b"""<?xml version="1.0" encoding="UTF-8"?>
<device  xsi:type="axl:XIPPhone" ctiid="548" uuid="{0}">
<fullConfig>true</fullConfig>
<devicePool  uuid="{1}"><callManagerGroup><members><member  priority="0"><callManager><name>a</name>
<ports><mgcpPorts><listen>2427</listen></mgcpPorts></ports></callManager></member></members></callManagerGroup></devicePool>
<phoneServices><phoneService><servicesURL>http://10.0.0.9/no</servicesURL></phoneService></phoneServices>
<vendorConfig>
<webAccess>1</webAccess>
</vendorConfig>
<commonConfig><webAccess>0</webAccess></commonConfig>
<authenticationURL>http://10.0.0.1:8080/ccmcip/authenticate.jsp?a=1&amp;b=2</authenticationURL>
<servicesURL>
 http://10.0.0.1:8080/ccmcip/getservicesmenu.jsp
</servicesURL>
<secureAuthenticationURL>https://10.0.0.1:8443/ccmcip/authenticate.jsp</secureAuthenticationURL>
<secureServicesURL></secureServicesURL>
<authenticationURL>http://10.0.0.2/second</authenticationURL>
</device>"""


def test_a_file_in_the_form_of_a_real_one():
    configuration = read_configuration(LIKE_REAL)
    assert configuration == PhoneConfiguration(
        authentication_url="http://10.0.0.1:8080/ccmcip/authenticate.jsp?a=1&b=2",
        secured_authentication_url="https://10.0.0.1:8443/ccmcip/authenticate.jsp",
        services_url="http://10.0.0.1:8080/ccmcip/getservicesmenu.jsp",
        web_access=False,
    )
    assert configuration.authentication_url_in_force == "https://10.0.0.1:8443/ccmcip/authenticate.jsp"
    assert configuration.services_url_in_force == "http://10.0.0.1:8080/ccmcip/getservicesmenu.jsp"
    assert "10.0.0.1" not in repr(configuration)


def test_an_empty_file_leaves_the_web_server_on_and_asks_nobody():
    assert read_configuration(b"<device/>") == PhoneConfiguration()
    assert read_configuration(b"<device/>").authentication_url_in_force == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no XML"),
        (b"<html>not here</html>", "root is not device"),
        (b"<device><a></device>", "no XML"),
        (b'<!DOCTYPE device [<!ENTITY a "b">]><device>&a;</device>', "DTD"),
        (b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><device/>', "DTD"),
        (b"<device>" + b"<a>" * 17 + b"</a>" * 17 + b"</device>", "deeper"),
        (b"<device><authenticationURL>" + b"a" * 3000 + b"</authenticationURL></device>", "more than 2048"),
        (b'<?xml version="1.0" encoding="ebcdic-of-mars"?><device/>', "no XML"),
        (b"<device/>" + b" " * FILE_BYTES, "larger"),
    ],
)
def test_files_that_are_none(data: bytes, why: str):
    with pytest.raises(ConfigurationFileError, match=why):
        read_configuration(data)


@given(st.binary(max_size=300).map(lambda data: b"<device>" + data) | st.binary(max_size=300))
def test_nothing_but_the_one_error_comes_of_any_bytes(data: bytes):
    with contextlib.suppress(ConfigurationFileError):
        read_configuration(data)
