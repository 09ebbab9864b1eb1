"""Programs that nobody here wrote, over real sockets, plain and secured: zeep, suds, PHP, requests and curl.

Each search is written as public programs for CallManager write it (golden/SOURCES.md).
"""

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import suds.client
import zeep
from requests.auth import HTTPBasicAuth
from suds.transport.https import HttpAuthenticated
from suds.xsd.doctor import Import, ImportDoctor
from zeep.transports import Transport

SECRET = "Geheim-77"
PHONES = 300
RIS = "/realtimeservice2/services/RISService70"


class Running:
    def __init__(self, urls: dict[str, str], folder: Path) -> None:
        self.plain = urls["authentication"].partition("/CCMCIP")[0]
        self.secured = urls["authentication_secured"].partition("/ccmcip")[0]
        self.certificate = folder / "callmanager-certificate.pem"

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxy and no authorities of the machine
        session.auth = HTTPBasicAuth("admin", SECRET)
        session.verify = str(self.certificate)
        return session


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("callmanager")
    secret = folder / "admin.password"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    models = ("CP-8841", "CP-7960G")
    lines = [f"SEP001BD4{n:06X},{4000 + n},{models[n % 2]},10.1.0.{n % 250}" for n in range(PHONES)]
    (folder / "phones.csv").write_text("\n".join(["device_name,directory_number,model,address", *lines]))
    (folder / "callmanager.toml").write_text(
        'listen = "127.0.0.1:0"\nsecured_listen = "127.0.0.1:0"\ndevices_csv = "phones.csv"\n'
        '[administrator]\nname = "admin"\npassword_file = "admin.password"\n'
        "[finding]\nris_requests_per_minute = 0\ndevice_list_interval_s = 0\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "callmanager", "--config", "callmanager.toml", "--stop-with-stdin"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Running(json.loads(process.stdout.readline())["urls"], folder)
    finally:
        process.communicate(timeout=30)
        assert process.returncode == 0


@pytest.fixture(params=["plain", "secured"])
def base(running: Running, request: pytest.FixtureRequest) -> str:
    return str(getattr(running, request.param))


def test_zeep_selects_devices_as_a_dictionary(running: Running, base: str):
    with contextlib.closing(running.session()) as session:
        client = zeep.Client(f"{base}{RIS}?wsdl", transport=Transport(session=session, timeout=20))
        service = client.create_service("{http://schemas.cisco.com/ast/soap}RisBinding", f"{base}{RIS}")
        criteria = {
            "MaxReturnedDevices": "10",
            "DeviceClass": "Phone",
            "Model": "255",
            "Status": "Any",
            "NodeName": "",
            "SelectBy": "Name",
            "SelectItems": {"item": ["SEP001BD4000001", "SEP001BD4000002"]},
            "Protocol": "Any",
            "DownloadStatus": "Any",
        }
        answer = service.selectCmDeviceExt(CmSelectionCriteria=criteria, StateInfo="")["SelectCmDeviceResult"]
    assert answer["TotalDevicesFound"] == 2
    first = answer["CmNodes"]["item"][0]["CmDevices"]["item"][0]
    assert (first["Name"], first["Status"], first["Model"]) == ("SEP001BD4000001", "Registered", 7)
    assert first["Httpd"] == "Yes"
    assert first["IPAddress"]["item"][0]["IP"] == "10.1.0.1"
    assert first["LinesStatus"]["item"][0]["DirectoryNumber"] == "4001"


def test_zeep_selects_devices_by_its_factory(running: Running, base: str):
    with contextlib.closing(running.session()) as session:
        client = zeep.Client(wsdl=f"{base}{RIS}?wsdl", transport=Transport(session=session))
        factory = client.type_factory("ns0")
        items = factory.ArrayOfSelectItem([factory.SelectItem(Item="*")])
        criteria = factory.CmSelectionCriteria(
            MaxReturnedDevices=1000,
            DeviceClass="Phone",
            Model=255,
            Status="Any",
            NodeName="",
            SelectBy="Name",
            SelectItems=items,
            Protocol="Any",
            DownloadStatus="Any",
        )
        answer = client.service.selectCmDevice("", criteria)
    devices = answer.SelectCmDeviceResult.CmNodes.item[0].CmDevices.item
    assert [device.Name for device in devices] == [f"SEP001BD4{n:06X}" for n in range(PHONES)]


def test_zeep_provisions_a_user(running: Running, base: str):
    name = "plain" if base == running.plain else "secured"
    with contextlib.closing(running.session()) as session:
        client = zeep.Client(f"{base}/axl/?wsdl", transport=Transport(session=session))
        service = client.create_service("{http://www.cisco.com/AXLAPIService/}AXLAPIBinding", f"{base}/axl/")
        phones = service.listPhone(searchCriteria={"name": "SEP%"}, returnedTags={"name": "", "model": ""})
        assert len(phones["return"]["phone"]) == PHONES
        assert phones["return"]["phone"][0]["model"] == "Cisco 8841"
        phone = service.getPhone(name="SEP001BD4000001")["return"]["phone"]
        assert phone["vendorConfig"]["webAccess"] == "0"
        service.addUser(user={"userid": name, "password": SECRET, "lastName": "x", "enableCti": "true"})
        devices = [phone["name"] for phone in phones["return"]["phone"]][:2]
        service.updateUser(userid=name, associatedDevices={"device": devices})
        user = service.getUser(userid=name)["return"]["user"]
        assert user["associatedDevices"]["device"] == devices
        with pytest.raises(zeep.exceptions.Fault, match="Item not valid: The specified SEPX was not found"):
            service.getPhone(name="SEPX")
        answer = session.get(
            f"{base}/ccmcip/authenticate.jsp?UserID={name}&Password={SECRET}&devicename={devices[1]}"
        )
    assert answer.text == "AUTHORIZED"


def test_suds_selects_devices_of_the_older_service(running: Running, base: str):
    # As a public collaboration sample asks, down to the criteria that it leaves out.
    doctor = ImportDoctor(Import("http://schemas.xmlsoap.org/soap/encoding/"))
    doctor.imports[0].filter.add("http://schemas.cisco.com/ast/soap/")
    transport = HttpAuthenticated(username="admin", password=SECRET)
    transport.urlopener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(transport.pm),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(running.certificate))),
    )
    url = f"{base}/realtimeservice/services/RisPort?wsdl"
    client = suds.client.Client(url, plugins=[doctor], transport=transport, cache=None)
    criteria = {"SelectBy": "Name", "Status": "Any", "Class": "Phone"}
    answer = client.service.SelectCmDevice("", criteria)["SelectCmDeviceResult"]
    assert answer["TotalDevicesFound"] == PHONES
    addresses = [device["IpAddress"] for node in answer["CmNodes"] for device in node["CmDevices"]]
    assert addresses[:2] == ["10.1.0.0", "10.1.0.1"]
    criteria |= {"SelectItems": {"SelectItem": [{"Item": "SEP001BD4000001"}]}}
    assert client.service.SelectCmDevice("", criteria)["SelectCmDeviceResult"]["TotalDevicesFound"] == 1


