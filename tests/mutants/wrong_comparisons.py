"""Gateways that take wrong credentials for right ones."""

from __future__ import annotations

import time
from dataclasses import replace

from gateway.authentication import Authenticator
from gateway.authentication.question import Question
from gateway.product import Gateway


class _Compares(Gateway):
    """Decides with an authenticator that compares otherwise."""

    authenticator_class: type[Authenticator]

    def make_authenticator(self) -> Authenticator:
        made = super().make_authenticator()
        made.__class__ = self.authenticator_class
        made.password = self.settings.current.push_password.encode()  # type: ignore[attr-defined]
        return made


class AnyPassword(_Compares):
    """M01."""

    class authenticator_class(Authenticator):  # noqa: N801 - fills the attribute above
        def compare(self, question: Question) -> tuple[bool, bool]:
            user, _ = super().compare(question)
            return user, user


class FirstEightCharacters(_Compares):
    """M03."""

    class authenticator_class(Authenticator):  # noqa: N801
        password: bytes

        def compare(self, question: Question) -> tuple[bool, bool]:
            user, _ = super().compare(question)
            return user, user and question.password[:8] == self.password[:8]


class ComparesByCharacter(_Compares):
    """M04: stops at the first character that differs, a millisecond each."""

    class authenticator_class(Authenticator):  # noqa: N801
        password: bytes

        def compare(self, question: Question) -> tuple[bool, bool]:
            for mine, theirs in zip(self.password, question.password, strict=False):
                if mine != theirs:
                    break
                time.sleep(0.001)
            return super().compare(question)


class LastEightCharacters(_Compares):
    """X31."""

    class authenticator_class(Authenticator):  # noqa: N801
        password: bytes

        def compare(self, question: Question) -> tuple[bool, bool]:
            user, _ = super().compare(question)
            return user, user and question.password[-8:] == self.password[-8:]


class AnyOrder(_Compares):
    """X32: a checksum that does not see the order of what it sums up."""

    class authenticator_class(Authenticator):  # noqa: N801
        password: bytes

        def compare(self, question: Question) -> tuple[bool, bool]:
            user, _ = super().compare(question)
            same = len(question.password) == len(self.password) and sum(question.password) == sum(self.password)
            return user, user and same


class UserEndsAtNull(_Compares):
    """X33: a string of C."""

    class authenticator_class(Authenticator):  # noqa: N801
        password: bytes

        def compare(self, question: Question) -> tuple[bool, bool]:
            return super().compare(replace(question, user=question.user.partition(b"\0")[0]))


class WildcardPassword(_Compares):
    """X34: what is sent becomes part of a directory's filter."""

    class authenticator_class(Authenticator):  # noqa: N801
        password: bytes

        def compare(self, question: Question) -> tuple[bool, bool]:
            user, right = super().compare(question)
            return user, right or (user and question.password == b"*")
