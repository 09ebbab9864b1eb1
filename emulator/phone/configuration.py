"""What a phone takes from its configuration file, `SEP<MAC>.cnf.xml`. Bytes in, values out.

Element names: UCM-DOC, sepmac-cnf-xml. Everything else in the file is read over: a real one has hundreds of elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

FILE_BYTES: Final = 1 << 19
"""Files of Unified CM have 10 to 25 kB, those with everything in them 160 kB."""
_DEPTH: Final = 16
"""Real files are eight deep; a very deep one is an attack on the parser."""
_TEXT_CHARACTERS: Final = 2048
"""Of a value that is kept. URLs have at most 255 (UCM-DOC)."""
_KEPT: Final = frozenset({
    ("device", "authenticationURL"), ("device", "secureAuthenticationURL"), ("device", "servicesURL"),
    ("device", "secureServicesURL"), ("device", "vendorConfig", "webAccess"),
})  # fmt: skip


class ConfigurationFileError(ValueError):
    """The file is none that a phone can use; says why and quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneConfiguration:
    """The values of one file that matter to pushes. URLs may hold parameters that are secret."""

    authentication_url: str = field(default="", repr=False)
    secured_authentication_url: str = field(default="", repr=False)
    services_url: str = field(default="", repr=False)
    secured_services_url: str = field(default="", repr=False)
    web_access: bool = True
    """`webAccess`: 0 is enabled, 1 disabled (UCM-DOC); without the element it is on (assumed)."""

    @property
    def authentication_url_in_force(self) -> str:
        """Whom the phone asks: the secured URL goes before the plain one (UPLINX). Empty: every push is accepted.

        That phone-level URLs go before the enterprise's is CallManager's work: the file has only one of each kind.
        """
        return self.secured_authentication_url or self.authentication_url

    @property
    def services_url_in_force(self) -> str:
        """What the services key opens; secured before plain, as with authentication (assumed)."""
        return self.secured_services_url or self.services_url


def read_configuration(data: bytes) -> PhoneConfiguration:
    """Read a file.

    An element that comes twice counts the first time (assumed).

    Raises:
        ConfigurationFileError: it is too large, no XML, has a DTD, or its root is not `device`.
    """
    if len(data) > FILE_BYTES:
        raise ConfigurationFileError(f"larger than {FILE_BYTES} bytes")
    path: list[str] = []
    values: dict[tuple[str, ...], str] = {}
    text: list[str] = []
    kept: tuple[str, ...] | None = None

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal kept
        path.append(name)
        if len(path) > _DEPTH:
            raise ConfigurationFileError(f"elements deeper than {_DEPTH}")
        if path[0] != "device":
            raise ConfigurationFileError("its root is not device")
        place = tuple(path) if len(path) <= 3 else ()
        if place in _KEPT and place not in values:
            kept = place
            text.clear()

    def end(_name: str) -> None:
        nonlocal kept
        if kept is not None and len(path) == len(kept):
            values[kept] = "".join(text).strip()
            kept = None
        path.pop()

    def characters(more: str) -> None:
        if kept is not None:
            text.append(more)
            if sum(map(len, text)) > _TEXT_CHARACTERS:
                raise ConfigurationFileError(f"{kept[-1]} has more than {_TEXT_CHARACTERS} characters")

    def refuse(*_: object) -> None:
        raise ConfigurationFileError("it has a DTD")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    # Without a DTD there are no entities to expand or to fetch.
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise ConfigurationFileError(f"no XML: {type(error).__name__}") from None
    except ConfigurationFileError:
        raise
    except ValueError:
        raise ConfigurationFileError("no XML") from None
    return PhoneConfiguration(
        authentication_url=values.get(("device", "authenticationURL"), ""),
        secured_authentication_url=values.get(("device", "secureAuthenticationURL"), ""),
        services_url=values.get(("device", "servicesURL"), ""),
        secured_services_url=values.get(("device", "secureServicesURL"), ""),
        web_access=values.get(("device", "vendorConfig", "webAccess"), "0") != "1",
    )
