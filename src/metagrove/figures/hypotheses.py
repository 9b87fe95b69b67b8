"""Which arms a plot shows where nothing lists them: arms that draw nothing are dropped, further dashes of an ink tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.assignment import assigned
from metagrove.figures.confidence_lines import limited, part_of, stroke_of
from metagrove.figures.legend.arms import ArmSpec, Scene
from metagrove.figures.lines.dashes import dash_fit, dash_patterns
from metagrove.figures.lines.evidence import ArmLook, Canvas, arm_width, canvas, coverage
from metagrove.figures.lines.symbols import passed
from metagrove.figures.lines.tracing import Trace, traced
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import RGB
from metagrove.figures.plot import Plot

__all__ = ["supposed"]

# a plot is explained once less than this share of its ink is left; another arm must take this share of what was left
_EXPLAINED, _TAKES = 0.05, 0.3
# limits are looked for where more than this share of the ink is left
_TRACED = 0.03
_MOST, _TRIALS, _SHARE = 3, 4, 0.6
# an arm that is no line: seen over less than a tenth of itself, or ended within a twentieth of the time axis
_UNSEEN, _SHORT = 0.1, 0.05
_SHOWN, _LONG, _STRONG = 0.25, 0.2, 0.1
# a line with dashes: the share of its levels that gaps take, how well a pattern fits, how many columns tell
_GAPS, _FITS, _FEWEST = 0.15, 0.3, 25
# how many more symbols must stand on lines of their own once the names have changed places
_MORE_SYMBOLS = 3
# how much more ink may be left unexplained once it is traced by its dashes
_WORSE = 0.01


def supposed(
    scene: Scene, plot: Plot, specs: Sequence[ArmSpec], prose: NDArray[np.bool_], *, most: int, free: bool
) -> tuple[list[ArmSpec], Canvas, Trace, NDArray[np.bool_]]:
    """The arms that explain the plot's ink best, the plot made ready for them, their trace, and the pixels of dashed limits.

    Parameters
    ----------
    specs : the arms that legend, rows or colours suggest.
    prose : pixels of words, which no arm need explain.
    most : how many arms there are at most (rows of numbers at risk), 0 where nothing says.
    free : whether the arms come from the inks alone; else `specs` stand.

    Mixtures of two inks are taken for a third now and then: such an arm draws nothing and is dropped. Lines of one ink
    told apart by dashes alone first count as one arm: while much ink is left, the dash patterns found in it are tried,
    and kept if they take a good part of it.
    """
    kept, field, trace = _listed(scene, specs, prose, start=plot.start, most=most, free=free)
    kept, field, trace = _by_symbols(scene, kept, field, trace, plot.start)
    return _unlimited(scene, plot, kept, field, trace, prose)


def _by_symbols(
    scene: Scene, specs: list[ArmSpec], field: Canvas, trace: Trace, start: float
) -> tuple[list[ArmSpec], Canvas, Trace]:
    """The arms, those of one ink under the names whose symbols their lines bear.

    A symbol hides the middle of a key, so that its dashes may have been read as another's.
    """
    bearing = [k for k, s in enumerate(specs) if s.look.symbol]
    if field.marks is None or len(bearing) < 2:
        return specs, field, trace
    told = field.marks.told
    counts = np.array(
        [
            [int((passed(field.marks, trace.paths[i]) & (told == specs[j].look.symbol)).sum()) for j in bearing]
            for i in bearing
        ]
    )
    lines, names = assigned(-counts)
    if counts[lines, names].sum() < np.trace(counts) + _MORE_SYMBOLS:
        return specs, field, trace
    moved = list(specs)
    for line, name in zip(lines.tolist(), names.tolist(), strict=True):
        own, drawn = specs[bearing[name]], specs[bearing[line]].look
        moved[bearing[name]] = ArmSpec(own.name, replace(drawn, symbol=own.look.symbol))
    return moved, *_trace(scene, moved, start)


def _unlimited(
    scene: Scene, plot: Plot, kept: list[ArmSpec], field: Canvas, trace: Trace, prose: NDArray[np.bool_]
) -> tuple[list[ArmSpec], Canvas, Trace, NDArray[np.bool_]]:
    """The arms without those that are limits of others, and the pixels of limits, which are looked for in what is left."""
    limits = np.zeros(prose.shape, dtype=bool)
    for spec in list(kept):
        for lines, tried in _with_companions(scene, spec, kept, field, trace, prose | limits, plot.start):
            known = limited(lines, tried, plot.survival)
            pair = next((p for k, p in known.items() if lines[k] is spec), None)
            if pair is not None:
                limits |= stroke_of(tried, pair, lines[pair[0]].look.width)
                arms = [k for k in range(len(kept)) if k not in pair]
                kept, trace = [kept[k] for k in arms], part_of(tried, arms)
                break
    return kept, field, trace, limits


def _with_companions(
    scene: Scene,
    spec: ArmSpec,
    kept: list[ArmSpec],
    field: Canvas,
    trace: Trace,
    known: NDArray[np.bool_],
    start: float,
) -> Iterator[tuple[list[ArmSpec], Trace]]:
    """The lines as they are, and with two more in a solid arm's ink in each dash pattern that what is left shows."""
    if spec not in kept or spec.look.dash.off:
        return
    yield kept, trace
    share, left = _left(field, trace, kept, known)
    if share < _TRACED:
        return
    for offer in [o for o in _offers(field, left, [spec]) if o.look.dash.off]:
        lines = [*kept, offer, offer]
        yield lines, _trace(scene, lines, start)[1]


