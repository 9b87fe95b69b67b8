"""Errors planted into right readings of figures: what a tracer, a legend or a reader of numbers gets wrong.

Each takes a reading as the checks see it and gives the same with one error in it, or None where the figure has no room
for it. Traces are planted as paths and read out again, so that every check sees what it would see of a real one.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from metagrove.figures.doubts.ink import witnesses_of
from metagrove.figures.doubts.traced_plot import traced_plot
from metagrove.figures.legend.arms import ArmSpec
from metagrove.figures.lines.evidence import canvas
from metagrove.figures.lines.tracing import trace_along
from metagrove.figures.lines.tracking import Path

#: A planted error counts where an arm moves by more than this on average: the limit of a right reading.
WRONG = 0.01


@dataclass(frozen=True)
class Case:
    """What the checks saw of one plot, and what the judge was given with it."""

    seen: object
    reading: object
    witnesses: tuple
    hints: object
    words: tuple


def off(case, planted):
    """The largest mean |S' - S| of an arm between the right reading and the planted one; 1 where an arm is missing."""
    if len(planted.seen.arms) != len(case.seen.arms):
        return 1.0
    out = []
    for true, read in zip(case.seen.arms, planted.seen.arms, strict=True):
        grid = np.linspace(0, true.end, 1001)
        out.append(float(np.abs(true.at(grid) - read.at(grid)).mean()))
    return max(out)


def retraced(case, paths, keep=None, seen=None):
    """The case with other paths; `keep` are the arms that stay."""
    seen = seen or case.seen
    keep = range(len(paths)) if keep is None else keep
    looks = [seen.looks[i] for i in keep]
    trace = trace_along(seen.field, looks, [paths[i] for i in keep])
    specs = [ArmSpec(seen.arms[i].name, seen.looks[i]) for i in keep]
    new = traced_plot(seen.plot, specs, seen.field, trace, seen.picture)
    new = new.named(new.arms, seen.prose)
    return replace(case, seen=new, reading=replace(case.reading, arms=new.arms))


def _path(rows, like):
    """A path along rows, each drop an upright stroke in its column; all of it due to be inked as `like` was."""
    rows = np.maximum.accumulate(np.asarray(rows)).astype(np.int32)
    enter = np.append(rows[:1], rows[:-1])
    inked = np.resize(like.inked, len(rows)) if not like.inked.all() else np.ones(len(rows), bool)
    return Path(like.first, enter, rows, inked, like.score)


def _rows(case):
    return [np.asarray(p.leave, dtype=int) for p in case.seen.trace.paths]


def _with(case, index, rows):
    paths = list(case.seen.trace.paths)
    paths[index] = _path(rows, paths[index])
    return retraced(case, paths)


def _pair(case, rng):
    count = len(case.seen.arms)
    return rng.permutation(count)[:2].tolist() if count > 1 else None


def exchanged(case, rng):
    """Two arms, each traced along the other's line."""
    if (pair := _pair(case, rng)) is None:
        return None
    i, j = pair
    paths = list(case.seen.trace.paths)
    paths[i], paths[j] = paths[j], paths[i]
    return retraced(case, paths)


def exchanged_later(case, rng):
    """Two arms that change places where they meet."""
    if (pair := _pair(case, rng)) is None:
        return None
    i, j = pair
    a, b = _rows(case)[i], _rows(case)[j]
    n = min(len(a), len(b))
    meet = np.flatnonzero(np.abs(a[:n] - b[:n]) <= 2)
    meet = meet[(meet > 0.02 * n) & (meet < 0.7 * n)]
    if not len(meet):
        return None
    at = int(rng.choice(meet))
    paths = list(case.seen.trace.paths)
    paths[i] = _path(np.append(a[:at], b[at:]), paths[i])
    paths[j] = _path(np.append(b[:at], a[at:]), paths[j])
    return retraced(case, paths)


