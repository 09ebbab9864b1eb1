"""The phone models that are known: emulator/models/*.toml, read once when they are needed."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from importlib import resources

from emulator.phone.model import Model, read_model


class UnknownModelError(ValueError):
    """A model's name that no file has; the text names the nearest valid one."""


class Catalogue:
    """Models by Cisco's spelling and by alias, without regard to case."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = {model.model: model for model in models}
        self._names = {
            name.casefold(): model for model in self.models.values() for name in (model.model, *model.aliases)
        }

    def find(self, name: str) -> Model:
        """The model of a name or alias.

        Raises:
            UnknownModelError: there is none.
        """
        model = self._names.get(name.strip().casefold())
        if model is not None:
            return model
        near = difflib.get_close_matches(name.strip().casefold(), self._names, n=1, cutoff=0.3)
        known = self._names[near[0]].model if near else ", ".join(self.models)
        raise UnknownModelError(f"unknown model {name!r}, nearest: {known}")


def load() -> Catalogue:
    """The models shipped with the package."""
    folder = resources.files("emulator") / "models"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return Catalogue(read_model(tomllib.loads(file.read_text(encoding="utf-8"))) for file in files)
