"""The description of RisPort, rpc/encoded, for the clients of its time (suds, PHP's SoapClient). No I/O.

In life at `/realtimeservice/services/RisPort?wsdl`. Names and types are those that its public clients use (VOCAT, SUDS,
PHPRIS); Cisco's own description was not found, so what no client names is inferred from RISService70's.
"""

from __future__ import annotations

from typing import Final

from emulator.callmanager.finding import risport
from emulator.callmanager.finding.wsdl import sequence

_ARRAYS: Final = {"SelectItems": "SelectItem", "CmDevices": "CmDevice", "CmNodes": "CmNode"}
_TYPES: Final = {
    "SelectItem": "Item:string",
    "CmSelectionCriteria": "MaxReturnedDevices:unsignedInt? Class:string? Model:unsignedInt? Status:string? "
    "NodeName:string? SelectBy:string? SelectItems:SelectItems?",
    "H323Trunk": " ".join(f"{name}:string?" for name in risport.TRUNK),
    "CmDevice": "Name:string? IpAddress:string? DirNumber:string? Class:DeviceClass? Model:unsignedInt? "
    "Product:unsignedInt? BoxProduct:unsignedInt? Httpd:CmDevHttpd? RegistrationAttempts:unsignedInt? "
    "IsCtiControllable:boolean LoginUserId:string? Status:CmDevRegStat? StatusReason:unsignedInt? "
    "PerfMonObject:unsignedInt? DChannel:unsignedInt? Description:string? H323Trunk:H323Trunk? TimeStamp:unsignedInt?",
    "CmNode": "ReturnCode:RisReturnCode? Name:string? NoChange:boolean CmDevices:CmDevices?",
    "SelectCmDeviceResult": "TotalDevicesFound:unsignedInt? CmNodes:CmNodes?",
}
_WORDS: Final = ("DeviceClass", "CmDevHttpd", "CmDevRegStat", "RisReturnCode")
"""Enumerations; as texts here, for nobody sends them."""
_ACTION: Final = "http://schemas.cisco.com/ast/soap/action/#RisPort#SelectCmDevice"


def risport_wsdl(location: str) -> bytes:
    """Describe RisPort.

    Args:
        location: URL of the service; without characters that mean something in XML.
    """
    types = [f'<xsd:complexType name="{name}">{sequence(fields)}</xsd:complexType>' for name, fields in _TYPES.items()]
    types += [
        f'<xsd:complexType name="{name}"><xsd:complexContent><xsd:restriction base="soapenc:Array">'
        f'<xsd:attribute ref="soapenc:arrayType" wsdl:arrayType="e:{item}[]"/>'
        "</xsd:restriction></xsd:complexContent></xsd:complexType>"
        for name, item in _ARRAYS.items()
    ]
    types += [f'<xsd:simpleType name="{name}"><xsd:restriction base="xsd:string"/></xsd:simpleType>' for name in _WORDS]
    encoded = (
        f'<soap:body use="encoded" namespace="{risport.OLD_NAMESPACE}"'
        ' encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"/>'
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"'
        ' xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"'
        f' xmlns:e="{risport.OLD_NAMESPACE}" targetNamespace="{risport.OLD_NAMESPACE}">\n'
        f'<wsdl:types><xsd:schema targetNamespace="{risport.OLD_NAMESPACE}">'
        f'<xsd:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>{"".join(types)}'
        "</xsd:schema></wsdl:types>\n"
        '<wsdl:message name="SelectCmDeviceInput"><wsdl:part name="StateInfo" type="xsd:string"/>'
        '<wsdl:part name="CmSelectionCriteria" type="e:CmSelectionCriteria"/></wsdl:message>\n'
        '<wsdl:message name="SelectCmDeviceOutput">'
        '<wsdl:part name="SelectCmDeviceResult" type="e:SelectCmDeviceResult"/>'
        '<wsdl:part name="StateInfo" type="xsd:string"/></wsdl:message>\n'
        '<wsdl:portType name="RisPortType"><wsdl:operation name="SelectCmDevice">'
        '<wsdl:input message="e:SelectCmDeviceInput"/><wsdl:output message="e:SelectCmDeviceOutput"/>'
        "</wsdl:operation></wsdl:portType>\n"
        '<wsdl:binding name="RisBinding" type="e:RisPortType">'
        '<soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>'
        f'<wsdl:operation name="SelectCmDevice"><soap:operation soapAction="{_ACTION}"/>'
        f"<wsdl:input>{encoded}</wsdl:input><wsdl:output>{encoded}</wsdl:output></wsdl:operation></wsdl:binding>\n"
        '<wsdl:service name="RisService"><wsdl:port name="RisPort" binding="e:RisBinding">'
        f'<soap:address location="{location}"/></wsdl:port></wsdl:service>\n</wsdl:definitions>\n'
    ).encode("ascii")
