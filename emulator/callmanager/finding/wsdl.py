"""Service descriptions for clients that load one at start (zeep, suds, PHP): written from the tables below. No I/O.

Names, namespaces, types and order are those of Cisco's own descriptions, so that a program made for those calls the
same operations with the same arguments. RISService70 has its own at `?wsdl` (RISWSDL). AXL's in life is a file of the
AXL toolkit that the client brings along; the one here, at `/axl/?wsdl`, knows only what is emulated.
"""

from __future__ import annotations

from typing import Final

from emulator.callmanager.finding import axl, risport, selection

RIS_OPERATIONS: Final = {"selectCmDevice": "selectCmDevice", "selectCmDeviceExt": "selectCmDevice"}
"""Each with the stem of its answer's element: the second answers as the first."""
_ENUMERATIONS: Final = {
    "CmSelectBy": selection.SELECT_BY,
    "ProtocolType": selection.PROTOCOLS,
    "DeviceDownloadStatus": selection.DOWNLOADS,
    "RisReturnCode": ("Ok", "NotFound", "InvalidRequest", "InternalError", "NodeNotResponding", "InvalidNodeName"),
    "DeviceClass": selection.CLASSES,
    "CmDevHttpd": ("Yes", "No", "Unknown"),
    "CmDevRegStat": selection.STATUSES,
    "CmSingleLineStatus": ("Any", "Registered", "UnRegistered", "Rejected", "Unknown"),
    "IPAddrType": ("ipv4", "ipv6"),
    # Cisco's spelling.
    "AttributeType": ("Unknown", "Adminstrative", "Signaling", "AdministrativeAndSignaling"),
}
_TRUNK: Final = " ".join(f"{name}:string?" for name in risport.TRUNK)
_TYPES: Final = {
    # name:type, `?` may be nil, `*` any number.
    "SelectItem": "Item:string?",
    "ArrayOfSelectItem": "item:SelectItem*",
    "CmSelectionCriteria": "MaxReturnedDevices:unsignedInt? DeviceClass:string? Model:unsignedInt? Status:string? "
    "NodeName:string? SelectBy:CmSelectBy? SelectItems:ArrayOfSelectItem? Protocol:ProtocolType? "
    "DownloadStatus:DeviceDownloadStatus?",
    "CmDevSingleLineStatus": "DirectoryNumber:string? Status:CmSingleLineStatus?",
    "ArrayOfCmDevSingleLineStatus": "item:CmDevSingleLineStatus*",
    "IPAddressArrayType": "IP:string IPAddrType:IPAddrType Attribute:AttributeType?",
    "ArrayOfIPAddressArrayType": "item:IPAddressArrayType*",
    "H323Trunk": _TRUNK,
    "CmDevice": "Name:string? DirNumber:string? DeviceClass:DeviceClass? Model:unsignedInt? Product:unsignedInt? "
    "BoxProduct:unsignedInt? Httpd:CmDevHttpd? RegistrationAttempts:unsignedInt? IsCtiControllable:boolean "
    "LoginUserId:string? Status:CmDevRegStat? StatusReason:unsignedInt? PerfMonObject:unsignedInt? "
    "DChannel:unsignedInt? Description:string? H323Trunk:H323Trunk? TimeStamp:unsignedInt? Protocol:ProtocolType? "
    "NumOfLines:unsignedInt? LinesStatus:ArrayOfCmDevSingleLineStatus? ActiveLoadID:string? InactiveLoadID:string? "
    "DownloadStatus:DeviceDownloadStatus? DownloadFailureReason:string? DownloadServer:string? "
    "IPAddress:ArrayOfIPAddressArrayType",
    "ArrayOfCmDevice": "item:CmDevice*",
    "CmNode": "ReturnCode:RisReturnCode? Name:string? NoChange:boolean CmDevices:ArrayOfCmDevice?",
    "ArrayOfCmNode": "item:CmNode*",
    "SelectCmDeviceResult": "TotalDevicesFound:unsignedInt? CmNodes:ArrayOfCmNode?",
    "selectCmDeviceReturn": "SelectCmDeviceResult:SelectCmDeviceResult StateInfo:string",
}
_SIMPLE: Final = frozenset({"string", "unsignedInt", "unsignedLong", "boolean"})
AXL_SERVICE: Final = "http://www.cisco.com/AXLAPIService/"


def ris_wsdl(location: str) -> bytes:
    """Describe RISService70.

    Args:
        location: URL of the service; without characters that mean something in XML.
    """
    elements = [_element(name, "StateInfo:string CmSelectionCriteria:CmSelectionCriteria") for name in RIS_OPERATIONS]
    elements.append(_element("selectCmDeviceResponse", "selectCmDeviceReturn:selectCmDeviceReturn"))
    types = [f'<xsd:complexType name="{name}">{sequence(fields)}</xsd:complexType>' for name, fields in _TYPES.items()]
    words = [
        f'<xsd:simpleType name="{name}"><xsd:restriction base="xsd:string">'
        + "".join(f'<xsd:enumeration value="{word}"/>' for word in values)
        + "</xsd:restriction></xsd:simpleType>"
        for name, values in _ENUMERATIONS.items()
    ]
    return _document(
        namespace=risport.NAMESPACE,
        schema=f'<xsd:schema elementFormDefault="qualified" targetNamespace="{risport.NAMESPACE}">'
        + "".join(elements + types + words)
        + "</xsd:schema>",
        elements_of=risport.NAMESPACE,
        operations={name: (name, f"{answer}Response", name) for name, answer in RIS_OPERATIONS.items()},
        names=("RISService70", "RisPort70", "RisPortType", "RisBinding"),
        location=location,
    )


