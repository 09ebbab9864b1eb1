"""The reference pages of the models are what the data says."""

from pathlib import Path

import pytest

from emulator.fleet.catalogue import load
from emulator.fleet.model_pages import main, pages
from harness.scenario.keys import MODELS

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "models"
PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_data_says(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text == PAGES[name], "write them again: python -m emulator.fleet.model_pages docs/reference/models"


def test_each_model_has_a_page_and_no_page_lacks_a_model(tmp_path: Path) -> None:
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {"README.md"} | {f"{model}.md" for model in load().models}
    main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == names


def test_scenarios_know_the_same_models() -> None:
    assert sorted(MODELS) == sorted(load().models)
