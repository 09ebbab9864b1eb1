"""How lost packets sound: the E-model, as far as a page needs it.

R = 93.2 - Ie,eff. That is ITU-T G.107 (06/2015) with every parameter at its default (clause 7.7), where R comes to
93.2, and without two terms: Id, the impairment by delay, because nobody answers a page; and A, the advantage factor,
which is 0 by default. Clause 7.5 gives the equipment impairment of packet loss,

    Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl)

and annex B the mean opinion score of R. For G.711 Ie is 0, and Bpl is 4.3 where lost packets are not concealed, 25.1
where they are as in appendix I of G.711 (ITU-T G.113 appendix I). What a Cisco phone conceals is not published: it is
taken to conceal nothing, so that the score errs to the low side. Packets that come late count as heard: the depth of
the phone's jitter buffer is not known either.
"""

from typing import Final

RATING_MAX: Final = 93.2
"""R of a channel without losses."""
BPL_G711: Final = 4.3
"""Robustness of G.711 against loss, in percent, nothing concealed."""
_IE_WORST: Final = 95.0


def rating(lost: int, expected: int, loss_bursts: int = 0) -> float:
    """R of a stream, 0 to 93.2.

    Args:
        lost: packets that never arrived.
        expected: packets sent.
        loss_bursts: how many runs of lost packets there were; 0 where it is not known, then losses count as random.
    """
    if expected <= 0 or lost <= 0:
        return RATING_MAX
    share = min(lost / expected, 1.0)
    # Mean length of a run against that of random losses, 1 / (1 - share) (G.107 clause 7.5). Runs shorter than
    # random do not make it better than random.
    burst_ratio = max(1.0, lost / loss_bursts * (1 - share)) if loss_bursts else 1.0
    percent = 100 * share
    return max(0.0, RATING_MAX - _IE_WORST * percent / (percent / burst_ratio + BPL_G711))


def mean_opinion_score(lost: int, expected: int, loss_bursts: int = 0) -> float:
    """Mean opinion score (G.107 annex B) of a stream, 1.0 to 4.41; arguments as of `rating`."""
    r = rating(lost, expected, loss_bursts)
    return max(1.0, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r))
