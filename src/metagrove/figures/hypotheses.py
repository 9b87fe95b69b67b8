"""Which arms a plot shows where nothing lists them: arms that draw nothing are dropped, further dashes of an ink tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
from metagrove.figures.plot import MARGIN, Plot

__all__ = ["Supposition", "listed_arms_traced", "unlisted_arms_traced"]

# a plot is explained once less than this share of its ink is left; another arm must take this share of what was left
_EXPLAINED, _TAKES = 0.05, 0.3
# limits are looked for where more than this share of the ink is left
_TRACED = 0.03
# and stands above or below an arm along this share of it; where its own ink covers this much of a pixel
_ALONG, _OWN_INK = 0.4, 0.3
_MOST, _TRIALS, _SHARE = 3, 4, 0.6
# an arm that is no line: seen over less than a tenth of itself, or ended within a twentieth of the time axis
_UNSEEN, _SHORT = 0.1, 0.05
# the share of the time axis within which a curve does not fall to 0
_AT_ONCE = 0.01
_SHOWN, _LONG, _STRONG = 0.25, 0.2, 0.1
# a line with dashes: the share of its levels that gaps take, how well a pattern fits, how many columns tell
_GAPS, _FITS, _FEWEST = 0.15, 0.3, 25
# how many more symbols must stand on lines of their own once the names have changed places
_MORE_SYMBOLS = 3
# how much more ink may be left unexplained once it is traced by its dashes
_WORSE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Supposition:
    """Arms that a plot may show, the plot made ready for them, their trace, and the pixels of dashed confidence limits."""

    specs: tuple[ArmSpec, ...]
    field: Canvas
    trace: Trace
    limits: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Unexplained:
    """A plot whose arms are looked for; `prose` marks words, which no arm need explain."""

    scene: Scene
    plot: Plot
    prose: NDArray[np.bool_]

    def by(self, specs: Sequence[ArmSpec]) -> Supposition:
        """The supposition that the plot shows these arms."""
        field = canvas(self.scene.rgb, [s.look.colour for s in specs], self.scene.blank, self.scene.marks)
        trace = traced(field, [s.look for s in specs], start=self.plot.start)
        return Supposition(tuple(specs), field, trace, np.zeros_like(self.prose))

    def left(self, one: Supposition) -> tuple[float, NDArray[np.bool_]]:
        """The share of the ink that no arm explains, and where it is."""
        import cv2

        inked = (one.field.e_paper > 70.0**2) & ~one.field.blank & ~self.prose & ~one.limits
        width = max(s.look.width for s in one.specs)
        core = np.any([cover == 2 for cover in one.trace.covers], axis=0).astype(np.uint8)
        reach = 2 * round(width + 2) + 1
        left = inked & (cv2.dilate(core, np.ones((reach, reach), np.uint8)) == 0)
        return float(left.sum() / max(int(inked.sum()), 1)), left


def listed_arms_traced(scene: Scene, plot: Plot, specs: Sequence[ArmSpec], prose: NDArray[np.bool_]) -> Supposition:
    """The arms that a legend or hints list, those among them that are limits of others left out.

    Parameters
    ----------
    specs : the arms that legend or hints give.
    prose : pixels of words, which no arm need explain.
    """
    unexplained = _Unexplained(scene, plot, prose)
    return _settled(unexplained, _dashed_after_all(unexplained, unexplained.by(specs)))


def unlisted_arms_traced(
    scene: Scene, plot: Plot, specs: Sequence[ArmSpec], prose: NDArray[np.bool_], *, most: int
) -> Supposition:
    """The arms that explain the plot's ink best where nothing lists them, those among them that are limits of others left out.

    Parameters
    ----------
    specs : the arms that rows or colours suggest.
    prose : pixels of words, which no arm need explain.
    most : how many arms there are at most (rows of numbers at risk), 0 where nothing says.

    Mixtures of two inks are taken for a third now and then: such an arm draws nothing and is dropped. Lines of one ink
    told apart by dashes alone first count as one arm: while much ink is left, the dash patterns found in it are tried,
    and kept if they take a good part of it.
    """
    unexplained = _Unexplained(scene, plot, prose)
    return _settled(unexplained, _best_explained(unexplained, specs, most))


def _settled(unexplained: _Unexplained, one: Supposition) -> Supposition:
    """The arms under the names that their symbols tell, without those that are limits of others."""
    return _unlimited(unexplained, _by_symbols(unexplained, one))


def _by_symbols(unexplained: _Unexplained, one: Supposition) -> Supposition:
    """The arms, those of one ink under the names whose symbols their lines bear.

    A symbol hides the middle of a key, so that its dashes may have been read as another's.
    """
    specs, marks = one.specs, one.field.marks
    bearing = [k for k, s in enumerate(specs) if s.look.symbol]
    if marks is None or len(bearing) < 2:
        return one
    counts = np.array(
        [
            [int((passed(marks, one.trace.paths[i]) & (marks.told == specs[j].look.symbol)).sum()) for j in bearing]
            for i in bearing
        ]
    )
    lines, names = assigned(-counts)
    if counts[lines, names].sum() < np.trace(counts) + _MORE_SYMBOLS:
        return one
    moved = list(specs)
    for line, name in zip(lines.tolist(), names.tolist(), strict=True):
        own, drawn = specs[bearing[name]], specs[bearing[line]].look
        moved[bearing[name]] = ArmSpec(own.name, replace(drawn, symbol=own.look.symbol))
    return unexplained.by(moved)


def _unlimited(unexplained: _Unexplained, one: Supposition) -> Supposition:
    """The arms without those that are limits of others, and the pixels of limits, which are looked for in what is left."""
    for spec in one.specs:
        for tried in _with_companions(unexplained, one, spec):
            lines = tried.specs
            known = limited(lines, tried.trace, unexplained.plot.survival)
            pair = next((p for k, p in known.items() if lines[k] is spec), None)
            if pair is not None:
                limits = one.limits | stroke_of(tried.trace, pair, lines[pair[0]].look.width)
                arms = [k for k in range(len(one.specs)) if k not in pair]
                kept = tuple(one.specs[k] for k in arms)
                one = replace(one, specs=kept, trace=part_of(tried.trace, arms), limits=limits)
                break
    return one


def _with_companions(unexplained: _Unexplained, one: Supposition, spec: ArmSpec) -> Iterator[Supposition]:
    """The lines as they are, and with two more in a solid arm's ink in each dash pattern that what is left shows."""
    if spec not in one.specs or spec.look.dash.off:
        return
    yield one
    share, left = unexplained.left(one)
    if share < _TRACED or not _beside_all_along(one, spec, left):
        return
    for offer in [o for o in _offers(one.field, left, [spec]) if o.look.dash.off]:
        yield unexplained.by([*one.specs, offer, offer])


