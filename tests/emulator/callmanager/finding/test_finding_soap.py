"""Envelopes from every kind of client, and documents that nobody's client writes."""

# ruff: noqa: S314 - only our own answers are parsed

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.callmanager.finding.soap import (
    DEPTH_MAX,
    ELEMENTS_MAX,
    Element,
    Fault,
    fault_document,
    read_operation,
    xml_text,
)

START = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header/><e:Body>'
END = "</e:Body></e:Envelope>"


def read(document: str | bytes) -> Element:
    work = read_operation(document if isinstance(document, bytes) else document.encode())
    while True:
        try:
            next(work)
        except StopIteration as ended:
            return ended.value


def test_names_count_and_prefixes_do_not():
    for prefix in ("", "axl:"):
        binding = f"xmlns{':axl' if prefix else ''}"
        operation = read(
            f'{START}<{prefix}getPhone {binding}="urn:x" sequence="1"><name> SEP1 </name></{prefix}getPhone>{END}'
        )
        assert (operation.name, operation.namespace, operation.value("name")) == ("getPhone", "urn:x", "SEP1")


def test_text_in_pieces_is_one_text():
    assert read(f"{START}<a><b>1<!-- x -->2<c/>3<![CDATA[<]]>&amp;</b></a>{END}").value("b") == "123<&"


def test_references_of_rpc_encoded_are_followed():
    operation = read(
        f'{START}<m><criteria href="#id0"/></m>'
        f'<multiRef id="id0"><Class>Phone</Class><items href="#id1"/></multiRef><multiRef id="id1"><Item>A</Item>'
        f"</multiRef>{END}"
    )
    criteria = operation.child("criteria")
    assert criteria is not None
    assert criteria.value("Class") == "Phone"
    assert [item.text for item in criteria.every("Item")] == ["A"]


def test_a_secret_is_in_no_repr():
    assert "Geheim" not in repr(read(f"{START}<a><password>Geheim</password></a>{END}"))


@pytest.mark.parametrize(
    ("document", "code", "text"),
    [
        ("", "soapenv:Client", "no XML: no element found"),
        ("<a>", "soapenv:Client", "no XML: no element found"),
        ("<a></b>", "soapenv:Client", "no XML: mismatched tag"),
        ("<a>&x;</a>", "soapenv:Client", "no XML: undefined entity"),
        ("<x:a/>", "soapenv:Client", "no XML: unbound prefix"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "soapenv:Client", "unknown encoding"),
        (b'<?xml version="1.0" encoding="shift_jis"?><a/>', "soapenv:Client", "unknown encoding"),
        (b"\xff\xfe\x00", "soapenv:Client", "no XML"),
        ("<a/>", "soapenv:VersionMismatch", "expected a SOAP 1.1 Envelope"),
        (
            '<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"/>',
            "soapenv:VersionMismatch",
            "expected a SOAP 1.1 Envelope",
        ),
        (START.replace("<e:Body>", "") + "</e:Envelope>", "soapenv:Client", "expected one operation"),
        (START + END, "soapenv:Client", "expected one operation"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "soapenv:Client", "expected no DTD"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "soapenv:Client", "expected no DTD"),
        ("<a>" * (DEPTH_MAX + 1), "soapenv:Client", f"expected at most {DEPTH_MAX} levels"),
        ("<a>" + "<b/>" * ELEMENTS_MAX + "</a>", "soapenv:Client", f"expected at most {ELEMENTS_MAX} elements"),
        (f'{START}<m><a href="#no"/></m><r id="yes"/>{END}', "soapenv:Client", "expected one element with the id"),
        # Each once: two that mean each other would have no end, and two that are meant twice would double for ever.
        (f'{START}<m href="#a"><a href="#a"/></m><r id="a"><x href="#a"/></r>{END}', "soapenv:Client", "id 'a'"),
    ],
)
def test_what_is_no_request_is_a_fault(document: str | bytes, code: str, text: str):
    with pytest.raises(Fault) as caught:
        read(document)
    assert caught.value.code == code
    assert text in caught.value.text
    assert ET.fromstring(fault_document(caught.value)) is not None


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes):
    with pytest.raises(Fault):
        read(data)


@given(st.text(max_size=60))
def test_every_text_can_be_written(text: str):
    written = xml_text(text)
    read_back = ET.fromstring(f'<a b="{written}">{written}</a>'.encode("utf-8", "replace"))
    if text.isprintable():
        assert (read_back.text or "", read_back.get("b")) == (text, text)


@given(st.lists(st.text("ab<>&\"' é", max_size=9), max_size=9))
def test_what_is_written_is_read(texts: list[str]):
    operation = read(f"{START}<m>{''.join(f'<i>{xml_text(text)}</i>' for text in texts)}</m>{END}")
    assert [item.text for item in operation.every("i")] == texts
