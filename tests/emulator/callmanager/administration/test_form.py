import contextlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.callmanager.administration.form import FIELDS_MAX, FORM_BYTES_MAX, TYPE, Form, FormError


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=20))
def test_what_a_browser_writes_is_read(pairs: list[tuple[str, str]]):
    pairs = [
        (name.encode(errors="ignore").decode() or "a", value.encode(errors="ignore").decode()) for name, value in pairs
    ]
    form = Form(urlencode(pairs).encode(), content_type=TYPE)
    for name, _ in pairs:
        assert form.many(name) == [value for other, value in pairs if other == name]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(data: bytes):
    with contextlib.suppress(FormError):
        assert Form(data, content_type=TYPE).text("a") is not None


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"a=%FF", TYPE, 400),
        (b"a=\xc3\xbc", TYPE, 400),
        (b"a=1", "", 415),
        (b"a=1", "multipart/form-data; boundary=x", 415),
        (b"a=1", "text/plain", 415),
        (b"a=1", f"{TYPE}; charset=iso-8859-1", 415),
        (b"a=1", f"{TYPE}; charset=utf-16", 415),
        (b"a=" + b"x" * FORM_BYTES_MAX, TYPE, 413),
        (b"&".join([b"a=1"] * (FIELDS_MAX + 1)), TYPE, 400),
    ],
)
def test_what_is_no_form_is_refused(data: bytes, kind: str, status: int):
    with pytest.raises(FormError) as caught:
        Form(data, content_type=kind)
    assert caught.value.status == status


@pytest.mark.parametrize("kind", [TYPE, TYPE.upper(), f"{TYPE};charset=UTF-8", f'{TYPE}; charset="utf-8"'])
def test_types_that_are_one(kind: str):
    assert Form(b"a=%C3%BC", content_type=kind).text("a") == "ü"


def test_missing_repeated_and_unknown_fields_are_named_without_their_values():
    form = Form(b"name=x&name=Geheim-77&device=1&device=2&other=Geheim-77", content_type=TYPE)
    with pytest.raises(FormError) as caught:
        form.require({"name", "confirm"}, many={"device"})
    assert str(caught.value) == "confirm is missing; name comes 2 times; 'other' is no field of this form"
