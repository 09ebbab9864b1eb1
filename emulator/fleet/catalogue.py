"""The phone models that are known: emulator/models/*.toml, read once when they are needed."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from emulator.phone.model import Model, ModelError, read_model


class UnknownModelError(ValueError):
    """A model's name that no file has; the text names the nearest valid one."""


class Catalogue:
    """Models by Cisco's spelling and by alias, without regard to case."""

    def __init__(self, models: Iterable[Model]) -> None:
        """Take the models.

        Raises:
            ModelError: two models share a name.
        """
        self.models: dict[str, Model] = {}
        self._names: dict[str, Model] = {}
        problems = []
        for model in models:
            self.models[model.model] = model
            for name in (model.model, *model.aliases):
                other = self._names.setdefault(name.casefold(), model)
                if other is not model:
                    problems.append(f"{name} means {other.model} and {model.model}")
        if problems:
            raise ModelError(problems)

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
    """The models shipped with the package.

    Raises:
        ModelError: all that is wrong with all files, each with the file's name.
    """
    problems: list[str] = []
    models = []
    documents = read_documents()
    for name, (document, family) in documents.items():
        try:
            models.append(read_model(document, family))
        except ModelError as error:
            problems += [f"{name}: {problem}" for problem in error.problems]
    if problems:
        raise ModelError(problems)
    return Catalogue(models)


def read_documents() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Parsed documents of the models shipped, by file name: the model's own and its family's.

    Raises:
        ModelError: a model names a family that has no file.
    """
    folder = resources.files("emulator") / "models"
    families = {str(document["family"]): document for document in _parsed(folder / "families").values()}
    documents = {}
    for name, document in _parsed(folder).items():
        family = document.get("family")
        if family not in families:
            raise ModelError([f"{name}: family {family!r}: expected one of {', '.join(families)}"])
        documents[name] = (document, families[family])
    return documents


def _parsed(folder: Traversable) -> dict[str, dict[str, Any]]:
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {file.name: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}
