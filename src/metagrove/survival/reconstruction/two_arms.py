"""Two arms rebuilt together, with the printed hazard ratio, its limits and the log-rank p as evidence on both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.survival.evidence.arguments import arm_arguments, draws_wanted, random_generator
from metagrove.survival.evidence.curve_input import DigitizedCurve, digitized_curve
from metagrove.survival.evidence.printed_comparison import (
    HR,
    LIMITS,
    LOG_RANK,
    PrintedComparison,
    Window,
    printed_comparison,
    printed_ratio,
)
from metagrove.survival.evidence.printed_facts import Contradiction, printed_facts
from metagrove.survival.evidence.row_kinds import recognised
from metagrove.survival.reconstruction.rebuilt import Draws, RebuiltPatients
from metagrove.survival.reconstruction.rebuilt_arms import Z95, PrintedArms, RebuiltArms, two_sided

__all__ = ["RebuiltArms", "reconstruct_arms"]

#: Draws of each arm; every one is matched with all those of the other.
POOL = 400
#: Log weight below which no pair is said to agree with one, two or three printed facts (0.8 % of a chi-square's half).
DENIED = (-3.5, -4.8, -5.9)
#: How much softer the printed values are taken at most where ties or rounded times keep pairs from meeting them.
SOFTEST = 4.0
Patients = tuple[Array, NDArray[np.bool_]]


def reconstruct_arms(
    control: Mapping[str, Any],
    treated: Mapping[str, Any],
    *,
    hr: float | Sequence[float | None] | None = None,
    p: float | str | None = None,
    hr_error: float = 0.0,
    draws: int = 100,
    rng: np.random.Generator | int | None = None,
) -> RebuiltArms:
    """Two arms rebuilt, with the printed hazard ratio, its limits and log-rank p as evidence on both.

    Any value that rounds to the printed one agrees fully. Draws of one arm are matched with draws of the other, and where
    too few pairs agree the filter itself is tilted towards the printed hazard ratio; the point moves within what the
    curves leave open. What contradicts the curves is named and left out.

    Parameters
    ----------
    control, treated : the arguments of `reconstruct` for each arm, as mappings with at least `curve`.
    hr : printed hazard ratio, treated against control: a number or (estimate, lower, upper), limits at 95 %.
    p : printed two-sided log-rank p; a bound as text, "<0.001".
    hr_error : standard error with which an unadjusted, unstratified log hazard ratio is known from the printed one, besides
        rounding: 0 where it is one, about 0.05 where it was stratified or adjusted.
    draws : pairs wanted. rng : generator or seed; default seed 1.

    Raises
    ------
    DataError : hazard ratio not above 0, p outside 0 to 1, an arm without curve or patients.

    Notes
    -----
    Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220. doi:10.1111/j.2517-6161.1972.tb00899.x
    """
    from metagrove.survival.reconstruction.one_arm import reconstruct

    printed = printed_comparison(hr, p, hr_error=hr_error)
    draws, generator = draws_wanted(draws), random_generator(rng)
    control, treated = arm_arguments(control, "control"), arm_arguments(treated, "treated")
    axis = max(digitized_curve(arm["curve"]).end for arm in (control, treated)) * 1.02
    given = ({"axis": axis, **control}, {"axis": axis, **treated})
    solved = [_solved(arm, generator) for arm in given]
    if solved[0] is None or solved[1] is None:
        alone = [reconstruct(**{**arm, "draws": draws, "rng": generator}) for arm in given]
        pair = _unmatched(alone[0], alone[1], printed)
    else:
        pair = _together((solved[0], solved[1]), printed, draws, generator)
    return replace(pair, printed=PrintedArms(printed_ratio(hr), p, printed))


def _solved(given: Mapping[str, Any], rng: np.random.Generator) -> Any:
    from metagrove.survival.reconstruction.likely_patients import solved_arm

    known = {key: value for key, value in given.items() if key not in ("curve", "method", "draws", "rng")}
    if given.get("method", "likelihood") != "likelihood":
        raise DataError(f"two arms are rebuilt together with method='likelihood', not '{given['method']}'")
    curve, kind = digitized_curve(given["curve"]), known.pop("kind", None)
    facts = printed_facts(curve, known.pop("at_risk", None), **known)
    return solved_arm(
        recognised(curve, facts, kind, known=isinstance(given["curve"], DigitizedCurve)), facts, POOL, rng
    )


def _unmatched(control: RebuiltPatients, treated: RebuiltPatients, printed: PrintedComparison) -> RebuiltArms:
    """Arms of which one cannot be explained at all, as rebuilt alone."""
    values = _compared_points((control.time, control.event), (treated.time, treated.event))
    found = (
        () if not printed.names else (Contradiction(tuple(printed.names), "not used: an arm has no solution alone"),)
    )
    sampled = (control.sampled, treated.sampled)
    drawn = np.zeros(0)
    if sampled[0] is not None and sampled[1] is not None:
        drawn = _drawn_loghr(sampled[0], sampled[1])
    return RebuiltArms(control, treated, values[0], drawn, 0.0, found, values[1], values[2])


def _drawn_loghr(control: Draws, treated: Draws) -> Array:
    from metagrove.survival.reconstruction.comparison_kernels import compared

    number = np.repeat(np.arange(len(control.time))[:, None], 2, axis=1)
    return compared((control.time, control.event), (treated.time, treated.event), number)[:, 0]


def _compared_points(control: Patients, treated: Patients) -> tuple[float, float, float]:
    from metagrove.survival.reconstruction.comparison_kernels import compared

    sets = [(p[0][None], p[1][None]) for p in (control, treated)]
    values = compared(sets[0], sets[1], np.zeros((1, 2), dtype=np.int64))[0].tolist()
    return values[0], values[1], values[2]


def _together(arms: Any, printed: PrintedComparison, draws: int, rng: np.random.Generator) -> RebuiltArms:
    from metagrove.survival.reconstruction.likely_patients import rebuilt_arm
    from metagrove.survival.reconstruction.paired_draws import effective, pool_of

    pools = (pool_of(arms[0], rng), pool_of(arms[1], rng))
    alone = (arms[0].point(), arms[1].point())
    pools, pairs, printed, found = _agreeing(arms, pools, alone, printed, rng)
    points = _points(arms, pools, alone, pairs, printed)
    chosen = _chosen(pairs.share, max(draws, 40), rng)
    sets = [
        Draws(pool.sets.time[pairs.number[chosen, a]], pool.sets.event[pairs.number[chosen, a]])
        for a, pool in enumerate(pools)
    ]
    kept = [rebuilt_arm(arm, point, drawn, draws) for arm, point, drawn in zip(arms, points, sets, strict=True)]
    before = [replace(made, time=was[0], event=was[1]) for made, was in zip(kept, alone, strict=True)]
    cost = [_distance(new) - _distance(old) for new, old in zip(kept, before, strict=True)]
    values = _compared_points(*points)
    found = (*found, *_missed(printed, np.array(values)))
    return RebuiltArms(
        kept[0],
        kept[1],
        values[0],
        pairs.values[chosen[:draws], 0],
        effective(pairs),
        found,
        values[1],
        values[2],
        (cost[0], cost[1]),
    )


def _missed(printed: PrintedComparison, values: Array) -> tuple[Contradiction, ...]:
    """That the value the point was to reach is met only nearly or not at all, where rounding does not explain it."""
    if not printed.names:
        return ()
    name, column, window = _aim(printed, float(values[2]))
    off = abs(float(window.excess(values[column])))
    if off <= 3 * max(window.soft, 1e-4):
        return ()
    how = "only nearly" if off <= _reached(window) else "by no patients near both curves"
    shown = shown_value(name, values)
    return (Contradiction((name, "curves"), f"{printed.told(name)} is met {how}: the rebuilt arms show {shown}"),)


def shown_value(name: str, values: Array) -> str:
    """A printed fact's own number as rebuilt arms with `values` (log hazard ratio, its error, z) show it."""
    if name == HR:
        return f"{np.exp(values[0]):.3f}"
    if name == LIMITS:
        return " to ".join(f"{np.exp(values[0] + x * values[1]):.3f}" for x in (-Z95, Z95))
    return f"{two_sided(float(values[2])):.3g}"