def _listed(
    scene: Scene, specs: Sequence[ArmSpec], prose: NDArray[np.bool_], *, start: float, most: int, free: bool
) -> tuple[list[ArmSpec], Canvas, Trace]:
    """The arms that explain the plot's ink best, whatever they are."""
    kept = list(specs)
    field, trace = _trace(scene, kept, start)
    if not free:
        return _dashed_after_all(scene, kept, field, trace, prose, start)
    if len({s.look.colour for s in kept}) == len(kept) > 1:
        kept, field, trace = _dashed_after_all(scene, kept, field, trace, prose, start)
    plain = [ArmSpec(s.name, replace(s.look, style="solid", dash=Dash())) for s in kept]
    if len(kept) == 1 and kept[0].look.style != "solid":
        # a name at the end of a dashed line looks like a legend of one entry
        other, trial = _trace(scene, plain, start)
        if _left(other, trial, plain, prose)[0] < _left(field, trace, kept, prose)[0]:
            kept, field, trace = plain, other, trial
    drawn = [k for k in range(len(kept)) if not _void(trace, k, field)]
    if max(most, 1) <= len(drawn) < len(kept):
        kept = [kept[k] for k in drawn]
        field, trace = _trace(scene, kept, start)
    for _ in range(_MOST):
        share, left = _left(field, trace, kept, prose)
        if share < _EXPLAINED or len(kept) == most:
            break
        offers = []
        for spec in _offers(field, left, kept):
            canvas_, trial = _trace(scene, [*kept, spec], start)
            rest, _ = _left(canvas_, trial, [*kept, spec], prose)
            if rest < (1 - _TAKES) * share and _line(trial, len(kept), field):
                offers.append((rest, spec, canvas_, trial))
        if not offers:
            break
        _, spec, field, trace = min(offers, key=lambda offer: offer[0])
        kept.append(spec)
    if len(kept) > len(drawn):
        finer = [_patterned(spec, field, trace, k) for k, spec in enumerate(kept)]
        canvas_, trial = _trace(scene, finer, start)
        if _left(canvas_, trial, finer, prose)[0] <= _left(field, trace, kept, prose)[0] + 0.01:
            kept, field, trace = finer, canvas_, trial
    return kept, field, trace


def _dashed_after_all(
    scene: Scene, specs: list[ArmSpec], field: Canvas, trace: Trace, prose: NDArray[np.bool_], start: float
) -> tuple[list[ArmSpec], Canvas, Trace]:
    """The arms with those taken as solid traced anew by the dashes that their own ink shows, where it shows any.

    A small sample in a legend looks solid, and hints may give a colour alone.
    """
    finer = [_broken(spec, field, trace, k) for k, spec in enumerate(specs)]
    if finer == specs:
        return specs, field, trace
    canvas_, trial = _trace(scene, finer, start)
    better = _left(canvas_, trial, finer, prose)[0] <= _left(field, trace, specs, prose)[0] + _WORSE
    return (finer, canvas_, trial) if better else (specs, field, trace)


def _broken(spec: ArmSpec, field: Canvas, trace: Trace, index: int) -> ArmSpec:
    """The arm with the dash pattern along its solid line, if gaps take a good part of its levels and fit the pattern."""
    path, hidden = trace.paths[index], trace.foreign(index)
    if field.marks is not None:
        hidden = hidden | field.marks.taken
    if spec.look.dash.off:
        return spec
    own = coverage(field, spec.look)
    if len(path.leave) < _LONG * field.rgb.shape[1]:
        return _unended(spec, np.where(hidden | field.blank, 0, own))
    columns = path.first + np.arange(len(path.leave))
    level = (path.enter == path.leave) & ~hidden[path.leave, columns]
    if level.sum() < _FEWEST:
        return spec
    usual = float(np.quantile(own[path.leave, columns][level], 0.8))
    if float((own[path.leave, columns][level] < 0.4 * usual).mean()) < _GAPS:
        return spec
    along = np.where(_beside(trace, index) & ~hidden, own, 0)
    found = dash_patterns(along.T.copy(), spec.look.width) | dash_patterns(along, spec.look.width)
    share = np.clip(own / max(usual, 0.3), 0, 1)
    fits = {style: dash_fit(path, 2 * share - 1, hidden, dash) for style, dash in sorted(found.items())}
    style = max(fits, key=lambda s: fits[s], default="")
    if not style or fits[style] < _FITS:
        return spec
    return replace(spec, look=replace(spec.look, style=style, dash=found[style]))


