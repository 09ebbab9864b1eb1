"""Names of the checks that a run of a scenario has, for `[expect] checks`; tests hold them equal to the judge's."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from harness.scenario.faults import FAULTS
from harness.scenario.probe_checks import PROBE_CHECKS

LAWS: Final = (
    "every-phone-one-end-state",
    "pages-kept-apart",
    "gateway-agrees-with-phones",
    "pushes-well-formed",
    "executed-only-when-authorised",
    "authorised-by-the-right-server",
    "gateway-count-agrees",
    "callmanager-count-agrees",
    "audio-only-to-listeners",
    "every-start-stopped",
    "stream-well-formed",
    "audio-is-the-source",
    "no-foreign-audio",
    "attempts-bounded",
    "wire-agrees-with-phones",
    "nothing-leaves-the-lab",
    "no-secret-told",
)
CONTROLS: Final = (
    "canary rtp",
    "canary authentication-gateway",
    "canary authentication-callmanager",
    "positive-control",
    "events-seen",
    "readers-agree",
)
LOADED: Final = "load-as-planned"
PROBED: Final = "probe-complete"


def check_names(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Every check that a run may have, in the order of verdict.json.

    Args:
        values: the scenario's values in force, nested as in its file.
    """
    kinds = dict.fromkeys(fault["kind"] for fault in values["fault"])
    probed: Iterable[str] = (*PROBE_CHECKS, PROBED) if values["probe"]["when"] != "never" else ()
    return (
        *LAWS,
        *(threshold.name for threshold in values["thresholds"]),
        *(limit.name for limit in values["integrity"]),
        *CONTROLS,
        *([LOADED] if values["load"]["shape"] != "once" else []),
        *(f"fault {kind} is applied" for kind in kinds),
        *(f"fault {kind} is seen" for kind in kinds if FAULTS[kind].strikes_phones),
        *probed,
    )
