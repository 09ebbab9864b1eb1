"""RisPort70 and its forerunner RisPort: which phones are registered, from which address. No I/O.

Two shapes of one service, told apart by the operation's name, whatever the path:

* `selectCmDevice` and `selectCmDeviceExt` of RISService70, document/literal (RISDOC, and its WSDL). The second takes
  no wildcards.
* `SelectCmDevice` of RisPort (Unified CM 5 to 8), rpc/encoded: other capitals, `Class` and `IpAddress`, elements in no
  namespace, each with its type (VOCAT, UWPHONES read exactly that).

Not modelled: several nodes, `StateInfo` as a means to be told only changes (every answer is the whole one), CTI
operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from emulator.callmanager.finding.models import model_of
from emulator.callmanager.finding.selection import DOWNLOAD, STATUS_OF, Criteria
from emulator.callmanager.finding.soap import ENVELOPE_END, Element, Fault, envelope_start, xml_text
from emulator.callmanager.registry import Device

OLD_PATHS: Final = frozenset({"/realtimeservice/services/RisPort", "/realtimeservice/services/RisPort70"})
"""RisPort70 of Unified CM 7 and 8 is rpc/encoded as well, and has the newer operations later (LEVENSAILOR)."""
PATHS: Final = OLD_PATHS | {"/realtimeservice2/services/RISService70"}
NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"
OLD_NAMESPACE: Final = "http://schemas.cisco.com/ast/soap/"
KEEP_ALIVE_TIMEOUT: Final = 13
"""StatusReason of a phone that is not heard of any more (RISMOCK)."""
_DEVICES_A_PIECE: Final = 25
TRUNK: Final = (
    "ConfigName", "TechPrefix", "Zone", "RemoteCmServer1", "RemoteCmServer2", "RemoteCmServer3", "AltGkList",
    "ActiveGk", "CallSignalAddr", "RasAddr",
)  # fmt: skip


def rate_fault(per_minute: int) -> Fault:
    """Write the refusal of a request that came too often, byte for byte as captured (RISLIM); the typo is Cisco's."""
    return Fault(
        "ns1:Server.RateControl",
        "AxisFault: Exceeded allowed rate for Reatime information. Current allowed rate for realtime information is "
        f"{per_minute} requests per minute.http://schemas.cisco.com/ast/soap/action/#RisPort#SelectCmDevice",
        namespace="http://xml.apache.org/axis/",
    )


def answer(
    operation: Element, criteria: Criteria, devices: list[Device], *, node: str, started_s: int
) -> Iterator[bytes]:
    """Write the answer, in pieces of about half a millisecond.

    Args:
        operation: as it was asked; says the shape.
        criteria: of which the node counts.
        devices: what `select` found.
        node: this CallManager's name.
        started_s: when CallManager started, seconds since 1970: TimeStamp of devices that stand so since then.
    """
    shape = _Old() if operation.name == "SelectCmDevice" else _New()
    known = not criteria.node or criteria.node.casefold() == node.casefold()
    if not known:
        devices = []
    yield (envelope_start() + shape.start(len(devices))).encode("utf-8")
    if known and not devices:
        yield shape.no_nodes().encode("utf-8")
    else:
        code, name = ("Ok", node) if known else ("InvalidNodeName", criteria.node)
        yield shape.node_start(code, name, len(devices)).encode("utf-8")
        for start in range(0, len(devices), _DEVICES_A_PIECE):
            piece = devices[start : start + _DEVICES_A_PIECE]
            yield "".join(shape.device(device, device.registration_s or started_s) for device in piece).encode("utf-8")
        yield shape.node_end().encode("utf-8")
    # A truncated answer says nothing of it (RISDOC): both numbers are of what is returned (assumed).
    info = (
        f'<StateInfo ClusterWide="1"><Node Name="{xml_text(node)}" SubsystemStartTime="{started_s}" StateId="1"'
        f' TotalItemsFound="{len(devices)}" TotalItemsReturned="{len(devices)}"/></StateInfo>'
    )
    yield (shape.end(xml_text(info) if devices else "") + ENVELOPE_END).encode("utf-8")


