"""CallManager's table of phone models: models.toml, read once. It knows nothing of the emulated phones' own files."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Final

UNKNOWN_NUMBER: Final = 255
"""`Unknown` in CallManager's table of models (RATEL); as a criterion the same number means any model (RISDOC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model as CallManager's services name it."""

    number: int
    shown: str
    """AXL's `model` and `product`, as `Cisco 7960`."""
    protocol: str
    """`SCCP` or `SIP`."""
    load: str
    """RisPort70's ActiveLoadID."""


UNKNOWN: Final = Model(number=UNKNOWN_NUMBER, shown="Unknown", protocol="Unknown", load="")


@functools.cache
def _table() -> dict[str, Model]:
    text = resources.files(__package__).joinpath("models.toml").read_text(encoding="utf-8")
    table: dict[str, Model] = {}
    for entry in tomllib.loads(text)["model"]:
        model = Model(**{key: entry[key] for key in ("number", "shown", "protocol", "load")})
        for name in (entry["model"], *entry["names"]):
            table[name.casefold()] = model
    return table


def model_of(name: str) -> Model:
    """The model of Cisco's spelling or of a short one (`CP-7960G`, `7960`); `UNKNOWN` where the table has none."""
    return _table().get(name.strip().casefold(), UNKNOWN)
