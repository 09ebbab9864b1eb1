"""The JSON interfaces of the parts of a run, as the harness asks them."""

from harness.bed.json_interface import JsonInterface
from harness.bed.setup import RunSecrets, Setup


def gateway_interface(setup: Setup, secrets: RunSecrets) -> JsonInterface:
    """The gateway's, by the token in its file."""
    at = setup.ground.addresses
    return _interface(setup, "gateway", at.gateway, at.gateway_administration_port, secrets.token.value)


def callmanager_interface(setup: Setup, secrets: RunSecrets) -> JsonInterface:
    """CallManager's administration."""
    at = setup.ground.addresses
    token = secrets.callmanager_token.value
    return _interface(setup, "callmanager", at.callmanager, at.callmanager_administration_port, token)


def phones_interface(setup: Setup) -> JsonInterface:
    """The fleet's control, which asks for no token."""
    at = setup.ground.addresses
    return _interface(setup, "phones", at.phones, at.phones_control_port, "")


def _interface(setup: Setup, part: str, address: str, port: int, token: str) -> JsonInterface:
    return JsonInterface(host=setup.ground.host("harness"), part=part, address=address, port=port, token=token)
