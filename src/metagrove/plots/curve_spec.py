"""The specification curve: every defensible analysis at once, sorted, with the choices behind each below it.

Simonsohn U, Simmons JP, Nelson LD. Specification curve analysis. Nat Hum Behav 2020;4:1208-14
(doi:10.1038/s41562-020-0912-z).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from metagrove.core.errors import DataError
from metagrove.plots.axes import limits_for
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import Frame, KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.marks import (
    CAPITAL,
    LEADING,
    Disc,
    Line,
    Mark,
    Page,
    Shape,
    Text,
    fold,
    paragraph,
    text_width,
    tidy,
)
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.multiverse import Multiverse

__all__ = ["SpecTable", "Specification", "multiverse_plot", "spec_drawing"]


@dataclass(frozen=True, slots=True)
class Specification:
    """One analysis: estimate and limits on the reporting scale, and the option taken in each choice.

    `main` marks the analysis that the review reports first; `holds` says whether the conclusion holds in it.
    """

    estimate: float
    lower: float
    upper: float
    options: tuple[str, ...]
    main: bool = False
    holds: bool = True


@dataclass(frozen=True, slots=True)
class SpecTable:
    """All analyses of a multiverse.

    Parameters
    ----------
    choices : what was chosen between, such as ("transformation", "tau² estimator").
    specifications : the analyses, in any order; each has one option for each choice.
    effect : the name of the effect.
    logarithmic, reference : the axis, and the value of no effect or of interest, None for none.
    sentence : what the multiverse says in one sentence, at the foot.
    """

    choices: tuple[str, ...]
    specifications: tuple[Specification, ...]
    effect: str
    logarithmic: bool = False
    reference: float | None = None
    sentence: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if not self.specifications or not self.choices:
            raise DataError("a specification curve without analyses or without choices")
        for spec in self.specifications:
            if len(spec.options) != len(self.choices):
                raise DataError(f"an analysis has {len(spec.options)} options for {len(self.choices)} choices")
            if not isfinite(spec.estimate):
                raise DataError(f"the analysis {', '.join(spec.options)} has no estimate; leave it out and say so")

    def ranked(self) -> list[Specification]:
        """The analyses by rising estimate."""
        return sorted(self.specifications, key=lambda spec: (spec.estimate, spec.lower, spec.upper))

    def options(self) -> list[tuple[str, list[str]]]:
        """Each choice with its options in order of first use; choices with one option are left out."""
        found = []
        for j, choice in enumerate(self.choices):
            options = list(dict.fromkeys(spec.options[j] for spec in self.specifications))
            if len(options) > 1:
                found.append((choice, options))
        return found

    def records(self) -> list[dict[str, Any]]:
        """One dict for each analysis, by rising estimate."""
        return [
            dict(zip(self.choices, spec.options, strict=True))
            | {"estimate": spec.estimate, "lower": spec.lower, "upper": spec.upper}
            | {"holds": spec.holds, "main": spec.main}
            for spec in self.ranked()
        ]


def spec_drawing(table: SpecTable, *, style: Style | str | None = None) -> Drawing:
    """The specification curve."""
    look = style_of(style)
    return Drawing(lambda width: _page(table, look, width), look, tuple(table.records()))


def multiverse_plot(result: Multiverse, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The specification curve of a multiverse."""
    specs = tuple(
        Specification(spec.estimate, spec.lower, spec.upper, spec.options, spec.main, spec.holds)
        for spec in result.specifications
    )
    table = SpecTable(
        result.choices, specs, result.effect, result.logarithmic, result.reference, result.sentence, title
    )
    return spec_drawing(table, style=style)


