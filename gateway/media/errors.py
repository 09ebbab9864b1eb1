"""What can go wrong with audio: a file that cannot be played, and a pacer that cannot send."""

from __future__ import annotations


class AudioError(Exception):
    """A file cannot be made into telephone audio.

    It is about the file and its format only; it is not raised for phones or for sending.

    Attributes:
        what: What is wrong, in a few words.
        where: The file, and where known the part of it.
        expected: What would have been right.
        got: What is there.
        to_do: What to do about it.
    """

    def __init__(self, what: str, *, where: str, expected: str, got: str, to_do: str) -> None:
        super().__init__(f"{what}: {where}: expected {expected}, got {got}; {to_do}")
        self.what = what
        self.where = where
        self.expected = expected
        self.got = got
        self.to_do = to_do


class PacerError(Exception):
    """The pacer process could not do what it was asked, or has ended.

    A phone that cannot be reached is not an error: its packets are counted as unsent and the others go on.
    """
