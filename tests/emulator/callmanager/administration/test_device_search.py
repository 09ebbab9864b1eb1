import pytest

from emulator.callmanager.administration.device_search import Match, Search, SearchError, find, matching, search_of
from emulator.callmanager.registry import Device, Registration

PHONES = [
    Device(name="SEP001BD4000003", description="Ward B", directory_number="2001", model="CP-7940G"),
    Device(name="SEP001BD4000001", description="ward a", directory_number="2012", web_access=False),
    Device(name="SEP001BD4000002", directory_number="3001", registration=Registration.REGISTERED),
]


def numbers(search: Search) -> list[str]:
    return [device.directory_number for device in find(PHONES, search).devices]


@pytest.mark.parametrize(
    ("field", "match", "text", "found"),
    [
        ("name", Match.BEGINS, "", ["2001", "2012", "3001"]),
        ("name", Match.BEGINS, "sep001bd4", ["2001", "2012", "3001"]),
        ("name", Match.ENDS, "03", ["2001"]),
        ("description", Match.CONTAINS, "WARD", ["2001", "2012"]),
        ("description", Match.EXACT, "Ward A", ["2012"]),
        ("directory_number", Match.BEGINS, "20", ["2001", "2012"]),
        ("directory_number", Match.EXACT, "20", []),
        ("description", Match.CONTAINS, ".*", []),
    ],
)
def test_what_is_found(field: str, match: Match, text: str, found: list[str]):
    assert numbers(Search(field=field, match=match, text=text)) == found


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("name", ["2012", "3001", "2001"]),
        ("description", ["3001", "2012", "2001"]),
        ("directory_number", ["2001", "2012", "3001"]),
        ("model", ["2001", "2012", "3001"]),
        ("web_access", ["2012", "2001", "3001"]),
        ("registration", ["2001", "2012", "3001"]),
    ],
)
def test_order(sort: str, order: list[str]):
    assert numbers(Search(sort=sort)) == order
    descending = numbers(Search(sort=sort, descending=True))
    assert descending == order[::-1] or sort in {"model", "web_access", "registration"}  # equals keep their order


def test_pages_and_the_page_beyond_the_last():
    many = [Device(name=f"SEP001BD4{number:06X}") for number in range(60)]
    first = find(many, Search(per_page=25))
    assert (len(first.devices), first.total, first.pages, first.first) == (25, 60, 3, 1)
    last = find(many, Search(per_page=25, page=99))
    assert (len(last.devices), last.search.page, last.first) == (10, 3, 51)
    nothing = find([], Search())
    assert (nothing.pages, nothing.first, nothing.total) == (1, 0, 0)


def test_a_search_survives_its_address():
    search = Search(
        field="description", match=Match.CONTAINS, text="a&b=ü", sort="model", descending=True, page=4, per_page=25
    )
    assert search_of(search.query()) == search
    assert Search().query() == {}
    assert search.query(page=1, sort="name")["sort"] == "name"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"field": "password"}, "field: one of name, description, directory_number is needed, got 'password'"),
        ({"match": "is like"}, "match: one of begins with"),
        ({"sort": "__class__"}, "sort: one of"),
        ({"page": "0"}, "page: a number"),
        ({"page": "-1"}, "page: a number"),
        ({"page": "٣"}, "page: a number"),
        ({"page": "9" * 5000}, "page: a number"),
        ({"per_page": "1000000"}, "per_page: one of 25, 50, 100, 250"),
        ({"descending": "yes"}, "descending: one of 1"),
        ({"text": "x" * 129}, "text: at most 128 characters, got 129"),
    ],
)
def test_what_is_no_search_is_named(given: dict[str, str], said: str):
    with pytest.raises(SearchError) as caught:
        search_of(given)
    assert str(caught.value).startswith(said)
    assert len(str(caught.value)) < 200


def test_every_match_is_case_aside():
    for match in Match:
        assert matching(PHONES, Search(field="name", match=match, text="sep001bd4000003"))[:1] == PHONES[:1]
