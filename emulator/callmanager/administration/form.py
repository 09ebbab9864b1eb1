"""A form as a browser sends it, read strictly: one charset, no field twice, none unknown. No I/O."""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection
from typing import Final

FORM_BYTES_MAX: Final = 128 * 1024
"""A page of 250 check boxes has 20 kB."""
FIELDS_MAX: Final = 1000
"""A page of 250 check boxes sends two fields each."""
SESSION_TOKEN: Final = "token"  # noqa: S105 - the name of a field
"""The field that every form carries (emulator.callmanager.administration.entrance)."""
TYPE: Final = "application/x-www-form-urlencoded"


class FormError(Exception):
    """The form cannot be read; answered with its status. Quotes names of fields, never values."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Form:
    """The fields of one form, in the order in which they came."""

    def __init__(self, data: bytes, *, content_type: str) -> None:
        """Read the body of a request.

        Raises:
            FormError: 413, 415 or 400: too large, of another type or charset, broken.
        """
        kind, _, parameters = content_type.partition(";")
        charset = parameters.strip().lower().removeprefix("charset=").strip('"')
        if kind.strip().lower() != TYPE or charset not in {"", "utf-8", "utf8"}:
            raise FormError(415, f"a form is needed: {TYPE} in UTF-8")
        if len(data) > FORM_BYTES_MAX:
            raise FormError(413, f"the form is larger than {FORM_BYTES_MAX} bytes")
        try:
            pairs = urllib.parse.parse_qsl(
                data.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
            )
        except UnicodeDecodeError:
            raise FormError(400, "the form is not percent-encoded UTF-8") from None
        except ValueError:
            raise FormError(400, f"the form has more than {FIELDS_MAX} fields") from None
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def require(
        self, needed: Collection[str] = (), *, optional: Collection[str] = (), many: Collection[str] = ()
    ) -> None:
        """Raise FormError where one of the `needed` fields is missing, or one too many: unknown, or there twice.

        Args:
            needed: once each; a browser sends them also where they are empty.
            optional: at most once: check boxes, and what a page may leave out.
            many: any number of times.
        """
        problems = [f"{name} is missing" for name in sorted(needed) if name not in self._values]
        for name, values in self._values.items():
            if name not in needed and name not in optional and name not in many and name != SESSION_TOKEN:
                problems.append(f"{name[:40]!r} is no field of this form")
            elif len(values) > 1 and name not in many:
                problems.append(f"{name} comes {len(values)} times")
        if problems:
            raise FormError(400, "; ".join(problems[:10]))

    def text(self, name: str) -> str:
        """The value of a field; empty where it is missing."""
        return self._values.get(name, [""])[0]

    def flag(self, name: str) -> bool:
        """Whether a check box is checked."""
        return name in self._values

    def many(self, name: str) -> list[str]:
        """All values of a field."""
        return self._values.get(name, [])