def lost(case, rng):
    """One arm not found."""
    count = len(case.seen.arms)
    gone = int(rng.integers(count))
    return retraced(case, case.seen.trace.paths, [i for i in range(count) if i != gone]) if count > 1 else None


def lost_unlisted(case, rng):
    """One arm not found, and nothing on the page that counts the arms."""
    planted = lost(case, rng)
    return planted and replace(planted, witnesses=witnesses_of(planted.seen, ()))


def doubled(case, rng):
    """One arm traced along another's line."""
    if (pair := _pair(case, rng)) is None:
        return None
    paths = list(case.seen.trace.paths)
    paths[pair[0]] = paths[pair[1]]
    return retraced(case, paths)


def joined(case, rng):
    """An arm that falls onto another's line where that is lower, and stays on it."""
    if (pair := _pair(case, rng)) is None:
        return None
    a, b = (_rows(case)[k] for k in pair)
    n = min(len(a), len(b))
    lower = np.flatnonzero(b[:n] > a[:n] + 3)
    lower = lower[lower < 0.8 * n]
    if not len(lower):
        return None
    at = int(rng.choice(lower))
    return _with(case, pair[0], np.append(a[:at], b[at:]))


def began_elsewhere(case, rng):
    """An arm traced along a higher one at first."""
    if (pair := _pair(case, rng)) is None:
        return None
    a, b = (_rows(case)[k] for k in pair)
    n = min(len(a), len(b))
    lower = np.flatnonzero(a[:n] > b[:n] + 3)
    lower = lower[lower > 0.1 * n]
    if not len(lower):
        return None
    at = int(rng.choice(lower))
    return _with(case, pair[0], np.append(b[:at], a[at:]))


def cut(case, rng):
    """An arm that ends too early."""
    k = int(rng.integers(len(case.seen.arms)))
    rows = _rows(case)[k]
    return _with(case, k, rows[: max(int(rng.uniform(0.4, 0.85) * len(rows)), 2)])


def prolonged(case, rng):
    """An arm whose last fall is missed: it goes on at an earlier level to the end."""
    k = int(rng.integers(len(case.seen.arms)))
    rows = _rows(case)[k].copy()
    at = int(rng.uniform(0.6, 0.9) * len(rows))
    rows[at:] = rows[at]
    return _with(case, k, rows)


def delayed(case, rng):
    """A deep drop read too late, by a tenth of the time axis."""
    k = int(rng.integers(len(case.seen.arms)))
    rows = _rows(case)[k].copy()
    deep = np.flatnonzero(np.diff(rows) > 0.05 * len(case.seen.field.blank)) + 1
    if not len(deep):
        return None
    at, late = int(rng.choice(deep)), round(0.1 * case.seen.field.blank.shape[1])
    rows[at : at + late] = rows[at - 1]
    return _with(case, k, rows)


def beside(case, rng):
    """An arm traced along something that runs a few hundredths below or above it."""
    k = int(rng.integers(len(case.seen.arms)))
    rows = _rows(case)[k].copy()
    tall = len(case.seen.field.blank)
    by = round(float(rng.choice([-1, 1]) * rng.uniform(0.015, 0.05)) * tall)
    first = int(rows[0])
    moved = np.clip(rows + by, first, tall - 1)
    return _with(case, k, np.where(rows > first + 2, moved, rows))


def level(case, rng):
    """An arm that runs level from its beginning, as along a grid line or a frame."""
    k = int(rng.integers(len(case.seen.arms)))
    rows = _rows(case)[k]
    return _with(case, k, np.full(len(rows), rows[0]))