def _unended(spec: ArmSpec, own: NDArray[np.float32]) -> ArmSpec:
    """An arm that ended at its first gap, with the one dash pattern that its ink shows; as it was where it shows more."""
    found = dash_patterns(own, spec.look.width)
    if len(found) != 1:
        return spec
    ((style, dash),) = found.items()
    return replace(spec, look=replace(spec.look, style=style, dash=dash))


def _beside(trace: Trace, index: int) -> NDArray[np.bool_]:
    """The pixels on and within two pixels of an arm's stroke."""
    import cv2

    return np.asarray(cv2.dilate((trace.covers[index] > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)


def _patterned(spec: ArmSpec, field: Canvas, trace: Trace, index: int) -> ArmSpec:
    """The arm with the dash pattern that shows along its own path."""
    if not spec.look.dash.off:
        return spec
    own = np.where(_beside(trace, index) & ~trace.foreign(index), coverage(field, spec.look), 0)
    found = dash_patterns(own.T.copy(), spec.look.width) | dash_patterns(own, spec.look.width)
    style = spec.look.style
    if style not in found and len(found) == 1:
        style = next(iter(found))
    return replace(spec, look=replace(spec.look, style=style, dash=found.get(style, spec.look.dash)))


def _trace(scene: Scene, specs: Sequence[ArmSpec], start: float) -> tuple[Canvas, Trace]:
    field = canvas(scene.rgb, [s.look.colour for s in specs], scene.blank, scene.marks)
    return field, traced(field, [s.look for s in specs], start=start)


def _void(trace: Trace, index: int, field: Canvas) -> bool:
    """Whether an arm has no line of its own."""
    length = len(trace.paths[index].leave) / field.rgb.shape[1]
    return trace.visible[index] < _UNSEEN or length < _SHORT


def _line(trace: Trace, index: int, field: Canvas) -> bool:
    """Whether an arm shows a line of its own along a good part of the plot."""
    length = len(trace.paths[index].leave) / field.rgb.shape[1]
    return trace.visible[index] > _SHOWN and length > _LONG and trace.strength[index] > _STRONG


def _left(
    field: Canvas, trace: Trace, specs: Sequence[ArmSpec], prose: NDArray[np.bool_]
) -> tuple[float, NDArray[np.bool_]]:
    """The share of the ink that no arm explains, and where it is."""
    import cv2

    inked = (field.e_paper > 70.0**2) & ~field.blank & ~prose
    width = max(s.look.width for s in specs)
    core = np.any([cover == 2 for cover in trace.covers], axis=0).astype(np.uint8)
    reach = 2 * round(width + 2) + 1
    left = inked & (cv2.dilate(core, np.ones((reach, reach), np.uint8)) == 0)
    return float(left.sum() / max(int(inked.sum()), 1)), left


def _offers(field: Canvas, left: NDArray[np.bool_], specs: Sequence[ArmSpec]) -> list[ArmSpec]:
    """Arms in the inks that most of what is left is drawn in, with the dash patterns that it shows.

    Few levels of a steep line are long enough for a pattern; then its upright stretches are asked, then a usual one tried.
    """
    import cv2

    looks: dict[RGB, ArmLook] = {s.look.colour: s.look for s in reversed(specs)}
    near = cv2.dilate(left.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    amounts = {colour: np.where(near, coverage(field, look), 0) for colour, look in looks.items()}
    most = max(float(a.sum()) for a in amounts.values())
    out = []
    for colour, amount in sorted(amounts.items(), key=lambda item: -float(item[1].sum())):
        if float(amount.sum()) < _SHARE * most:
            continue
        width, reach = arm_width(amount)
        width = float(np.clip(width, 1.0, 9.0)) if width else looks[colour].width
        found = dash_patterns(amount.T.copy(), width) | dash_patterns(amount, width)
        found.setdefault("dashed", Dash(4.5 * width, 3.0 * width))
        taken = {s.look.style for s in specs if s.look.colour == colour}
        out += [
            ArmSpec("", ArmLook(colour, width, dash, style, reach))
            for style, dash in sorted(found.items())
            if style not in taken
        ]
    return out[:_TRIALS]
