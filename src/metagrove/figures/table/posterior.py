"""How probable each count of a row is, by all that is known at once: both readers, the row, its arm's curve.

A row is a chain: a count depends on the print of its own cell, and with the count before it on the curve between the two
(`likelihood`): nobody comes back, at least the share of the curve's drop leaves, drops are whole persons, and where the
censored are printed in brackets, those at risk, censored and dead add up. Sums over all ways to read the row (forward and
backward, Rabiner 1989, doi:10.1109/5.18626) give each count its probability. The construction is our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.reading import ArmReading
from metagrove.figures.table.likelihood import Interval, interval_of, losses, losses_and_drops
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.digits import SURE

__all__ = ["AGREED", "Weighed", "probable_counts", "settled_by_curve"]

#: How often a count is wrong on which both readers agree.
AGREED = 1 / 2000
# the share of counts that no reader thinks of at the least, and that below which an agreed count is doubted
_UNTHOUGHT, _DOUBTED = 2e-4, 0.5
# against a count that rises, and against people at risk where the curve has ended or none where it goes on
_RISES, _ENDED = -25.0, -8.0
# how far the curve's end may be from a tick to say so, as a share of the time to the tick
_NEAR = 0.01
# counts kept for each cell after the losses have been weighed, and how improbable (log) they may be
_KEPT, _FAINT = 40, -18.0
# how many counts stand for any other, and what a reader must give a count that it says how large others may be
_ANY, _SOME = 150, 0.2
# how often the numbers in brackets do not mean what they mostly do, and people who leave at the tick itself
_OTHERWISE, _AT_TICK = 0.05, 0.8
_LONGEST = 6
# what the readers must give all counts together that they think of
_LEGIBLE = 0.5
# how probable a first reading is that nothing else is known of
_GUESSED = 0.8

_Told: TypeAlias = Callable[[Interval, Array, Array], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """The counts that a cell may hold, shape (counts,), and their log probabilities, up to a constant."""

    counts: Array
    logs: Array

    def kept(self, keep: Array) -> Weighed:
        """The same with fewer counts."""
        return Weighed(self.counts[keep], self.logs[keep])


def settled_by_curve(row: RiskRow, arm: ArmReading) -> RiskRow:
    """The row with each count's doubt settled, raised or left, by its probability given print, row and curve.

    A doubtful count becomes the most probable one, and sure where its probability is at least `SURE` (together, such counts
    are wrong as often as agreed ones: in one of 2,000); an agreed count is never changed, but doubted where it is less
    likely than not.
    """
    if len(row.cells) < 2:
        return row
    chances = probable_counts(row.cells, arm)
    return replace(row, cells=tuple(_judged(c, p) for c, p in zip(row.cells, chances, strict=True)))


def probable_counts(cells: Sequence[Cell], arm: ArmReading) -> list[dict[int, float]]:
    """For each cell the counts that it may hold with their probabilities, given print, row and curve.

    A cell of which the readers know next to nothing says nothing of its neighbours, nor they of it.
    """
    known = [c for c in cells if c.sure or not c.values or sum(p for _, p in c.values) >= _LEGIBLE]
    if len(known) < 2:
        return [dict(c.values) or {c.n: _GUESSED} for c in cells]
    chained = iter(_chained(known, arm))
    return [next(chained) if c in known else dict(c.values) for c in cells]


def _chained(cells: Sequence[Cell], arm: ArmReading) -> list[dict[int, float]]:
    """The same for cells that were read, surely or not."""
    between = [interval_of(a.time, b.time, arm) for a, b in pairwise(cells)]
    most = 1.5 * max(max((v for v, p in c.values if p > _SOME), default=c.n) for c in cells)
    print_ = [_ended(_printed(c, most), c.time, arm) for c in cells]
    coarse = [_pairs(losses, i, a, b) for i, a, b in zip(between, print_, print_[1:], strict=False)]
    first = _marginals(print_, coarse)
    keep = [_likely(logs) for logs in first]
    # what is not looked at more closely keeps the chance that it has without the drops
    looked_at = [float(np.exp(logs[k]).sum()) for logs, k in zip(first, keep, strict=True)]
    print_ = [w.kept(k) for w, k in zip(print_, keep, strict=True)]
    fine = [_pairs(losses_and_drops, i, a, b) for i, a, b in zip(between, print_, print_[1:], strict=False)]
    if _cumulated(cells):
        fine = [
            told + _added_up(i, a, b, (first.censored, after.censored))
            for told, i, a, b, (first, after) in zip(fine, between, print_, print_[1:], pairwise(cells), strict=False)
        ]
    out = []
    for weighed, logs, mass in zip(print_, _marginals(print_, fine), looked_at, strict=True):
        out.append({int(n): mass * float(p) for n, p in zip(weighed.counts, np.exp(logs), strict=True)})
    return out


def _judged(cell: Cell, chances: dict[int, float]) -> Cell:
    best = max(chances, key=lambda n: (chances[n], -n))
    if cell.sure:
        return cell if chances.get(cell.n, 0.0) >= _DOUBTED else replace(cell, sure=False)
    text = cell.text if best == cell.n else str(best)
    return replace(cell, n=best, sure=chances[best] >= SURE, text=text)


def _printed(cell: Cell, most: float) -> Weighed:
    """The counts that print alone makes possible: those the readers think of, those one digit away, and any up to `most`.

    No reader thinks of everything: what is missing to a sum of one goes to the second and the third, the more to the third,
    of which some stand for all, the less was read.
    """
    values = dict(cell.values) or {cell.n: 1 - AGREED if cell.sure else _GUESSED}
    best = max(values, key=lambda n: values[n])
    near = [n for n in _one_digit_off(best) if n not in values]
    any_ = np.unique(np.round(np.append(0.0, np.geomspace(1, max(most, 10.0), _ANY))))
    total = sum(values.values())
    rest = max(1 - total, _UNTHOUGHT)
    counts = np.array([*values, *near, *any_], float)
    seen = [v * (1 - rest) / total for v in values.values()]
    off, other = rest * (1 - rest) / len(near), rest * rest / len(any_)
    chances = np.array([*seen, *([off] * len(near)), *([other] * len(any_))])
    known, place = np.unique(counts, return_inverse=True)
    return Weighed(known, np.log(np.maximum(np.bincount(place, chances), 1e-12)))


def _one_digit_off(n: int) -> list[int]:
    """The numbers that are n with one digit changed, lost or put in."""
    text, out = str(n), set()
    for k in range(len(text) + 1):
        for digit in "0123456789":
            out.add(text[:k] + digit + text[k:])
            out.add(text[:k] + digit + text[k + 1 :])
        out.add(text[:k] + text[k + 1 :])
    known = {int(t) for t in out if t and (t == "0" or t[0] != "0") and len(t) <= _LONGEST}
    return sorted(known - {n})


def _ended(weighed: Weighed, time: float, arm: ArmReading) -> Weighed:
    """The counts with what the end of the curve says: nobody is at risk after it, somebody before it."""
    late = _NEAR * max(time, arm.end) + 2 * float(np.median(arm.time_error))
    if time > arm.end + late:
        return Weighed(weighed.counts, weighed.logs + _ENDED * (weighed.counts > 0))
    # a mark at the end of a line makes it as much longer as it is wide
    before = min(max((arm.end - time) / late - 1, 0.0), 1.0)
    return Weighed(weighed.counts, weighed.logs + before * _ENDED * (weighed.counts == 0))


def _pairs(how: _Told, interval: Interval, first: Weighed, after: Weighed) -> Array:
    """What an interval says of each pair of counts, shape (first, after)."""
    n, left = first.counts[:, None], after.counts[None, :]
    return np.asarray(how(interval, n, left) + _RISES * (left > n))


def _marginals(weighed: Sequence[Weighed], pairs: Sequence[Array]) -> list[Array]:
    """The log probability of each count of each cell, summed over all ways to read the others."""
    ahead = [weighed[0].logs]
    for told, own in zip(pairs, weighed[1:], strict=True):
        ahead.append(np.logaddexp.reduce(ahead[-1][:, None] + told, axis=0) + own.logs)
    behind = [np.zeros(len(weighed[-1].counts))]
    for told, own in zip(pairs[::-1], weighed[:0:-1], strict=True):
        behind.append(np.logaddexp.reduce(told + (own.logs + behind[-1])[None, :], axis=1))
    both = [a + b for a, b in zip(ahead, behind[::-1], strict=True)]
    return [b - np.logaddexp.reduce(b) for b in both]


def _likely(logs: Array) -> Array:
    """Which counts are worth a closer look, the likeliest ones."""
    order = np.argsort(-logs, kind="stable")[:_KEPT]
    return np.sort(order[logs[order] >= logs[order[0]] + _FAINT])


def _cumulated(cells: Sequence[Cell]) -> bool:
    """Whether the numbers in brackets are censored people so far: they never fall, and begin at or near none."""
    known = [c.censored for c in cells if c.censored is not None]
    return len(known) > max(2, len(cells) / 2) and known[0] <= known[-1] and all(a <= b for a, b in pairwise(known))


def _added_up(interval: Interval, first: Weighed, after: Weighed, censored: tuple[int | None, int | None]) -> Array:
    """How well those who leave an interval are its dead, as the curve has them, and its censored, as printed."""
    from scipy.special import log_ndtr

    n, left = first.counts[:, None], after.counts[None, :]
    if None in censored or interval.start <= interval.error:
        return np.zeros(np.broadcast_shapes(n.shape, left.shape))
    died = n - left - float((censored[1] or 0) - (censored[0] or 0))
    ratio = interval.end / interval.start
    # all censored after the last death, or all before the first
    most, least = n * (1 - ratio), left * (1 / max(ratio, 1e-6) - 1)
    low, high = np.minimum(least, most), np.maximum(least, most)
    spread = _AT_TICK + 1.5 * n * interval.error / interval.start
    inside = log_ndtr((died - low + 0.5) / spread) + log_ndtr((high - died + 0.5) / spread)
    told = inside - np.log(high - low + 1)
    return np.asarray(np.logaddexp(np.log(1 - _OTHERWISE) + told, np.log(_OTHERWISE) - np.log(n + 1)))
