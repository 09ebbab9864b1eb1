"""The JSON interface of a running gateway, for the commands that use it."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from gateway.configuration import Configuration, ConfigurationError, read_secret

ANSWER_S: Final = 60.0
"""For one answer: reading a long WAV file or thousands of phones takes seconds."""
MAX_ANSWER: Final = 64 * 2**20


class RefusedError(Exception):
    """The gateway refused. Each text is one error.

    Attributes:
        status: the answer's status.
        errors: why.
    """

    def __init__(self, status: int, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.status = status
        self.errors = errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """Asks on a connection of its own each time."""

    host: str
    port: int
    token: str = field(repr=False)
    context: ssl.SSLContext | None

    @classmethod
    def of(cls, configuration: Configuration, where: Path, token_file: Path | None) -> Self:
        """The client of the gateway that runs with this configuration.

        Args:
            configuration: of the running gateway.
            where: the configuration's file, for errors.
            token_file: holds the token to use; None: the configuration's own.

        Raises:
            ConfigurationError: there is no way to reach it, or no token.
        """
        if configuration.administration is None:
            raise ConfigurationError([f"{where}: [administration] is needed to reach the gateway"])
        token = read_secret(token_file, "--token-file") if token_file is not None else configuration.token
        if token is None:
            raise ConfigurationError(
                [f"{where}: a token is needed: [administration] token_file, or --token-file with one of the tool's"]
            )
        host = configuration.administration.host
        return cls(
            host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host),
            port=configuration.administration.port,
            token=token,
            context=_context(configuration),
        )

    def ask(
        self, method: str, path: str, document: object = None, headers: dict[str, str] | None = None
    ) -> dict[str, object]:
        """One request; the answer's document.

        Raises:
            RefusedError: the gateway refused.
            OSError: no gateway answers.
            http.client.HTTPException: something else answers.
        """
        body = None if document is None else json.dumps(document).encode()
        return self._exchange(method, path, body, {"Content-Type": "application/json", **(headers or {})})

    def send(self, path: str, data: bytes) -> dict[str, object]:
        """Send bytes that are no document; otherwise as `ask`."""
        return self._exchange("POST", path, data, {"Content-Type": "application/octet-stream"})

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, object]:
        if self.context is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_S)
        else:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=ANSWER_S, context=self.context)
        try:
            connection.request(method, path, body=body, headers={"Authorization": f"Bearer {self.token}", **headers})
            response = connection.getresponse()
            text = response.read(MAX_ANSWER)
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except ValueError:
            raise http.client.HTTPException(f"status {response.status}, which is no gateway's answer") from None
        answer = answer if isinstance(answer, dict) else {}
        if response.status >= 400:
            errors = answer.get("errors")
            told = [str(each) for each in errors] if isinstance(errors, list) else []
            raise RefusedError(response.status, told or [str(answer.get("error", f"status {response.status}"))])
        return answer


def _context(configuration: Configuration) -> ssl.SSLContext | None:
    """Trusts the gateway's own certificate and nothing else: this machine has the file, and no name to compare."""
    if not configuration.administration_tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    certificate = configuration.administration_certificate
    if certificate is None and configuration.store_folder is not None:
        certificate = configuration.store_folder / "administration.crt"
    if certificate is None:
        raise ConfigurationError(
            ["administration: without a store the certificate is new at each start: give certificate_file"]
        )
    try:
        context.load_verify_locations(certificate)
    except OSError as error:
        raise ConfigurationError(
            [f"administration: {certificate} cannot be read: {error.strerror}; was the gateway started?"]
        ) from None
    return context
