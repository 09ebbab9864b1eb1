"""The strict reader of models: every error of a file at once."""

import pytest

from emulator.fleet.catalogue import Catalogue, load, read_documents
from emulator.phone.model import FACTS, SURENESS, ModelError, merge, read_model

DOCUMENT, FAMILY = read_documents()["CP-7961G.toml"]
MODELS = load().models


def read(**changes: object) -> None:
    read_model({**DOCUMENT, **changes}, FAMILY)


def fact(value: object) -> dict[str, object]:
    return {"value": value, "sure": "assumed", "source": "this test"}


def test_all_errors_of_a_file_are_reported_at_once() -> None:
    with pytest.raises(ModelError) as caught:
        read(
            aliases="7961",
            unauthorized=fact("403"),
            object_bytes=fact(True),
            https={"value": True},
            server={**fact("x"), "sure": "certain"},
            realm={**fact("x"), "source": " "},
            answer_head=fact(["Content-Type: {type}"]),
            device_information=fact([["a", "b", "{nonsense}"]]),
            display=fact("1,2,3"),
            firmware=fact({"load": "x"}),
            colour=fact("blue"),
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 11
    for part in (
        "missing or unknown: colour",
        "aliases: expected a list, got '7961'",
        "unauthorized: expected one of 401, error-4, got '403'",
        "object_bytes: expected a positive count, got True",
        "https: expected value, sure and source",
        "server: sure: expected one of documented",
        "realm: source: expected a text that is not empty",
        "answer_head: expected Content-Length once",
        "device_information: '{nonsense}': unknown placeholder",
        "display: expected width,height,depth,C or G",
        "firmware: expected boot,",
    ):
        assert part in text


@pytest.mark.parametrize("value", ["{", "{0}", "{mac", "{mac.x}", "{mac[0}"])
def test_templates_that_cannot_be_filled_in_are_refused(value: str) -> None:
    with pytest.raises(ModelError, match="unknown placeholder"):
        read(device_information=fact([["a", "b", value]]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("answer_head", ["Content-Length: {length}", "A: {b}"]), ("answer_head", "x"), ("server", "a\r\nb"),
        ("server", 1), ("streams", 0), ("device_information", [["a", "b"]]), ("device_information", ["abc"]),
        ("display", "0,1,1,C"), ("display", "1,1,1,X"), ("question_head", ["a\nb"]), ("firmware", []),
    ],
)  # fmt: skip
def test_values_of_the_wrong_kind_are_refused(name: str, value: object) -> None:
    with pytest.raises(ModelError, match=name):
        read(**{name: fact(value)})


def test_every_fact_of_every_model_says_where_it_is_from() -> None:
    for document, family in read_documents().values():
        for name in FACTS:
            said = merge(document, family)[name]
            assert said["sure"] in SURENESS
            assert len(said["source"]) > 3


def test_a_model_may_say_only_how_sure_its_familys_value_is() -> None:
    surer = {"sure": "seen", "source": "this test"}
    assert read_model({**DOCUMENT, "server": surer}, FAMILY).server == MODELS["CP-7961G"].server
    with pytest.raises(ModelError, match="title: expected value, sure and source"):
        read_model({**DOCUMENT, "title": surer}, FAMILY)
    with pytest.raises(ModelError, match="server: expected value, sure and source"):
        read_model({**DOCUMENT, "server": {"value": "x"}}, FAMILY)


def test_two_models_of_one_name_are_refused() -> None:
    again = read_model({**DOCUMENT, "model": "CP-7961X"}, FAMILY)
    with pytest.raises(ModelError, match="7961 means CP-7961G and CP-7961X"):
        Catalogue([MODELS["CP-7961G"], again])


def test_differences_that_matter() -> None:
    assert {name for name, model in MODELS.items() if model.unauthorized == "401"} == {
        "CP-7905G",
        "CP-7940G",
        "CP-7960G",
    }
    assert {name for name, model in MODELS.items() if not model.server} == {"CP-6941", "CP-8841", "CP-8851", "CP-8861"}
    assert {model.object_bytes for model in MODELS.values()} == {512, 40960}
    assert {name for name, model in MODELS.items() if model.answer_fields} == {"CP-6941"}
    assert {name for name, model in MODELS.items() if model.question_version == "1.0"} == {
        "CP-7905G", "CP-7940G", "CP-7960G",
    }  # fmt: skip
