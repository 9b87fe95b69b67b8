"""Survival plots: pooled curve over its studies or arms side by side, with numbers at risk under the axis.

Layout after Pocock SJ, Clayton TC, Altman DG. Survival plots of time-to-event outcomes in clinical trials.
Lancet 2002;359:1686-9 (doi:10.1016/S0140-6736(02)08594-X): numbers at risk, an interval, and no tail without warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metagrove.core.values import Array
from metagrove.plots.axes import Axis, tick_texts
from metagrove.plots.canvas import Drawing
from metagrove.plots.curve_panel import CurvePanel, CurveTrack, median_words, round_times, time_words
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

__all__ = ["curves_drawing", "curves_page"]


def curves_drawing(panel: CurvePanel, *, style: Style | str | None = None) -> Drawing:
    """The survival plot of a panel."""
    look = style_of(style)
    return Drawing(lambda width: curves_page(panel, look, width), look, tuple(panel.records()))


def curves_page(panel: CurvePanel, style: Style, width: float | None = None) -> Page:
    """The survival plot composed for a page `width` points wide, 34 ems at least."""
    s = style.size
    wide = max(width if width is not None else 60 * s, 34 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, y = title_lines(panel.title, style, left, right, 0.8 * s)
    warning, y = _warning(panel, style, left, right, y)
    colours = _colours(panel, style)
    key, y = key_rows(_key(panel, style, colours), style, left, right, y)
    labels = _risk_labels(panel, style, 0.3 * (right - left))
    counts = _widest_count(panel, style)
    gutter = max((text_width(line, s) for lines in labels for line in lines), default=0.0) + counts / 2 + 1.5 * s
    tall = max(0.46 * (right - left), 18 * s)
    box = (left, y + 0.8 * s, right - left, tall)
    frame = framed(
        style,
        _time_side(panel, style, right - left - gutter),
        _survival_side(panel),
        box=box,
        gutter=gutter if labels else 0.0,
    )
    ground = _watermark(panel, frame, style)
    curves = [
        mark for track, c in zip(panel.tracks, colours, strict=True) for mark in _curve(track, c, frame, panel, style)
    ]
    table, y = _risk_table(panel, frame, style, labels, colours, left)
    foot, y = foot_lines(_foot(panel), style, left, right, y + 0.4 * s)
    title = (
        panel.title or f"{panel.outcome}: {', '.join(track.label for track in panel.tracks if track.kind != 'study')}"
    )
    everything = [*ground, *marks, *warning, *key, *curves, *frame.marks, *table, *foot]
    return Page(wide, y + 0.8 * s, tuple(everything), tidy(title))


def _colours(panel: CurvePanel, style: Style) -> list[str]:
    series, found, i = style.palette.series, [], 0
    for track in panel.tracks:
        if track.kind in ("pooled", "points"):
            found.append(style.palette.summary)
        elif track.kind == "shade":
            found.append(style.palette.reference)
        else:
            found.append(series[i % len(series)])
            i += 1
    return found


#: Dashes for the second and third round of the series' colours, so that no two studies look alike.
_DASHES: tuple[tuple[float, ...], ...] = ((), (4.0, 1.6), (1.2, 1.2), (6.0, 1.5, 1.2, 1.5))


#: Kinds of tracks whose colour is their own, not one of the series.
_LONE = ("pooled", "points", "shade")


def _dash(panel: CurvePanel, track: CurveTrack, style: Style) -> tuple[float, ...]:
    if track.kind in _LONE:
        return ()
    place = [t for t in panel.tracks if t.kind not in _LONE].index(track)
    return _DASHES[place // len(style.palette.series) % len(_DASHES)]


def _key(panel: CurvePanel, style: Style, colours: Sequence[str]) -> list[KeyEntry]:
    pairs = sorted(zip(panel.tracks, colours, strict=True), key=lambda pair: pair[0].kind in ("study", "shade"))
    entries = []
    for track, colour in pairs:
        median = median_words(track, panel.unit, panel.level)
        label = f"{style.label(track.label)}: {median}" if median else style.label(track.label)
        if track.kind == "shade":
            entries.append(KeyEntry(label, colour, "band", opacity=_SHADE))
            continue
        sample = "dot" if track.kind == "points" else "line"
        entries.append(KeyEntry(label, colour, sample, _weight(track), _dash(panel, track, style)))
        if track.kind == "points":
            entries.append(KeyEntry(f"{panel.level * 100:g}% confidence interval", colour, "line", 1.2))
            entries.append(
                KeyEntry(
                    f"{panel.level * 100:g}% prediction interval", style.palette.prediction, "line", 0.8, (2.0, 1.6)
                )
            )
            continue
        if track.kind == "pooled" and track.lower is not None:
            entries.append(KeyEntry(f"{panel.level * 100:g}% confidence band", colour, "band", opacity=0.2))
        if track.predicted is not None:
            entries.append(
                KeyEntry(f"{panel.level * 100:g}% prediction band", style.palette.prediction, "line", 0.8, (2.0, 1.6))
            )
    return entries


def _weight(track: CurveTrack) -> float:
    return {"pooled": 2.0, "arm": 1.3, "study": 0.8, "points": 0.8, "shade": 0.0}[track.kind]


def _warning(panel: CurvePanel, style: Style, left: float, right: float, y: float) -> tuple[list[Mark], float]:
    """The words of warning over synthetic data, boxed."""
    if not panel.synthetic:
        return [], y
    s, colour = style.size, style.palette.prediction
    words = panel.synthetic if "SYNTHETIC" in panel.synthetic else f"SYNTHETIC: {panel.synthetic}"
    lines = fold(words, s, right - left - 1.6 * s, bold=True)
    wide = max(text_width(line, s, bold=True) for line in lines) + 1.6 * s
    low = y + (len(lines) * LEADING + 0.7) * s
    box = Shape(((left, y), (left + wide, y), (left + wide, low), (left, low)), "#fbf1ef", colour, 0.8)
    return [box, *paragraph(lines, Text(left + 0.8 * s, y + 1.2 * s, "", s, colour, True))], low + 0.6 * s


def _watermark(panel: CurvePanel, frame: Frame, style: Style) -> list[Mark]:
    if not panel.synthetic:
        return []
    word = "SYNTHETIC"
    size = 0.8 * frame.x.length / text_width(word, 1.0, bold=True)
    size = min(size, 0.5 * abs(frame.y.length))
    x, y = frame.x.start + frame.x.length / 2, frame.y.start + frame.y.length / 2 + CAPITAL / 2 * size
    return [Text(x, y, word, size, "#f6ebe9", True, "middle", over=True)]


def _survival_side(panel: CurvePanel) -> Side:
    def texts(ticks: Sequence[float]) -> list[str]:
        return tick_texts([round(t * 100, 6) for t in ticks] if panel.percent else ticks)

    title = f"{panel.outcome} (%)" if panel.percent else panel.outcome
    return Side(0.0, 1.0, title, texts=texts, ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


#: Steps in which follow-up is read in each unit.
_CALENDAR = {
    "days": (7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 360.0, 720.0),
    "weeks": (1.0, 2.0, 4.0, 8.0, 12.0, 26.0, 52.0, 104.0),
    "months": (1.0, 3.0, 6.0, 12.0, 24.0, 60.0),
    "years": (0.25, 0.5, 1.0, 2.0, 5.0, 10.0),
}


def _time_side(panel: CurvePanel, style: Style, room: float) -> Side:
    """The time axis; its ticks stand where people count (quarters, half years) and numbers at risk are known."""
    side = Side(0.0, panel.last, time_words(panel.unit))
    scale = 10.0 ** np.floor(np.log10(panel.last / 10))
    general = [m * scale * power for power in (0.1, 1.0, 10.0) for m in (1, 2, 2.5, 3, 4, 5, 6)]
    axis = Axis(0.0, panel.last, 0.0, room)
    need = max(_widest_count(panel, style), text_width("00.0", style.size)) + 0.9 * style.size
    for ticks in round_times(panel, [*_CALENDAR.get(panel.unit, ()), *sorted(general)]):
        if 3 <= len(ticks) <= 12 and axis.at(ticks[1]) - axis.at(ticks[0]) >= need:
            return replace(side, ticks=tuple(round(t, 9) for t in ticks))
    return side


def _corners(track: CurveTrack, values: Array, last: float, start: float = 1.0) -> tuple[list[float], list[float]]:
    """The polyline of a track from (0, `start`) on, cut at `last`."""
    times, levels = [0.0], [start]
    for t, v in zip(track.time, values, strict=True):
        if not np.isfinite(v):
            continue
        if t > last:
            if track.steps:
                times.append(last)
                levels.append(levels[-1])
            else:
                share = (last - times[-1]) / (t - times[-1])
                times.append(last)
                levels.append(levels[-1] + share * (float(v) - levels[-1]))
            break
        if track.steps:
            times.append(float(t))
            levels.append(levels[-1])
        times.append(float(t))
        levels.append(float(v))
    return times, levels


def _split(times: list[float], levels: list[float], at: float) -> tuple[tuple[list[float], list[float]], ...]:
    """A polyline cut in two at time `at`."""
    level = float(np.interp(at, times, levels))
    head = [(t, v) for t, v in zip(times, levels, strict=True) if t <= at]
    tail = [(t, v) for t, v in zip(times, levels, strict=True) if t > at]
    first = [*head, (at, level)]
    second = [(at, level), *tail]
    return tuple(([t for t, _ in part], [v for _, v in part]) for part in (first, second))


def _curve(track: CurveTrack, colour: str, frame: Frame, panel: CurvePanel, style: Style) -> list[Mark]:
    marks: list[Mark] = []
    last, s = panel.last, style.size
    if track.kind == "points":
        return _points(track, colour, frame, style)
    if track.kind == "shade":
        return _shade(track, colour, frame, last)
    if track.lower is not None and track.upper is not None:
        opacity = 0.16 if track.kind == "pooled" else 0.12
        down, up = (_corners(track, np.clip(v, 0, 1), last) for v in (track.lower, track.upper))
        outline = frame.path(*up) + frame.path(*down)[::-1]
        marks.append(Shape(outline, colour, opacity=opacity))
    for limit in track.predicted or ():
        path = frame.path(*_corners(track, np.clip(limit, 0, 1), last))
        marks.append(Line(path, style.palette.prediction, 0.8, (2.0, 1.6)))
    marks += _median_guide(track, colour, frame, last)
    times, levels = _corners(track, track.survival, last)
    dash = _dash(panel, track, style)
    if track.thin_after is not None and track.thin_after < times[-1]:
        solid, dashed = _split(times, levels, track.thin_after)
        marks.append(Line(frame.path(*solid), colour, _weight(track), dash))
        marks.append(Line(frame.path(*dashed), colour, _weight(track), (1.6, 1.6)))
    else:
        marks.append(Line(frame.path(times, levels), colour, _weight(track), dash))
    for t in track.censored:
        if t <= last:
            index = int(np.searchsorted(track.time, t, side="right")) - 1
            x, y = frame.point(t, float(track.survival[index]) if index >= 0 else 1.0)
            marks.append(Line(((x, y - 0.32 * s), (x, y + 0.32 * s)), colour, 0.8))
    return marks


#: How much of the ground a shade covers.
_SHADE = 0.28


def _shade(track: CurveTrack, colour: str, frame: Frame, last: float) -> list[Mark]:
    """The ground between two step curves, one patch for each stretch on which one of them is above."""
    if track.lower is None or track.upper is None:
        return []
    down, up = (_corners(track, np.clip(v, 0, 1), last) for v in (track.lower, track.upper))
    return [Shape(frame.path(*up) + frame.path(*down)[::-1], colour, opacity=_SHADE)]


def _points(track: CurveTrack, colour: str, frame: Frame, style: Style) -> list[Mark]:
    """Values at their times: limits as whiskers with ends, those for a new trial dashed beside them, a thin line between."""
    s = style.size
    marks: list[Mark] = [Line(frame.path([0.0, *track.time], [1.0, *track.survival]), colour, 0.6, (1.2, 1.6))]
    for i, t in enumerate(map(float, track.time)):
        for pair, pen, dash, end in (
            (track.predicted, style.palette.prediction, (2.0, 1.6), 0.0),
            (None if track.lower is None or track.upper is None else (track.lower, track.upper), colour, (), 0.3),
        ):
            if pair is None:
                continue
            (x, low), (_, high) = (frame.point(t, float(limit[i])) for limit in pair)
            x += 0.0 if end else 0.45 * s
            marks.append(Line(((x, low), (x, high)), pen, 1.2 if end else 0.8, dash))
            marks += [Line(((x - 0.3 * s, y), (x + 0.3 * s, y)), pen, 1.0 if end else 0.8) for y in (low, high)]
        marks.append(Disc(*frame.point(t, float(track.survival[i])), 0.34 * s, colour))
    return marks


def _median_guide(track: CurveTrack, colour: str, frame: Frame, last: float) -> list[Mark]:
    if track.kind == "study" or not 0 <= track.median <= last:
        return []
    x, y = frame.point(track.median, 0.5)
    floor = frame.y.at(0.0)
    return [Line(((frame.x.start, y), (x, y), (x, floor)), colour, 0.6, (2.0, 2.0))]


def _with_counts(panel: CurvePanel) -> list[CurveTrack]:
    return [track for track in panel.tracks if track.at_risk is not None]


def _risk_labels(panel: CurvePanel, style: Style, limit: float) -> list[list[str]]:
    return [fold(style.label(track.label), style.size, limit) for track in _with_counts(panel)]


def _widest_count(panel: CurvePanel, style: Style) -> float:
    tracks = _with_counts(panel)
    most = max([track.at_risk(0.0) or 0 for track in tracks if track.at_risk is not None] or [0])
    return text_width("8" * max(len(str(most)), 2), style.size)


def _risk_table(
    panel: CurvePanel, frame: Frame, style: Style, labels: list[list[str]], colours: Sequence[str], left: float
) -> tuple[list[Mark], float]:
    """Numbers at risk under the ticks they belong to; a dash where a number is not known."""
    s, y = style.size, frame.bottom
    if not labels:
        return [], y
    marks: list[Mark] = [Text(left, y + 1.5 * s, style.label("Number at risk"), s, style.palette.ink, True)]
    y += 1.9 * s
    unknown = False
    ink = dict(zip(map(id, panel.tracks), colours, strict=True))
    for track, lines in zip(_with_counts(panel), labels, strict=True):
        marks += paragraph(lines, Text(left, y + 1.05 * s, "", s, ink[id(track)]))
        for tick in frame.x_ticks:
            count = track.at_risk(tick) if track.at_risk is not None else None
            text = "–" if count is None else str(count)
            unknown = unknown or count is None
            marks.append(Text(frame.x.at(tick), y + 1.05 * s, text, s, style.palette.ink, anchor="middle"))
        y += (len(lines) * LEADING + 0.2) * s
    note, y = foot_lines(["– number not known at that time"] if unknown else [], style, left, left + 1e4, y)
    return [*marks, *note], y


def _foot(panel: CurvePanel) -> list[str]:
    thin = any(track.thin_after is not None for track in panel.tracks)
    said = [panel.thin_words] if thin else []
    return [*said, *panel.footer]
