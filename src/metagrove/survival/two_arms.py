"""Two arms rebuilt together: the printed hazard ratio and log-rank p weigh the pairs of drawn patient sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.survival.curve_input import digitized_curve
from metagrove.survival.printed_facts import Contradiction, Interval
from metagrove.survival.rebuilt import Draws, RebuiltPatients
from metagrove.survival.reconstruct import reconstruct

__all__ = ["RebuiltArms", "reconstruct_arms"]

#: Pairs of drawn arms that are tried.
PAIRS = 300


@dataclass(frozen=True, slots=True)
class RebuiltArms:
    """Two arms that agree with what was printed about their difference.

    Parameters
    ----------
    control, treated : the arms; their draws belong together, draw by draw.
    loghr : log hazard ratio (treated against control) of the point. drawn_loghr : of each pair of draws.
    matched : effective number of pairs tried that agree with what was printed.
    contradictions : where no pair does.
    """

    control: RebuiltPatients
    treated: RebuiltPatients
    loghr: float
    drawn_loghr: Array
    matched: float
    contradictions: tuple[Contradiction, ...] = ()


def reconstruct_arms(
    control: Mapping[str, Any],
    treated: Mapping[str, Any],
    *,
    hr: float | None = None,
    p: float | None = None,
    draws: int = 100,
    rng: np.random.Generator | int | None = None,
) -> RebuiltArms:
    """Two arms rebuilt, with the printed hazard ratio and log-rank p as evidence on both.

    Each arm is drawn by `reconstruct`; pairs are then weighted by how well their own Cox estimate and log-rank p agree
    with the printed ones (sampling-importance resampling), and the pair nearest to the printed values and likeliest
    becomes the point.

    Parameters
    ----------
    control, treated : the arguments of `reconstruct` for each arm, as mappings with at least `curve`.
    hr : printed hazard ratio, treated against control. p : printed two-sided log-rank p.
    draws : pairs wanted. rng : generator or seed; default seed 1.

    Raises
    ------
    DataError : hazard ratio not above 0, or p outside 0 to 1.
    """
    if hr is not None and not hr > 0:
        raise DataError(f"the hazard ratio is {hr:g}; it lies above 0")
    if p is not None and not 0 <= p <= 1:
        raise DataError(f"p is {p:g}; it lies between 0 and 1")
    generator = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(1 if rng is None else rng)
    axis = max(digitized_curve(arm["curve"]).end for arm in (control, treated)) * 1.02
    arms = [reconstruct(**{"axis": axis, **arm, "draws": PAIRS, "rng": generator}) for arm in (control, treated)]
    pairs = np.array([_comparison(arms, i) for i in range(PAIRS)])
    weight = _agreement(pairs, hr, p)
    share = np.exp(weight - weight.max())
    share /= share.sum()
    chosen = generator.choice(PAIRS, size=draws, p=share)
    points = np.array([_comparison(arms, None)])
    if hr is not None or p is not None:
        best = _central(arms, np.flatnonzero(weight > weight.max() - 2))
        if _agreement(points, hr, p)[0] < -0.5:
            arms = [_pointed(arm, best) for arm in arms]
            points = pairs[best : best + 1]
    kept = [replace(arm, sampled=_picked(arm, chosen)) for arm in arms]
    found: tuple[Contradiction, ...] = ()
    if weight.max() < -8:
        text = f"no rebuilt pair shows the printed comparison: log hazard ratios from {pairs[:, 0].min():.3f} to {pairs[:, 0].max():.3f}"
        found = (Contradiction(("hazard ratio", "log-rank p", "curves"), text),)
    matched = float(1 / np.sum(share**2))
    return RebuiltArms(kept[0], kept[1], float(points[0, 0]), pairs[chosen, 0], matched, found)


def _central(arms: list[RebuiltPatients], among: Any) -> int:
    """The pair, of those `among`, whose times lie nearest to the mean of all draws in both arms."""
    off = np.zeros(len(among))
    for arm in arms:
        assert arm.sampled is not None
        off += np.abs(arm.sampled.time[among] - arm.sampled.time.mean(axis=0)).mean(axis=1) / arm.time[-1]
    return int(among[np.argmin(off)])


def _pointed(arm: RebuiltPatients, i: int) -> RebuiltPatients:
    assert arm.sampled is not None
    return replace(arm, time=arm.sampled.time[i].copy(), event=arm.sampled.event[i].copy())


def _picked(arm: RebuiltPatients, chosen: Any) -> Draws:
    assert arm.sampled is not None
    return Draws(arm.sampled.time[chosen], arm.sampled.event[chosen])


def _comparison(arms: list[RebuiltPatients], i: int | None) -> tuple[float, float]:
    """Log hazard ratio and log-rank p of the point (None) or of a pair of draws."""
    from metagrove.survival.compare import log_rank
    from metagrove.survival.cox import cox

    sets = [
        (arm.time, arm.event) if i is None or arm.sampled is None else (arm.sampled.time[i], arm.sampled.event[i])
        for arm in arms
    ]
    time, event = np.concatenate([s[0] for s in sets]), np.concatenate([s[1] for s in sets])
    group = np.repeat([0, 1], [s[0].size for s in sets])
    return float(cox(time, event, group).loghr), float(log_rank(time, event, group).p)


def _agreement(pairs: Array, hr: float | None, p: float | None) -> Array:
    """Log weight of each pair: what was printed is known to its last digit, a p value to a tenth of itself at best."""
    weight = np.zeros(pairs.shape[0])
    if hr is not None:
        half = min(Interval(hr).half_unit, 0.005)
        weight -= 0.5 * ((np.exp(pairs[:, 0]) - hr) / max(0.75 * half, 0.001)) ** 2
    if p is not None:
        tiny = max(p, 1e-4)
        seen = np.maximum(pairs[:, 1], 1e-4)
        error = np.hypot(0.1, Interval(p).half_unit / tiny)
        weight -= 0.5 * ((np.log(seen) - np.log(tiny)) / error) ** 2
    return weight
