"""The laws: what holds in every run, whatever its scenario says (docs/reference/laws.md)."""

from typing import Final

from harness.judge.laws import (
    attempts_bounded,
    audio_is_the_source,
    audio_only_to_listeners,
    authorised_by_the_right_server,
    callmanager_count_agrees,
    every_phone_one_end_state,
    every_start_stopped,
    executed_only_when_authorised,
    gateway_agrees_with_phones,
    gateway_count_agrees,
    no_foreign_audio,
    no_secret_told,
    nothing_leaves_the_lab,
    pages_kept_apart,
    pushes_well_formed,
    stream_well_formed,
    wire_agrees_with_phones,
)
from harness.judge.laws.law import Case, Law, decide

LAWS: Final[tuple[Law, ...]] = (
    every_phone_one_end_state.LAW,
    pages_kept_apart.LAW,
    gateway_agrees_with_phones.LAW,
    pushes_well_formed.LAW,
    executed_only_when_authorised.LAW,
    authorised_by_the_right_server.LAW,
    gateway_count_agrees.LAW,
    callmanager_count_agrees.LAW,
    audio_only_to_listeners.LAW,
    every_start_stopped.LAW,
    stream_well_formed.LAW,
    audio_is_the_source.LAW,
    no_foreign_audio.LAW,
    attempts_bounded.LAW,
    wire_agrees_with_phones.LAW,
    nothing_leaves_the_lab.LAW,
    no_secret_told.LAW,
)

__all__ = ["LAWS", "Case", "Law", "decide"]