def _directory_number(device: Device, status: str) -> str:
    return f"{device.directory_number}-{status}" if device.directory_number else ""


class _New:
    """RISService70: everything qualified with `ns1`, as captured."""

    def start(self, count: int) -> str:
        return (
            f'<ns1:selectCmDeviceResponse xmlns:ns1="{NAMESPACE}"><ns1:selectCmDeviceReturn><ns1:SelectCmDeviceResult>'
            f"<ns1:TotalDevicesFound>{count}</ns1:TotalDevicesFound>"
        )

    def no_nodes(self) -> str:
        return '<ns1:CmNodes xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="1"/>'

    def node_start(self, code: str, name: str, _count: int) -> str:
        return (
            f"<ns1:CmNodes><ns1:item><ns1:ReturnCode>{code}</ns1:ReturnCode><ns1:Name>{xml_text(name)}</ns1:Name>"
            "<ns1:NoChange>false</ns1:NoChange><ns1:CmDevices>"
        )

    def device(self, device: Device, seen_s: int) -> str:
        model = model_of(device.model)
        status = STATUS_OF[device.registration]
        number = device.directory_number
        line = (
            f"<ns1:item><ns1:DirectoryNumber>{number}</ns1:DirectoryNumber><ns1:Status>{status}</ns1:Status></ns1:item>"
            if number
            else ""
        )
        address = (
            f"<ns1:item><ns1:IP>{device.address}</ns1:IP><ns1:IPAddrType>ipv4</ns1:IPAddrType>"
            "<ns1:Attribute>Unknown</ns1:Attribute></ns1:item>"
            if device.address
            else ""
        )
        return (
            f"<ns1:item><ns1:Name>{device.name}</ns1:Name>"
            f"<ns1:DirNumber>{_directory_number(device, status)}</ns1:DirNumber>"
            f"<ns1:DeviceClass>Phone</ns1:DeviceClass><ns1:Model>{model.number}</ns1:Model>"
            "<ns1:Product>0</ns1:Product><ns1:BoxProduct>0</ns1:BoxProduct>"
            f"<ns1:Httpd>{'Yes' if device.web_access else 'No'}</ns1:Httpd>"
            "<ns1:RegistrationAttempts>0</ns1:RegistrationAttempts><ns1:IsCtiControllable>true</ns1:IsCtiControllable>"
            f"<ns1:LoginUserId></ns1:LoginUserId><ns1:Status>{status}</ns1:Status>"
            f"<ns1:StatusReason>{0 if status == 'Registered' else KEEP_ALIVE_TIMEOUT}</ns1:StatusReason>"
            "<ns1:PerfMonObject>2</ns1:PerfMonObject><ns1:DChannel>0</ns1:DChannel>"
            f"<ns1:Description>{xml_text(device.description)}</ns1:Description>{_NEW_TRUNK}"
            f"<ns1:TimeStamp>{seen_s}</ns1:TimeStamp><ns1:Protocol>{model.protocol}</ns1:Protocol>"
            f"<ns1:NumOfLines>{1 if number else 0}</ns1:NumOfLines><ns1:LinesStatus>{line}</ns1:LinesStatus>"
            f"<ns1:ActiveLoadID>{model.load}</ns1:ActiveLoadID><ns1:InactiveLoadID></ns1:InactiveLoadID>"
            f"<ns1:DownloadStatus>{DOWNLOAD}</ns1:DownloadStatus>"
            "<ns1:DownloadFailureReason></ns1:DownloadFailureReason><ns1:DownloadServer></ns1:DownloadServer>"
            f"<ns1:IPAddress>{address}</ns1:IPAddress></ns1:item>"
        )

    def node_end(self) -> str:
        return "</ns1:CmDevices></ns1:item></ns1:CmNodes>"

    def end(self, info: str) -> str:
        return (
            f"</ns1:SelectCmDeviceResult><ns1:StateInfo>{info}</ns1:StateInfo></ns1:selectCmDeviceReturn>"
            "</ns1:selectCmDeviceResponse>"
        )