PHP = """
$options = [
    'login' => 'admin', 'password' => getenv('SECRET'), 'cache_wsdl' => WSDL_CACHE_NONE,
    'stream_context' => stream_context_create(['ssl' => ['cafile' => getenv('CA'), 'verify_peer_name' => false]]),
];
$base = getenv('BASE');
$items = [['Item' => 'SEP001BD4000001'], ['Item' => 'SEP001BD4000002']];
$criteria = ['MaxReturnedDevices' => '1000', 'Model' => '255', 'Status' => 'Any', 'NodeName' => '',
             'SelectBy' => 'Name', 'SelectItems' => $items];
$old = new SoapClient("$base/realtimeservice/services/RisPort?wsdl", $options);
$answer = $old->SelectCmDevice('', ['Class' => 'Any'] + $criteria);
echo $answer['SelectCmDeviceResult']->CmNodes[0]->CmDevices[1]->IpAddress, ' ';
$new = new SoapClient("$base/realtimeservice2/services/RISService70?wsdl", $options);
$answer = $new->SelectCmDeviceExt(
    ['StateInfo' => '', 'CmSelectionCriteria' => ['DeviceClass' => 'Phone'] + $criteria]);
$devices = $answer->selectCmDeviceReturn->SelectCmDeviceResult->CmNodes->item->CmDevices->item;
echo $devices[0]->IPAddress->item->IP;
"""


