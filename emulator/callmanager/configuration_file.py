"""`SEP<MAC>.cnf.xml`: what CallManager tells a phone about itself when it boots. Device and parameters in, bytes out.

Element names: UCM-DOC, sepmac-cnf-xml. Their order and the empty ones that are there all the same: configuration files
of Unified CM 8 to 11 that their owners published. Of the few hundred elements of a real file only those stand here that
say where a phone belongs and what its web server does; the values of `callManagerGroup` and `versionStamp` are our own,
and `loadInformation` is empty: a phone keeps the firmware that it has. A file is not signed (a cluster in non-secure
mode; signed ones have the ending `.sgn`).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from xml.sax.saxutils import escape

from emulator.callmanager.enterprise import EnterpriseParameters, settings_of
from emulator.callmanager.registry import Device

_FILE: Final = re.compile(r"/?SEP([0-9A-Fa-f]{12})\.cnf\.xml")
"""Phones write the digits in capitals; the 7905G's guide says that it writes them small (OL-6313, 2-6)."""
TRUST_LIST: Final = "trust-list.pem"
"""Stands for the `ITLFile.tlv` of a real CallManager: its certificates, here as PEM and not signed."""
ETHERNET_PHONE_PORT: Final = 2000
"""SCCP (Unified CM's port list); nothing listens there."""


def device_name_of(file_name: str) -> str | None:
    """The device whose configuration a file of this name is, with or without the slash of a path; None: of none."""
    match = _FILE.fullmatch(file_name)
    return f"SEP{match.group(1).upper()}" if match else None


def configuration_file(device: Device, parameters: EnterpriseParameters, *, callmanager: str) -> bytes:
    """The file of one phone, UTF-8 with line ends of LF.

    Args:
        device: its own values go before the enterprise parameters (`settings_of`).
        parameters: as they are now: a phone that fetched earlier has what they were then.
        callmanager: address of the only member of the phone's CallManager group.
    """
    settings = settings_of(device, parameters)
    urls = [
        ("idleTimeout", str(parameters.url_idle_time_s)),
        ("authenticationURL", settings.authentication_url),
        ("directoryURL", parameters.url_directories),
        ("idleURL", parameters.url_idle),
        ("informationURL", parameters.url_information),
        ("messagesURL", parameters.url_messages),
        ("proxyServerURL", parameters.ip_phone_proxy_address),
        ("servicesURL", settings.services_url),
        ("secureAuthenticationURL", settings.secured_authentication_url),
        ("secureDirectoryURL", parameters.secured_directory_url),
        ("secureIdleURL", parameters.secured_idle_url),
        ("secureInformationURL", parameters.secured_information_url),
        ("secureMessagesURL", parameters.secured_messages_url),
        ("secureServicesURL", settings.secured_services_url),
    ]
    body = "\n".join(f"  <{name}>{escape(value)}</{name}>" for name, value in urls)
    head = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<device>
  <fullConfig>true</fullConfig>
  <deviceProtocol>SCCP</deviceProtocol>
  <devicePool>
    <name>Default</name>
    <callManagerGroup>
      <name>Default</name>
      <members>
        <member priority="0">
          <callManager>
            <name>{escape(callmanager)}</name>
            <ports>
              <ethernetPhonePort>{ETHERNET_PHONE_PORT}</ethernetPhonePort>
            </ports>
            <processNodeName>{escape(callmanager)}</processNodeName>
          </callManager>
        </member>
      </members>
    </callManagerGroup>
  </devicePool>
  <loadInformation></loadInformation>
  <vendorConfig>
    <webAccess>{0 if settings.web_access else 1}</webAccess>
  </vendorConfig>
"""
    stamp = hashlib.sha256(f"{device.name}\n{head}{body}".encode()).hexdigest()[:32]
    tail = f"  <versionStamp>{stamp}</versionStamp>\n  <deviceSecurityMode>1</deviceSecurityMode>\n{body}\n</device>\n"
    return (head + tail).encode()