def _page(table: SpecTable, style: Style, width: float | None) -> Page:
    s = style.size
    wide = max(width if width is not None else 64 * s, 36 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, y = title_lines(table.title, style, left, right, 0.8 * s)
    key, y = key_rows(_key(table, style), style, left, right, y)
    limit = 0.34 * (right - left)
    rows = [(choice, [(o, fold(style.label(o), s, limit - 0.9 * s)) for o in opts]) for choice, opts in table.options()]
    labels = [text_width(line, s) + 0.9 * s for _, opts in rows for _, lines in opts for line in lines]
    labels += [text_width(line, s, bold=True) for choice, _ in rows for line in fold(choice, s, limit, bold=True)]
    ranked = table.ranked()
    low, high = limits_for(
        [spec.estimate for spec in ranked],
        [(spec.lower, spec.upper) for spec in ranked],
        logarithmic=table.logarithmic,
        keep=[] if table.reference is None else [table.reference],
    )
    if not table.logarithmic and min(spec.lower for spec in ranked) >= 0:
        low = max(low, 0.0)
    across = Side(0.0, float(len(ranked)), ticks=(0.0,), texts=lambda ticks: [""] * len(ticks))
    upward = Side(low, high, table.effect, table.logarithmic)
    box = (left, y + 0.6 * s, right - left, 20 * s)
    frame = framed(style, across, upward, box=box, gutter=max(labels, default=0.0) + 0.8 * s)
    curve = _curve(ranked, table, frame, style)
    grid, y = _choices(rows, ranked, table, frame, style, (left, limit), box[1] + box[3] + 1.0 * s)
    foot, y = foot_lines([table.sentence] if table.sentence else [], style, left, right, y + 0.4 * s)
    axis = [mark for mark in frame.marks if not _below(mark, frame)]
    everything = (*marks, *key, *curve, *axis, *grid, *foot)
    return Page(wide, y + 0.8 * s, everything, tidy(table.title or f"Specification curve: {table.effect}"))


def _below(mark: Mark, frame: Frame) -> bool:
    """Whether a mark of the frame is the tick of the horizontal axis, which counts nothing here."""
    if isinstance(mark, Text):
        return not mark.text
    return isinstance(mark, Line) and mark.points[-1][1] > frame.y.start


def _key(table: SpecTable, style: Style) -> list[KeyEntry]:
    mixed = any(not spec.holds for spec in table.specifications)
    first = "Estimate with interval; the conclusion holds" if mixed else "Estimate with interval"
    entries = [KeyEntry(first, style.palette.square, "dot")]
    if mixed:
        entries.append(KeyEntry("It does not hold", style.palette.prediction, "dot"))
    if any(spec.main for spec in table.specifications):
        entries.append(KeyEntry("Main analysis", style.palette.ink, "ring"))
    if table.reference is not None:
        entries.append(KeyEntry("Reference value", style.palette.reference, "line", 0.8, (2.0, 2.0)))
    return entries


#: Above this number of analyses intervals become a band and rows of dots become bars.
_MANY = 300


def _size(count: int, frame: Frame, s: float) -> float:
    """The radius of a dot: as large as its share of the axis allows."""
    return max(min(0.32 * s, 0.42 * frame.x.length / count), 0.3)


def _colour(spec: Specification, style: Style) -> str:
    return style.palette.square if spec.holds else style.palette.prediction


def _curve(ranked: Sequence[Specification], table: SpecTable, frame: Frame, style: Style) -> list[Mark]:
    marks: list[Mark] = []
    r = _size(len(ranked), frame, style.size)
    if table.reference is not None:
        y = frame.y.at(table.reference)
        ends = ((frame.x.start, y), (frame.x.start + frame.x.length, y))
        marks.append(Line(ends, style.palette.reference, 0.8, (2.0, 2.0)))
    if len(ranked) > _MANY:
        marks.append(_band(ranked, frame, style))
    else:
        marks += [stem for i, spec in enumerate(ranked) for stem in _stem(i, spec, frame, style, r)]
    marks += [Disc(*frame.point(i + 0.5, spec.estimate), r, _colour(spec, style)) for i, spec in enumerate(ranked)]
    for i, spec in enumerate(ranked):
        if spec.main:
            marks += _stem(i, spec, frame, style, 0.32 * style.size)
            marks.append(
                Disc(*frame.point(i + 0.5, spec.estimate), 0.42 * style.size, "#ffffff", style.palette.ink, 1.0)
            )
    return marks


def _band(ranked: Sequence[Specification], frame: Frame, style: Style) -> Mark:
    def edge(values: Sequence[float]) -> tuple[tuple[float, float], ...]:
        inside = [min(max(v, frame.y.low), frame.y.high) for v in values]
        return frame.path([i + 0.5 for i in range(len(ranked))], inside)

    lower, upper = edge([spec.lower for spec in ranked]), edge([spec.upper for spec in ranked])
    return Shape(lower + upper[::-1], style.palette.common, opacity=0.45)


def _stem(i: int, spec: Specification, frame: Frame, style: Style, r: float) -> list[Mark]:
    low, high = (min(max(v, frame.y.low), frame.y.high) for v in (spec.lower, spec.upper))
    if not low <= high:
        return []
    colour = style.palette.ink if spec.main else style.palette.common
    x = frame.x.at(i + 0.5)
    return [Line(((x, frame.y.at(low)), (x, frame.y.at(high))), colour, min(max(1.1 * r, 0.3), 0.9))]


def _taken(j: int, option: str, ranked: Sequence[Specification], frame: Frame, y: float, style: Style) -> list[Mark]:
    """Where an option was taken: a dot for each analysis, bars where they are many."""
    r = _size(len(ranked), frame, style.size)
    chosen = [i for i, spec in enumerate(ranked) if spec.options[j] == option]
    if len(ranked) <= _MANY:
        return [Disc(frame.x.at(i + 0.5), y, r, _colour(ranked[i], style)) for i in chosen]
    marks: list[Mark] = []
    for holds in (True, False):
        runs: list[list[int]] = []
        for i in (i for i in chosen if ranked[i].holds is holds):
            if runs and runs[-1][1] == i:
                runs[-1][1] = i + 1
            else:
                runs.append([i, i + 1])
        colour = style.palette.square if holds else style.palette.prediction
        marks += [Line(((frame.x.at(a), y), (frame.x.at(b), y)), colour, 0.5 * style.size) for a, b in runs]
    return marks


def _choices(
    rows: Sequence[tuple[str, Sequence[tuple[str, list[str]]]]],
    ranked: Sequence[Specification],
    table: SpecTable,
    frame: Frame,
    style: Style,
    place: tuple[float, float],
    top: float,
) -> tuple[list[Mark], float]:
    """The dots below the curve: for each analysis the option it took in each choice."""
    s, (left, limit) = style.size, place
    marks: list[Mark] = []
    right = frame.x.start + frame.x.length
    for choice, options in rows:
        j = table.choices.index(choice)
        lines = fold(choice, s, limit, bold=True)
        marks += paragraph(lines, Text(left, top + 1.05 * s, "", s, style.palette.ink, True))
        top += (len(lines) * LEADING + 0.2) * s
        for number, (option, words) in enumerate(options):
            tall = (len(words) * LEADING + 0.25) * s
            middle = top + tall / 2
            first = middle + CAPITAL / 2 * s - (len(words) - 1) / 2 * LEADING * s
            if number % 2 == 0:
                start = frame.x.start
                ground = ((start, top), (right, top), (right, top + tall), (start, top + tall))
                marks.append(Shape(ground, style.palette.faint))
            marks += paragraph(words, Text(left + 0.9 * s, first, "", s, style.palette.ink))
            marks += _taken(j, option, ranked, frame, middle, style)
            top += tall
        top += 0.5 * s
    return marks, top
