"""What a search asks for: a text with wildcards, matched in bounded time. No I/O."""

from __future__ import annotations

from typing import Final

PATTERN_CHARACTERS_MAX: Final = 256
"""Longer than every value that is searched; a match costs at most this times the value's length."""


class Pattern:
    """A text in which one character stands for any run of characters, and perhaps another for any one.

    Case does not count (assumed, for RisPort70 and for AXL).
    """

    __slots__ = ("_any", "_beginning", "_one", "literal", "text")

    def __init__(self, text: str, *, any_run: str, any_one: str = "") -> None:
        """Take the text.

        Raises:
            ValueError: it is longer than `PATTERN_CHARACTERS_MAX`.
        """
        if len(text) > PATTERN_CHARACTERS_MAX:
            raise ValueError(f"at most {PATTERN_CHARACTERS_MAX} characters")
        self.text = text.casefold()
        self._any = any_run
        self._one = any_one
        self.literal = not (any_run and any_run in text) and not (any_one and any_one in text)
        head = self.text.removesuffix(any_run) if any_run else self.text
        simple = head != self.text and (any_run not in head) and not (any_one and any_one in head)
        self._beginning = head if simple else None

    def matches(self, value: str) -> bool:
        """Whether the whole value is what is asked for."""
        value = value.casefold()
        if self.literal:
            return value == self.text
        if self._beginning is not None:
            return value.startswith(self._beginning)
        return self._walk(value)

    def _walk(self, value: str) -> bool:
        """Go along both texts, and back to the last run where they part: no worse than length times length."""
        text = self.text
        at = place = kept = 0
        run = -1
        while place < len(value):
            if at < len(text) and text[at] == self._any:
                run, kept = at, place
                at += 1
            elif at < len(text) and (text[at] == value[place] or text[at] == self._one):
                at += 1
                place += 1
            elif run >= 0:
                kept += 1
                at, place = run + 1, kept
            else:
                return False
        return all(character == self._any for character in text[at:])