def axl_wsdl(location: str, version: str) -> bytes:
    """Describe the subset of AXL.

    Args:
        location: as for `ris_wsdl`.
        version: of the schema, as `12.5`.
    """
    namespace = f"http://www.cisco.com/AXL/API/{version}"
    phone = " ".join(f"{name}:string~" for name in axl.PHONE_TAGS)
    criteria = " ".join(f"{name}:string~" for name in axl.CRITERIA)
    user = "userid:string~ password:string~ firstName:string~ lastName:string~ associatedDevices:AssociatedDevices~ "
    user += "enableCti:string~"
    types = {
        "SearchPhone": criteria,
        "AssociatedDevices": "device:string*",
        "Dirn": "pattern:string~",
        "Line": "index:string~ dirn:Dirn~",
        "Lines": "line:Line*",
        "VendorConfig": "webAccess:string~",
        "LPhone": phone,
        "RPhone": f"{phone} vendorConfig:VendorConfig~ lines:Lines~",
        "XUser": user,
        "ListPhoneRes": "phone:LPhone*",
        "GetPhoneRes": "phone:RPhone",
        "GetUserRes": "user:XUser",
        "GetAppUserRes": "appUser:XUser",
    }
    who = "uuid:string~ userid:string~"
    asked = {
        "listPhone": "searchCriteria:SearchPhone returnedTags:LPhone skip:unsignedLong~ first:unsignedLong~",
        "getPhone": "name:string~ uuid:string~ returnedTags:RPhone~",
        "addUser": "user:XUser",
        "addAppUser": "appUser:XUser",
        "updateUser": f"uuid:string~ {user}",
        "updateAppUser": f"uuid:string~ {user}",
        "getUser": f"{who} returnedTags:XUser~",
        "getAppUser": f"{who} returnedTags:XUser~",
    }
    answered = {
        "listPhone": "return:ListPhoneRes",
        "getPhone": "return:GetPhoneRes",
        "getUser": "return:GetUserRes",
        "getAppUser": "return:GetAppUserRes",
    }
    schema = "".join(
        [_element(name, fields) for name, fields in asked.items()]
        # The attribute keeps zeep from unpacking the answer: its callers write resp["return"]["phone"].
        + [_element(f"{name}Response", answered.get(name, "return:string"), attribute="sequence") for name in asked]
        + [
            f'<xsd:complexType name="{name}">{sequence(fields)}'
            + ('<xsd:attribute name="uuid" type="xsd:string"/>' if name[1:] in {"Phone", "User"} else "")
            + "</xsd:complexType>"
            for name, fields in types.items()
        ]
    )
    return _document(
        namespace=AXL_SERVICE,
        schema=f'<xsd:schema elementFormDefault="unqualified" targetNamespace="{namespace}">{schema}</xsd:schema>',
        elements_of=namespace,
        operations={name: (name, f"{name}Response", f"CUCM:DB ver={version} {name}") for name in asked},
        names=("AXLAPIService", "AXLPort", "AXLPort", "AXLAPIBinding"),
        location=location,
    )


def _element(name: str, fields: str, *, attribute: str = "") -> str:
    more = f'<xsd:attribute name="{attribute}" type="xsd:unsignedLong"/>' if attribute else ""
    return f'<xsd:element name="{name}"><xsd:complexType>{sequence(fields)}{more}</xsd:complexType></xsd:element>'


def sequence(fields: str) -> str:
    """Write `name:type` with what follows it: `?` may be nil, `~` may be missing, `*` any number."""
    written = []
    for field in fields.split():
        name, _, kind = field.rstrip("?~*").partition(":")
        prefix = "xsd" if kind in _SIMPLE else "e"
        more = {
            "?": ' nillable="true"',
            "~": ' minOccurs="0"',
            "*": ' minOccurs="0" maxOccurs="unbounded"',
        }.get(field[-1], "")
        written.append(f'<xsd:element name="{name}" type="{prefix}:{kind}"{more}/>')
    return f"<xsd:sequence>{''.join(written)}</xsd:sequence>"


def _document(
    *,
    namespace: str,
    schema: str,
    elements_of: str,
    operations: dict[str, tuple[str, str, str]],
    names: tuple[str, str, str, str],
    location: str,
) -> bytes:
    """Join the parts of a document/literal description.

    Args:
        namespace: of the description itself.
        schema: with the elements of the messages.
        elements_of: the schema's namespace.
        operations: to each its request's element, its answer's, and its SOAPAction.
        names: of service, port, port type and binding.
        location: URL.
    """
    service, port, port_type, binding = names
    messages, types, bound = [], [], []
    for name, (request, answer, action) in operations.items():
        messages.append(
            f'<message name="{name}In"><part name="parameters" element="e:{request}"/></message>'
            f'<message name="{name}Out"><part name="parameters" element="e:{answer}"/></message>'
        )
        types.append(
            f'<operation name="{name}"><input message="tns:{name}In"/><output message="tns:{name}Out"/></operation>'
        )
        literal = '<soap:body use="literal"/>'
        bound.append(
            f'<operation name="{name}"><soap:operation soapAction="{action}"/>'
            f"<input>{literal}</input><output>{literal}</output></operation>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"'
        f' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="{namespace}" xmlns:e="{elements_of}"'
        f' targetNamespace="{namespace}">\n<types>{schema}</types>\n{"".join(messages)}\n'
        f'<portType name="{port_type}">{"".join(types)}</portType>\n'
        f'<binding name="{binding}" type="tns:{port_type}">'
        f'<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{"".join(bound)}</binding>\n'
        f'<service name="{service}"><port name="{port}" binding="tns:{binding}">'
        f'<soap:address location="{location}"/></port></service>\n</definitions>\n'
    ).encode("ascii")
