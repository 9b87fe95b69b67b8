"""Risk of bias: the traffic light, one dot for each study and domain, and the summary bars, one for each domain.

McGuinness LA, Higgins JPT. Risk-of-bias VISualization (robvis). Res Synth Methods 2021;12:55-61
(doi:10.1002/jrsm.1411); the columns are those of its files: Study, D1 ... Dn, Overall, Weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metagrove.core.errors import DataError
from metagrove.plots.bias_colours import JUDGEMENTS, dot, judgement_key, judgement_of
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import foot_lines, title_lines
from metagrove.plots.marks import CAPITAL, LEADING, Line, Mark, Page, Shape, Text, fold, paragraph, text_width, tidy
from metagrove.plots.style import Style, style_of

__all__ = ["BiasTable", "bias_summary", "bias_table", "traffic_light"]


@dataclass(frozen=True, slots=True)
class BiasTable:
    """Judgements of risk of bias.

    Parameters
    ----------
    studies : k labels.
    domains : d names of domains.
    judgements : k rows of d judgements, "" where there is none.
    overall : k judgements, or empty where the tool has none.
    weights : k weights of the meta-analysis for the summary bars, or empty for equal weights.
    tool : the instrument, such as "RoB 2".
    """

    studies: tuple[str, ...]
    domains: tuple[str, ...]
    judgements: tuple[tuple[str, ...], ...]
    overall: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    tool: str = ""

    def __post_init__(self) -> None:
        if not self.studies or not self.domains:
            raise DataError("risk of bias without studies or without domains")
        for name, found in (("judgements", self.judgements), ("overall", self.overall), ("weights", self.weights)):
            if found and len(found) != len(self.studies):
                raise DataError(f"{len(found)} {name} for {len(self.studies)} studies")
        for study, row in zip(self.studies, self.judgements, strict=True):
            if len(row) != len(self.domains):
                raise DataError(f"{study}: {len(row)} judgements for {len(self.domains)} domains")
            for judgement in row:
                judgement_of(judgement)
        if any(not w >= 0 for w in self.weights) or (self.weights and not sum(self.weights) > 0):
            raise DataError("weights of studies are 0 or above, and not all 0")

    @property
    def columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each domain, and the overall judgement where there is one, with its k judgements."""
        found = [(name, tuple(row[j] for row in self.judgements)) for j, name in enumerate(self.domains)]
        return (*found, *((("Overall", self.overall),) if self.overall else ()))

    def records(self) -> list[dict[str, Any]]:
        """One dict for each study, keyed by domain."""
        return [
            {"Study": study} | {name: judgement_of(column[i]) for name, column in self.columns}
            for i, study in enumerate(self.studies)
        ]


def bias_table(rows: Iterable[Mapping[str, Any]], *, domains: Sequence[str] = (), tool: str = "") -> BiasTable:
    """The judgements of a robvis table: one mapping a study with Study, one key a domain, Overall and Weight.

    `domains` names the domains in order where the keys are only D1, D2, ...
    """
    listed = [{str(key): value for key, value in row.items()} for row in rows]
    if not listed:
        raise DataError("risk of bias without studies")
    fixed = {"study", "overall", "weight"}
    names = {key.lower(): key for key in listed[0]}
    if "study" not in names:
        raise DataError(f"risk of bias has no column 'Study'; it has {', '.join(listed[0])}")
    keys = [key for key in listed[0] if key.lower() not in fixed]
    titles = tuple(domains) or tuple(keys)
    if len(titles) != len(keys):
        raise DataError(f"{len(titles)} names for {len(keys)} domains")
    return BiasTable(
        tuple(str(row[names["study"]]) for row in listed),
        titles,
        tuple(tuple(str(row[key] or "") for key in keys) for row in listed),
        tuple(str(row[names["overall"]]) for row in listed) if "overall" in names else (),
        tuple(float(row[names["weight"]]) for row in listed) if "weight" in names else (),
        tool,
    )