_NEW_TRUNK: Final = "<ns1:H323Trunk>" + "".join(f"<ns1:{name}></ns1:{name}>" for name in TRUNK) + "</ns1:H323Trunk>"


class _Old:
    """RisPort: only the answer's own element is qualified, and every other one has its type."""

    def start(self, count: int) -> str:
        return (
            f'<ns1:SelectCmDeviceResponse xmlns:ns1="{OLD_NAMESPACE}"'
            ' soapenv:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
            ' xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/">'
            '<SelectCmDeviceResult xsi:type="ns1:SelectCmDeviceResult">'
            f'<TotalDevicesFound xsi:type="xsd:unsignedInt">{count}</TotalDevicesFound>'
        )

    def no_nodes(self) -> str:
        return '<CmNodes xsi:type="soapenc:Array" soapenc:arrayType="ns1:CmNode[0]"/>'

    def node_start(self, code: str, name: str, count: int) -> str:
        return (
            '<CmNodes xsi:type="soapenc:Array" soapenc:arrayType="ns1:CmNode[1]"><item xsi:type="ns1:CmNode">'
            f'<ReturnCode xsi:type="ns1:RisReturnCode">{code}</ReturnCode>'
            f'<Name xsi:type="xsd:string">{xml_text(name)}</Name><NoChange xsi:type="xsd:boolean">false</NoChange>'
            f'<CmDevices xsi:type="soapenc:Array" soapenc:arrayType="ns1:CmDevice[{count}]">'
        )

    def device(self, device: Device, seen_s: int) -> str:
        status = STATUS_OF[device.registration]
        fields = (
            ("Name", "xsd:string", device.name),
            ("IpAddress", "xsd:string", device.address),
            ("DirNumber", "xsd:string", _directory_number(device, status)),
            ("Class", "ns1:DeviceClass", "Phone"),
            ("Model", "xsd:unsignedInt", model_of(device.model).number),
            ("Product", "xsd:unsignedInt", 0),
            ("BoxProduct", "xsd:unsignedInt", 0),
            ("Httpd", "ns1:CmDevHttpd", "Yes" if device.web_access else "No"),
            ("RegistrationAttempts", "xsd:unsignedInt", 0),
            ("IsCtiControllable", "xsd:boolean", "true"),
            ("LoginUserId", "xsd:string", ""),
            ("Status", "ns1:CmDevRegStat", status),
            ("StatusReason", "xsd:unsignedInt", 0 if status == "Registered" else KEEP_ALIVE_TIMEOUT),
            ("PerfMonObject", "xsd:unsignedInt", 2),
            ("DChannel", "xsd:unsignedInt", 0),
            ("Description", "xsd:string", xml_text(device.description)),
        )
        written = "".join(f'<{name} xsi:type="{kind}">{value}</{name}>' for name, kind, value in fields)
        return (
            f'<item xsi:type="ns1:CmDevice">{written}{_OLD_TRUNK}'
            f'<TimeStamp xsi:type="xsd:unsignedInt">{seen_s}</TimeStamp></item>'
        )

    def node_end(self) -> str:
        return "</CmDevices></item></CmNodes>"

    def end(self, info: str) -> str:
        return (
            f'</SelectCmDeviceResult><StateInfo xsi:type="xsd:string">{info}</StateInfo></ns1:SelectCmDeviceResponse>'
        )


_OLD_TRUNK: Final = (
    '<H323Trunk xsi:type="ns1:H323Trunk">'
    + "".join(f'<{name} xsi:type="xsd:string"></{name}>' for name in TRUNK)
    + "</H323Trunk>"
)