def _beside_all_along(one: Supposition, spec: ArmSpec, left: NDArray[np.bool_]) -> bool:
    """Whether what is left in an arm's ink stands above or below a good part of its line, as limits do and words do not."""
    path = one.trace.paths[one.specs.index(spec)]
    own = left & (coverage(one.field, spec.look) > _OWN_INK)
    return float(own[:, path.first : path.first + len(path.leave)].any(axis=0).mean()) > _ALONG


def _best_explained(unexplained: _Unexplained, specs: Sequence[ArmSpec], most: int) -> Supposition:
    """The arms that explain the plot's ink best, whatever they are."""
    one = unexplained.by(specs)
    if len({s.look.colour for s in specs}) == len(specs) > 1:
        one = _dashed_after_all(unexplained, one)
    if len(one.specs) == 1 and one.specs[0].look.style != "solid":
        # a name at the end of a dashed line looks like a legend of one entry
        other = unexplained.by([ArmSpec(s.name, replace(s.look, style="solid", dash=Dash())) for s in specs])
        one = other if unexplained.left(other)[0] < unexplained.left(one)[0] else one
    drawn = [s for k, s in enumerate(one.specs) if not _void(one, k)]
    if max(most, 1) <= len(drawn) < len(one.specs):
        one = unexplained.by(drawn)
    for _ in range(_MOST):
        share, left = unexplained.left(one)
        if share < _EXPLAINED or len(one.specs) == most:
            break
        offers = []
        for spec in _offers(one.field, left, one.specs):
            trial = unexplained.by([*one.specs, spec])
            rest, _ = unexplained.left(trial)
            if rest < (1 - _TAKES) * share and _line(trial, len(one.specs)):
                offers.append((rest, trial))
        if not offers:
            break
        one = min(offers, key=lambda offer: offer[0])[1]
    if len(one.specs) > len(drawn):
        finer = unexplained.by([_patterned(one, k) for k in range(len(one.specs))])
        one = finer if unexplained.left(finer)[0] <= unexplained.left(one)[0] + _WORSE else one
    return one


def _dashed_after_all(unexplained: _Unexplained, one: Supposition) -> Supposition:
    """The arms with those taken as solid traced anew by the dashes that their own ink shows, where it shows any.

    A small sample in a legend looks solid, and hints may give a colour alone.
    """
    specs = tuple(_broken(one, k) for k in range(len(one.specs)))
    if specs == one.specs:
        return one
    finer = unexplained.by(specs)
    return finer if unexplained.left(finer)[0] <= unexplained.left(one)[0] + _WORSE else one


def _broken(one: Supposition, index: int) -> ArmSpec:
    """The arm with the dash pattern along its solid line, if gaps take a good part of its levels and fit the pattern."""
    spec, field, trace = one.specs[index], one.field, one.trace
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


def _patterned(one: Supposition, index: int) -> ArmSpec:
    """The arm with the dash pattern that shows along its own path."""
    spec, trace = one.specs[index], one.trace
    if not spec.look.dash.off:
        return spec
    own = np.where(_beside(trace, index) & ~trace.foreign(index), coverage(one.field, spec.look), 0)
    found = dash_patterns(own.T.copy(), spec.look.width) | dash_patterns(own, spec.look.width)
    style = spec.look.style
    if style not in found and len(found) == 1:
        style = next(iter(found))
    return replace(spec, look=replace(spec.look, style=style, dash=found.get(style, spec.look.dash)))


def _void(one: Supposition, index: int) -> bool:
    """Whether an arm has no line of its own, or one that falls to the foot of the plot at once, along the side of its frame."""
    path = one.trace.paths[index]
    tall, wide = one.field.rgb.shape[:2]
    at_once = path.leave[min(round(_AT_ONCE * wide), len(path.leave) - 1)] > tall - 2 * MARGIN
    return bool(one.trace.visible[index] < _UNSEEN or len(path.leave) < _SHORT * wide or at_once)


def _line(one: Supposition, index: int) -> bool:
    """Whether an arm shows a line of its own along a good part of the plot."""
    length = len(one.trace.paths[index].leave) / one.field.rgb.shape[1]
    return one.trace.visible[index] > _SHOWN and length > _LONG and one.trace.strength[index] > _STRONG


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