def _reached(window: Window) -> float:
    """How far beyond a window a value is still the nearest to it that the arms can show: one unit of the last digit."""
    return max(window.high - window.low if np.isfinite(window.high) else 0.0, 3 * window.soft)


def _distance(arm: RebuiltPatients) -> float:
    return next((r["rebuilt"] for r in arm.fit if r["fact"].startswith("mean absolute")), 0.0)


def _chosen(share: Array, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers by weight, drawn systematically, in random order; shape (count,)."""
    edges = np.cumsum(share)
    at = (np.arange(count) + rng.random()) / count * edges[-1]
    return np.asarray(rng.permutation(np.searchsorted(edges, at, side="right")), dtype=np.int64)


def _agreeing(
    arms: Any, pools: Any, alone: Any, printed: PrintedComparison, rng: np.random.Generator
) -> tuple[Any, Any, PrintedComparison, tuple[Contradiction, ...]]:
    """Pools, pairs that agree with as much as can be agreed with, those facts, and what had to be left out."""
    from metagrove.survival.reconstruction.paired_draws import ENOUGH, effective, paired

    pairs = paired(pools, alone, printed, rng)
    if printed.loghr is not None and (effective(pairs) < ENOUGH or _denied(pairs, printed)):
        more = _tilted(arms, pools, alone, printed, rng)
        again = paired(more, alone, printed, rng)
        if _denied(pairs, printed) or effective(again) > effective(pairs):
            pools, pairs = more, again
    if not _denied(pairs, printed):
        return pools, _enough(pairs, printed), printed, ()
    plain = paired(pools, alone, PrintedComparison(), rng)
    names = [name for name in (LIMITS, LOG_RANK, HR) if name in printed.names]
    for gone in (dropped for size in range(1, len(names)) for dropped in combinations(names, size)):
        less = printed
        for name in gone:
            less = less.without(name)
        fewer = paired(pools, alone, less, rng)
        if not _denied(fewer, less):
            return pools, _enough(fewer, less), less, (_contradiction(gone, printed, fewer),)
    return pools, plain, PrintedComparison(), (_contradiction(tuple(printed.names), printed, plain),)


def _denied(pairs: Any, printed: PrintedComparison) -> bool:
    least = DENIED[max(len(printed.names), 1) - 1]
    return bool(printed.softened(SOFTEST).log_weight(pairs.values).max() < least)


def _enough(pairs: Any, printed: PrintedComparison) -> Any:
    """The pairs, weighed as sharply as leaves enough of them in effect."""
    from metagrove.survival.reconstruction.paired_draws import ENOUGH, effective

    factor = 1.0
    while effective(pairs) < ENOUGH and factor < SOFTEST:
        factor *= 2
        pairs = pairs.weighed(printed.softened(factor))
    return pairs


def _tilted(arms: Any, pools: Any, alone: Any, printed: PrintedComparison, rng: np.random.Generator) -> Any:
    from metagrove.survival.reconstruction.paired_draws import Lean, paired, with_tilt

    assert printed.loghr is not None
    seen = paired(pools, alone, PrintedComparison(), rng).values[:, 0]
    off = -float(printed.loghr.excess(float(seen.mean())))
    return with_tilt(arms, pools, alone, Lean(off, float(seen.var())), rng)


def _contradiction(names: tuple[str, ...], printed: PrintedComparison, pairs: Any) -> Contradiction:
    told = " and ".join(printed.told(name) for name in names)
    hr = np.exp(np.quantile(pairs.values[:, 0], (0.005, 0.995)))
    z = np.abs(pairs.values[:, 2])
    shown = {
        HR: f"hazard ratios from {hr[0]:.3f} to {hr[1]:.3f}",
        LIMITS: f"standard errors of the log hazard ratio from {pairs.values[:, 1].min():.3f} to {pairs.values[:, 1].max():.3f}",
        LOG_RANK: f"log-rank p from {two_sided(z.max()):.3g} to {two_sided(z.min()):.3g}",
    }
    text = f"no rebuilt pair shows {told}: they show {', '.join(shown[name] for name in names)}; rebuilt without it"
    return Contradiction((*names, "curves"), text)


def _points(arms: Any, pools: Any, alone: Any, pairs: Any, printed: PrintedComparison) -> tuple[Patients, Patients]:
    """The point of either arm: as rebuilt alone where that agrees with what is printed, else moved until it does."""
    from metagrove.survival.reconstruction.paired_draws import against
    from metagrove.survival.reconstruction.paired_point import paired_point

    values = np.array([_compared_points(*alone)])
    if not printed.names:
        return alone[0], alone[1]
    _, column, window = _aim(printed, float(values[0, 2]))
    if printed.log_weight(values)[0] > -0.1 and window.excess(values[0, column]) == 0:
        return alone[0], alone[1]
    # Where the printed value is known loosely, the curves hold the pairs, and the point with them, off it.
    middle = float(pairs.share @ pairs.values[:, column])
    wide = Window(min(window.low, middle), max(window.high, middle), window.soft)
    own = [against(pool, alone[1 - a], treated=a == 1)[:, column] for a, pool in enumerate(pools)]
    moved = paired_point(arms, pools, pairs, (own[0], own[1]), (column, wide))
    off = abs(float(window.excess(_compared_points(*moved)[column])))
    # Arms that cannot show what is printed gain nothing by being moved.
    return moved if off <= _reached(window) else (alone[0], alone[1])


def _aim(printed: PrintedComparison, z: float) -> tuple[str, int, Window]:
    """The fact that the point is to reach, its column and window: hazard ratio, else z on its side, else the limits."""
    if printed.loghr is not None:
        return HR, 0, printed.loghr
    if printed.z is not None:
        side = printed.z if z >= 0 else Window(-printed.z.high, -printed.z.low, printed.z.soft)
        return LOG_RANK, 2, side
    assert printed.error is not None
    return LIMITS, 1, printed.error