def framed(case, rng):
    """An arm traced along the frame of a legend, drawn where no curve is in grey or black."""
    k = int(rng.integers(len(case.seen.arms)))
    seen, rows = case.seen, _rows(case)[k].copy()
    tall, wide = seen.field.blank.shape
    core = seen.core
    top = int(rows[0]) + round(0.03 * tall)
    left = next((c for c in range(len(rows)) if rows[c] > top + 0.12 * tall), None)
    if left is None or left > 0.7 * wide:
        return None
    right = min(left + round(rng.uniform(0.25, 0.5) * wide), wide - 12)
    bottom = top + round(rng.uniform(0.1, 0.2) * tall)
    if core[top - 2 : bottom + 3, left - 2 : right + 3].any() or right - left < 0.1 * wide:
        return None
    rgb = seen.field.rgb.astype(np.uint8).copy()
    ink = int(rng.choice([40, 150, 200]))
    for r in (top, bottom):
        rgb[r : r + 2, left : right + 2] = ink
    for c in (left, right):
        rgb[top : bottom + 2, c : c + 2] = ink
    before = rows[:left].copy()
    before = np.minimum(before, top)
    along = np.concatenate([before, np.full(right - left, top), np.full(max(len(rows) - right, 2), bottom)])
    drawn = replace(seen, field=canvas(rgb, [look.colour for look in seen.looks], seen.field.blank))
    paths = list(seen.trace.paths)
    paths[k] = _path(along, paths[k])
    return retraced(case, paths, seen=drawn)


TRACES = (
    exchanged, exchanged_later, lost, lost_unlisted, doubled, joined, began_elsewhere, cut, prolonged, delayed, beside, level, framed
)  # fmt: skip


def _cells_of(case, rng):
    """The cells of one arm that was read, in order of time, and all others."""
    names = sorted({c.arm for c in case.reading.cells} & {a.name for a in case.reading.arms})
    if not names:
        return None
    name = names[int(rng.integers(len(names)))]
    own = sorted((c for c in case.reading.cells if c.arm == name), key=lambda c: c.time)
    return own, [c for c in case.reading.cells if c.arm != name]


def _counted(case, cells):
    return replace(case, reading=replace(case.reading, cells=tuple(cells)))


def digit(case, rng):
    """One digit of one count another."""
    if (found := _cells_of(case, rng)) is None:
        return None
    own, rest = found
    k = int(rng.integers(len(own)))
    text = list(str(own[k].n))
    place = int(rng.integers(len(text)))
    text[place] = str((int(text[place]) + int(rng.integers(1, 10))) % 10)
    own[k] = replace(own[k], n=int("".join(text)), text="".join(text))
    return _counted(case, [*own, *rest])


def digit_lost(case, rng):
    """One digit of one count not read."""
    if (found := _cells_of(case, rng)) is None:
        return None
    own, rest = found
    long = [k for k, c in enumerate(own) if c.n > 9]
    if not long:
        return None
    k = int(rng.choice(long))
    text = list(str(own[k].n))
    del text[int(rng.integers(len(text)))]
    own[k] = replace(own[k], n=int("".join(text)), text="".join(text))
    return _counted(case, [*own, *rest])


def moved_row(case, rng):
    """A row whose counts stand one tick too late."""
    if (found := _cells_of(case, rng)) is None or len(found[0]) < 3:
        return None
    own, rest = found
    moved = [replace(own[0], n=own[0].n), *(replace(b, n=a.n) for a, b in itertools.pairwise(own))]
    return _counted(case, [*moved, *rest])


def exchanged_rows(case, rng):
    """Two rows under each other's arm."""
    names = sorted({c.arm for c in case.reading.cells} & {a.name for a in case.reading.arms})
    if len(names) < 2:
        return None
    i, j = (names[k] for k in rng.permutation(len(names))[:2])
    other = {i: j, j: i}
    return _counted(case, [replace(c, arm=other.get(c.arm, c.arm)) for c in case.reading.cells])


COUNTS = (digit, digit_lost, moved_row, exchanged_rows)


def same_counts(case, planted):
    """Whether planted counts are the true ones after all."""
    key = {(c.arm, c.time): c.n for c in case.reading.cells}
    return key == {(c.arm, c.time): c.n for c in planted.reading.cells}
