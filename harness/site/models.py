"""CallManager's table of phone models (models.toml), from what exports say of a model to Cisco's own spelling."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Final

FALLBACK: Final = "CP-7961G"
"""The emulated model that is taken where nothing is near. Assumed: the model that most sites of that time have."""
_WORDS = re.compile(r"\b(?:cisco|unified|ip|phone)\b|^\s*cp-", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}")
_NUMBERED = "model number "


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model.

    Attributes:
        model: as phones are sold and as they name themselves, `CP-7961G`.
        shown: CallManager's name, `Cisco 7961`.
        stands_in: the emulated model that is taken for it; empty: it is emulated itself.
    """

    model: str
    shown: str
    stands_in: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    by_number: dict[int, Model]
    by_name: dict[str, Model]
    others: dict[int, str]


@functools.cache
def _table() -> _Table:
    raw = tomllib.loads(resources.files(__package__).joinpath("models.toml").read_text(encoding="utf-8"))
    by_number: dict[int, Model] = {}
    by_name: dict[str, Model] = {}
    for entry in raw["model"]:
        model = Model(model=entry["model"], shown=entry["shown"], stands_in=entry.get("stands_in", ""))
        if "number" in entry:
            by_number[entry["number"]] = model
        for name in (model.model, model.shown):
            by_name[_key(name)] = model
    return _Table(
        by_number=by_number,
        by_name=by_name,
        others={entry["number"]: entry["shown"] for entry in raw["other"]},
    )


def _key(name: str) -> str:
    """`Cisco Unified IP Phone 7961G`, `Cisco 7961`, `CP-7961G` and `7961` are one model; `7961G-GE` is another."""
    bare = _WORDS.sub(" ", name).strip().casefold()
    return re.sub(r"(?<=[0-9])g$", "", bare)


def all_models() -> list[Model]:
    """Every model of the table, each once."""
    return list({model.model: model for model in _table().by_name.values()}.values())


def find(name: str) -> Model | None:
    """The model of a name in any of its spellings."""
    return _table().by_name.get(_key(name))


def nearest(name: str) -> Model | None:
    """The known model whose name is nearest to one that is not known; None where nothing is near."""
    near = difflib.get_close_matches(_key(name), _table().by_name, n=1, cutoff=0.5)
    return _table().by_name[near[0]] if near else None


def emulated_as(told: str) -> str:
    """The emulated model that is taken for a model, whatever was told of it."""
    model = find(told) or nearest(told)
    return FALLBACK if model is None else (model.stands_in or model.model)


def of_name(told: str) -> str:
    """Cisco's spelling of a model, or what was told where it is not known."""
    model = find(told)
    return told if model is None else model.model


def of_number(text: str) -> str:
    """Cisco's spelling of the model with that number, `model number 36999` where no table has it; empty for none."""
    if not _NUMBER.fullmatch(text.strip()):
        return ""
    number = int(text)
    model = _table().by_number.get(number)
    return f"{_NUMBERED}{number}" if model is None else model.model


def is_number(model: str) -> bool:
    """Whether `of_number` found no name for it."""
    return model.startswith(_NUMBERED)


def shown(text: str) -> str:
    """CallManager's name of a device's type, of phones and of others, for a text that tells of it."""
    number = int(text) if _NUMBER.fullmatch(text.strip()) else -1
    model = _table().by_number.get(number)
    return model.shown if model is not None else _table().others.get(number, f"device type {text.strip()[:10] or '?'}")