@pytest.mark.skipif(
    shutil.which("php") is None, reason="php is not installed (Debian: apt-get install php-cli php-soap)"
)
def test_php_selects_devices_of_both_services(running: Running, base: str):
    if "soap" not in subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.split():
        pytest.skip("php has no SOAP (Debian: apt-get install php-soap)")
    environment = {**os.environ, "BASE": base, "CA": str(running.certificate), "SECRET": SECRET}
    ended = subprocess.run(
        ["php", "-r", PHP], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stdout == "10.1.0.2 10.1.0.1", ended.stdout + ended.stderr


def test_requests_with_an_envelope_of_its_own(running: Running, base: str):
    # As a Splunk app asks: all in the old namespace, to the old path, with the other operation's SOAPAction.
    items = "".join(f'<item xsi:type="ns3:SelectItem"><Item>SEP001BD4{n:06X}</Item></item>' for n in range(200))
    body = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:ns3="http://schemas.cisco.com/ast/soap/">'
        '<soapenv:Body><ns1:SelectCmDevice xmlns:ns1="http://schemas.cisco.com/ast/soap/"><StateInfo/>'
        "<CmSelectionCriteria><MaxReturnedDevices>200</MaxReturnedDevices><Class>Phone</Class><Model>255</Model>"
        f"<Status>Any</Status><SelectBy>Name</SelectBy><SelectItems>{items}</SelectItems></CmSelectionCriteria>"
        "</ns1:SelectCmDevice></soapenv:Body></soapenv:Envelope>"
    )
    headers = {
        "SOAPAction": '"http://schemas.cisco.com/ast/soap/action/#RisPort#SelectCmDeviceExt"',
        "Content-Type": "text/xml; charset=utf-8",
    }
    with contextlib.closing(running.session()) as session:
        answer = session.post(f"{base}/realtimeservice/services/RisPort", data=body, headers=headers)
    assert answer.status_code == 200
    assert answer.text.count("<IpAddress ") == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (Debian: apt-get install curl)")
def test_curl_lists_devices(running: Running, base: str):
    url = f"{base}/ccmadmin/reports/devicelistx.asp"
    ended = subprocess.run(
        ["curl", "-sf", "--cacert", running.certificate, "-u", f"admin:{SECRET}", url],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert ended.stdout.count(b"<Device ") == PHONES


def test_a_large_body_is_read_for_these_services_alone(running: Running):
    with contextlib.closing(running.session()) as session:
        space = " " * 1_000_000
        assert session.post(f"{running.plain}/axl/", data=f"{space}<a/>").status_code == 500
        assert session.post(f"{running.plain}/CCMCIP/authenticate.asp", data=space).status_code == 413
        assert session.post(f"{running.plain}/axl/", data=space * 3).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" * 1000,
        b"<a>" * 50_000,
        b'<!DOCTYPE a [<!ENTITY x "' + b"y" * 1000 + b'">' + b"]><a>" + b"&x;" * 1000 + b"</a>",
        b"<" + b"a" * 1_000_000 + b"/>",
        b'<a ' + b" ".join(b'b%d="1"' % n for n in range(50_000)) + b"/>",
    ],
    ids=["empty", "zeros", "deep", "entities", "long-name", "attributes"],
)
def test_hostile_bodies_get_a_fault_and_the_next_is_served(running: Running, body: bytes):
    with contextlib.closing(running.session()) as session:
        for path in (RIS, "/axl/", "/realtimeservice/services/RisPort"):
            answer = session.post(f"{running.plain}{path}", data=body, timeout=30)
            assert answer.status_code == 500
            assert "<faultcode>soapenv:" in answer.text
            assert "Traceback" not in answer.text
        assert session.get(f"{running.plain}/axl/").status_code == 200


def test_who_leaves_in_the_middle_holds_up_nobody(running: Running):
    host, port = running.plain.removeprefix("http://").split(":")
    head = "POST /axl/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n<a>"
    for _ in range(20):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(head.encode())
    with contextlib.closing(running.session()) as session:
        assert session.get(f"{running.plain}/axl/").status_code == 200