def traffic_light(table: BiasTable, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The traffic light plot: a dot for each study and domain, and the overall judgement after a gap."""
    look = style_of(style)
    return Drawing(lambda width: _lights_page(table, look, width, title), look, tuple(table.records()))


def bias_summary(table: BiasTable, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The summary plot: for each domain the share of studies with each judgement, weighted where weights are given."""
    look = style_of(style)
    shares = tuple({"domain": name} | _shares(table, column) for name, column in table.columns)
    return Drawing(lambda width: _summary_page(table, look, width, title), look, shares)


def _shares(table: BiasTable, column: Sequence[str]) -> dict[str, float]:
    """Percent of the studies' weight with each judgement, best first."""
    weights = table.weights or (1.0,) * len(column)
    found = dict.fromkeys(JUDGEMENTS, 0.0)
    for judgement, weight in zip(column, weights, strict=True):
        found[judgement_of(judgement)] += 100 * weight / sum(weights)
    return {name: share for name, share in found.items() if share > 0}


def _lights_page(table: BiasTable, style: Style, width: float | None, title: str) -> Page:
    s, margin = style.size, 0.8 * style.size
    columns = table.columns
    heads = [f"D{i + 1}" for i in range(len(table.domains))] + (["Overall"] if table.overall else [])
    pitch = [max(2.6 * s, text_width(head, s, bold=True) + s) for head in heads]
    gap = 0.8 * s if table.overall else 0.0
    limit = 24 * s if width is None else min(max(width - sum(pitch) - gap - 2 * margin - s, 12 * s), 40 * s)
    folded = [fold(study, s, limit) for study in table.studies]
    labels = max(text_width(line, s) for lines in [*folded, ["Study"]] for line in lines) + 0.5 * s
    natural = 2 * margin + labels + s + sum(pitch) + gap
    wide = max(natural, min(width, 1.6 * natural) if width is not None else 36 * s)
    start = margin + labels + s
    marks, y = title_lines(title, style, margin, wide - margin, 0.8 * s)
    places = [start + sum(pitch[:j]) + pitch[j] / 2 + (gap if heads[j] == "Overall" else 0) for j in range(len(heads))]
    marks.append(Text(margin, y + s, style.label("Study"), s, style.palette.ink, True))
    for x, head in zip(places, heads, strict=True):
        marks.append(Text(x, y + s, style.label(head), s, style.palette.ink, True, "middle"))
    y += 1.5 * s
    right = start + sum(pitch) + gap
    marks.append(Line(((margin, y), (right, y)), style.palette.ink, 0.6))
    for i, lines in enumerate(folded):
        tall = max(len(lines) * LEADING * s + 0.7 * s, 2.1 * s)
        middle = y + tall / 2
        first = middle + CAPITAL / 2 * s - (len(lines) - 1) / 2 * LEADING * s
        marks += paragraph(lines, Text(margin, first, "", s, style.palette.ink))
        for x, (_, column) in zip(places, columns, strict=True):
            marks += dot(column[i], x, middle, 0.78 * s) if column[i] else []
        y += tall
        marks.append(Line(((margin, y), (right, y)), style.palette.faint, 0.6))
    key, y = _keys(table, style, margin, wide - margin, y + 0.5 * s, domains=True)
    return Page(wide, y + 0.8 * s, (*marks, *key), tidy(title or "Risk of bias by study and domain"))


def _keys(
    table: BiasTable, style: Style, left: float, right: float, top: float, *, domains: bool
) -> tuple[list[Mark], float]:
    marks: list[Mark] = []
    if domains:
        names = [f"D{i + 1}\u00a0{name}" for i, name in enumerate(table.domains)]
        tool = [f"Instrument: {table.tool}."] if table.tool else []
        marks, top = foot_lines([*names, *tool], style, left, right, top)
        top += 0.3 * style.size
    used = {judgement_of(j) for _, column in table.columns for j in column if j}
    dots, top = judgement_key(used, style, left, right, top)
    return [*marks, *dots], top


def _summary_page(table: BiasTable, style: Style, width: float | None, title: str) -> Page:
    s, margin = style.size, 0.8 * style.size
    wide = max(width if width is not None else 58 * s, 30 * s)
    limit = min(0.42 * wide, 30 * s)
    columns = table.columns
    folded = [fold(style.label(name), s, limit, bold=name == "Overall") for name, _ in columns]
    labels = max(text_width(t, s, bold=True) for lines in folded for t in lines)
    start = margin + min(labels, limit) + s
    length = wide - margin - 1.4 * s - start
    marks, y = title_lines(title, style, margin, wide - margin, 0.8 * s)
    y += 0.3 * s
    for (name, column), lines in zip(columns, folded, strict=True):
        tall = max(len(lines) * LEADING * s, 1.5 * s) + 0.6 * s
        middle, bold = y + tall / 2, name == "Overall"
        first = middle + CAPITAL / 2 * s - (len(lines) - 1) / 2 * LEADING * s
        marks += paragraph(lines, Text(margin, first, "", s, style.palette.ink, bold))
        marks += _bar(_shares(table, column), start, length, middle, 0.75 * s, s)
        y += tall
    for percent in (0, 25, 50, 75, 100):
        x = start + length * percent / 100
        marks.append(Line(((x, y), (x, y + 0.35 * s)), style.palette.ink, 0.6))
        marks.append(Text(x, y + 1.4 * s, f"{percent}%", s, style.palette.ink, anchor="middle"))
    marks.append(Line(((start, y), (start + length, y)), style.palette.ink, 0.6))
    weighed = "Bars are weighted by the studies' weights in the meta-analysis." if table.weights else ""
    foot = [weighed] if weighed else []
    foot += [f"Instrument: {table.tool}."] if table.tool else []
    said, y = foot_lines(foot, style, margin, wide - margin, y + 1.9 * s)
    key, y = _keys(table, style, margin, wide - margin, y + 0.3 * s, domains=False)
    return Page(wide, y + 0.8 * s, (*marks, *said, *key), tidy(title or "Risk of bias by domain"))


def _bar(shares: Mapping[str, float], x: float, length: float, y: float, half: float, s: float) -> list[Mark]:
    """A stacked bar with the share written inside where it has room."""
    marks: list[Mark] = []
    for name, share in shares.items():
        fill, _, letters = JUDGEMENTS[name]
        wide = length * share / 100
        box = ((x, y - half), (x + wide, y - half), (x + wide, y + half), (x, y + half))
        marks.append(Shape(box, fill, "#ffffff", 0.6))
        words = f"{share:.0f}%"
        if text_width(words, 0.88 * s) + 0.6 * s < wide:
            place = y + CAPITAL / 2 * 0.88 * s
            marks.append(Text(x + wide / 2, place, words, 0.88 * s, letters, anchor="middle", over=True))
        x += wide
    return marks
