"""The JSON interfaces of the parts of a run, as the harness asks them."""

from harness.bed.json_interface import JsonInterface
from harness.bed.setup import RunSecrets, Setup


def gateway_interface(setup: Setup, secrets: RunSecrets) -> JsonInterface:
    """The gateway's, by the token in its file."""
    addresses = setup.ground.addresses
    return JsonInterface(
        host=setup.ground.host("harness"),
        part="gateway",
        address=addresses.gateway,
        port=addresses.gateway_administration_port,
        token=secrets.token.value,
    )


def callmanager_interface(setup: Setup, secrets: RunSecrets) -> JsonInterface:
    """CallManager's administration."""
    addresses = setup.ground.addresses
    return JsonInterface(
        host=setup.ground.host("harness"),
        part="callmanager",
        address=addresses.callmanager,
        port=addresses.callmanager_administration_port,
        token=secrets.callmanager_token.value,
    )


def phones_interface(setup: Setup) -> JsonInterface:
    """The fleet's control, which asks for no token."""
    addresses = setup.ground.addresses
    return JsonInterface(
        host=setup.ground.host("harness"),
        part="phones",
        address=addresses.phones,
        port=addresses.phones_control_port,
    )
