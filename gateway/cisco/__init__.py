"""The wire as the gateway sees it: bytes to and from a phone's web server, without I/O."""

from gateway.cisco.device_information import DeviceInformation, parse_device_information
from gateway.cisco.execute import Credentials, execute_body, execute_request, get_request
from gateway.cisco.http_response import HttpResponse, ResponseReader
from gateway.cisco.outcome import Outcome, PushAnswer, read_push_answer
from gateway.cisco.xml_elements import XmlDefectError

__all__ = [
    "Credentials",
    "DeviceInformation",
    "HttpResponse",
    "Outcome",
    "PushAnswer",
    "ResponseReader",
    "XmlDefectError",
    "execute_body",
    "execute_request",
    "get_request",
    "parse_device_information",
    "read_push_answer",
]
