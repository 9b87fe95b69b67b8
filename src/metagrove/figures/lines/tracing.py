"""All arms of a plot traced together: solid lines first, then dashes, then dots, in sweeps until nothing moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.lines.evidence import ArmLook, Canvas, Inked, gains, inked, line_evidence
from metagrove.figures.lines.hues import fitting_order
from metagrove.figures.lines.readout import Steps, steps_of
from metagrove.figures.lines.tracking import Path, tracked

__all__ = ["Trace", "trace_along", "traced"]

_SWEEPS = 4
_ORDER = {"solid": 0, "dashed": 1, "dotted": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The paths and step curves of all arms, in the order given, with what they leave unexplained.

    `covers[i]` is 2 in the core of arm i's stroke, 1 in the ring round it; `strength[i]` is the mean gain under its own
    visible stroke.
    """

    paths: tuple[Path, ...]
    steps: tuple[Steps, ...]
    covers: tuple[NDArray[np.uint8], ...]
    strength: tuple[float, ...]
    visible: tuple[float, ...]

    def foreign(self, index: int) -> NDArray[np.bool_]:
        """Where strokes of other arms than `index` lie."""
        return _foreign(self.covers, index)


def traced(plot: Canvas, looks: Sequence[ArmLook], *, start: float, reach: int | None = None) -> Trace:
    """The joint trace of the arms from row `start` (survival 1) in column 0.

    Each arm is the best monotone path given where the others are; arms are revisited until the paths stand still, at
    most four times.
    """
    count = len(looks)
    covers: list[NDArray[np.uint8] | None] = [None] * count
    paths: list[Path | None] = [None] * count
    near = [reach if reach is not None else 3 + round(look.width) for look in looks]
    far = inked(plot, looks)
    _swept(plot, looks, paths, covers, far, start=start, reach=near)
    order = _best_order(plot, looks, [p for p in paths if p is not None], [c for c in covers if c is not None])
    if order != list(range(count)):
        paths = [paths[k] for k in order]
        covers = [_painted(p, look, plot.rgb.shape[:2]) for p, look in zip(paths, looks, strict=True) if p is not None]
        _swept(plot, looks, paths, covers, far, start=start, reach=near)
    return _shown(plot, looks, [p for p in paths if p is not None], far)


def trace_along(plot: Canvas, looks: Sequence[ArmLook], paths: Sequence[Path]) -> Trace:
    """The trace of arms whose paths are known: their strokes, their step curves and how well each shows."""
    return _shown(plot, looks, paths, inked(plot, looks))


def _shown(plot: Canvas, looks: Sequence[ArmLook], paths: Sequence[Path], far: Inked) -> Trace:
    shown = [_painted(path, look, plot.rgb.shape[:2]) for path, look in zip(paths, looks, strict=True)]
    steps, strength, visible = [], [], []
    for i, path in enumerate(paths):
        gain = gains(plot, looks, i, [c if j != i else None for j, c in enumerate(shown)], far)
        hidden = _foreign(shown, i)
        steps.append(steps_of(path, gain, hidden, looks[i].width))
        power, share = _strength(path, gain, hidden)
        strength.append(power)
        visible.append(share)
    return Trace(tuple(paths), tuple(steps), tuple(shown), tuple(strength), tuple(visible))


def _swept(
    plot: Canvas,
    looks: Sequence[ArmLook],
    paths: list[Path | None],
    covers: list[NDArray[np.uint8] | None],
    far: Inked,
    *,
    start: float,
    reach: Sequence[int],
) -> None:
    """Trace the arms one after the other, given where the others are, until none moves; fills `paths` and `covers`."""
    count = len(looks)
    given: dict[int, list[NDArray[np.uint8] | None]] = {}
    order = sorted(range(count), key=lambda i: _ORDER[looks[i].style])
    for sweep in range(_SWEEPS):
        moved = False
        for i in order:
            others = [cover for j, cover in enumerate(covers) if j != i]
            if i in given and all(a is b for a, b in zip(given[i], others, strict=True)):
                continue
            given[i] = others
            gain = gains(plot, looks, i, covers, far)
            level, upright = line_evidence(gain, looks[i].width)
            path = tracked(level, upright, looks[i].dash, start=round(start - 0.5), reach=reach[i])
            old = paths[i]
            moved |= old is None or _moved(old, path)
            if old is None or not _same(old, path):
                covers[i] = _painted(path, looks[i], plot.rgb.shape[:2])
            paths[i] = path
        if not moved or (count == 1 and sweep == 0):
            break


def _best_order(
    plot: Canvas, looks: Sequence[ArmLook], paths: Sequence[Path], covers: Sequence[NDArray[np.uint8]]
) -> list[int]:
    """Which path is each arm's by its colour, among arms of one style: two may each have taken the other's line.

    Where each is traced given the others, such an exchange stands still.
    """
    order = list(range(len(looks)))
    for style in {look.style for look in looks}:
        alike = [i for i in order if looks[i].style == style]
        if len(alike) < 2:
            continue
        hidden = [_foreign(covers, i) for i in alike]
        found = fitting_order(plot, hidden, [looks[i] for i in alike], [paths[i] for i in alike])
        for i, k in zip(alike, found, strict=True):
            order[i] = alike[k]
    return order


def _foreign(covers: Sequence[NDArray[np.uint8]], index: int) -> NDArray[np.bool_]:
    """Where strokes of other arms than `index` lie."""
    out = np.zeros(covers[index].shape, dtype=bool)
    for j, cover in enumerate(covers):
        if j != index:
            out |= cover == 2
    return out


def _moved(old: Path, new: Path) -> bool:
    """Whether two paths differ by more than a pixel in one column of a hundred, or in their ends by more than two."""
    shared = min(len(old.leave), len(new.leave))
    apart = np.abs(old.leave[:shared] - new.leave[:shared]) > 1
    return abs(len(old.leave) - len(new.leave)) > 2 or float(apart.mean()) > 0.01


def _same(old: Path, new: Path) -> bool:
    """Whether two paths leave the same stroke."""
    return all(
        np.array_equal(a, b) for a, b in ((old.enter, new.enter), (old.leave, new.leave), (old.inked, new.inked))
    )


def _painted(path: Path, look: ArmLook, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The stroke that the path would leave: 2 in its core (dashes only where due), 1 in a ring of one pixel."""
    import cv2

    core = np.zeros(shape, dtype=np.uint8)
    half = max(0, round((look.width - 1) / 2))
    for i in range(len(path.leave)):
        c = path.first + i
        if path.leave[i] > path.enter[i]:
            core[path.enter[i] : path.leave[i] + 1, max(c - half, 0) : c + half + 1] = 1
        if path.inked[i]:
            core[max(path.leave[i] - half, 0) : path.leave[i] + half + 1, c] = 1
    ring = cv2.dilate(core, np.ones((3, 3), np.uint8))
    return np.asarray(ring + core, dtype=np.uint8)


def _strength(path: Path, gain: NDArray[np.float32], hidden: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean gain along the inked, visible columns of a path, and the share of columns that are visible."""
    columns = np.arange(len(path.leave)) + path.first
    seen = path.inked & ~hidden[path.leave, columns]
    due = max(int(path.inked.sum()), 1)
    return (float(gain[path.leave, columns][seen].mean()) if seen.any() else 0.0), float(seen.sum() / due)
