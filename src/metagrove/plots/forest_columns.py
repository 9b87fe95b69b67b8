"""The columns of a forest plot: what each prints, how wide it must be, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, log10

from metagrove.plots.forest_table import ForestRow, ForestTable
from metagrove.plots.marks import LEADING, Line, Mark, Text, fold, paragraph, text_width, tidy
from metagrove.plots.style import Style

__all__ = ["Leaf", "Spread", "decimals_for", "leaves_of", "spread"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One column: `texts` by row number, all set to the same edge; `x` and `width` in points.

    Leaves of one `group` share a heading above theirs. The keys "study" and "plot" are elastic.
    """

    key: str
    heading: str = ""
    group: str = ""
    anchor: str = "end"
    texts: Mapping[int, str] | None = None
    gap: float = 0.0
    width: float = 0.0
    x: float = 0.0

    @property
    def edge(self) -> float:
        """Where its text is set: the left edge, the middle or the right edge."""
        return self.x + {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * self.width


@dataclass(frozen=True, slots=True)
class Spread:
    """The columns placed side by side: the leaves, the folded labels by row, and the width of the whole."""

    leaves: tuple[Leaf, ...]
    labels: Mapping[int, list[str]]
    width: float
    margin: float

    def named(self, key: str) -> Leaf:
        """The leaf of that key."""
        return next(leaf for leaf in self.leaves if leaf.key == key)

    @property
    def text_span(self) -> float:
        """The width free for lines of text at the left, up to the plot."""
        plot = self.named("plot")
        after = [leaf for leaf in self.leaves if leaf.x > plot.x]
        if plot.x > self.margin + 1:
            return plot.x - self.margin - plot.gap
        return (after[0].x if after else self.width) - self.margin


def decimals_for(table: ForestTable, style: Style) -> int:
    """Decimals that show two digits of a typical interval's half-width: 2 to 4, for percentages 1 or 2."""
    if style.decimals is not None:
        return style.decimals
    factor = 100 if table.percent else 1
    widths = sorted((r.upper - r.lower) * factor / 2 for r in table.studies() if 0 < r.upper - r.lower < float("inf"))
    if not widths:
        return 1 if table.percent else 2
    typical = widths[len(widths) // 2]
    need = int(1 - log10(typical) // 1) if typical > 0 else 2
    return max(1, min(need, 2)) if table.percent else max(2, min(need, 4))


def _effect_texts(row: ForestRow, table: ForestTable, style: Style, decimals: int) -> tuple[str, str, str]:
    note, factor = style.notation, 100 if table.percent else 1
    number = [note.number(v * factor, decimals) for v in (row.estimate, row.lower, row.upper)]
    if not row.shown:
        return row.note or style.label("not estimable"), "", ""
    point = number[0] if isfinite(row.estimate) else ""
    if row.lower != row.lower or row.upper != row.upper:
        return point, "", ""
    return point, f"{note.opening}{number[1]}{note.between}", f"{number[2]}{note.closing}"


def _effect_leaves(table: ForestTable, style: Style) -> list[Leaf]:
    decimals, rows = decimals_for(table, style), list(enumerate(table.rows()))
    texts = {i: _effect_texts(row, table, style, decimals) for i, row in rows}
    name = f"{table.effect} (%)" if table.percent else table.effect
    note = style.notation
    group = f"{name} {note.opening}{100 * table.level:g}%\u00a0CI{note.closing}"
    parts = [{i: t[j] for i, t in texts.items() if rows[i][1].shown} for j in range(3)]
    words = {i: t[0] for i, t in texts.items() if not rows[i][1].shown}
    tight, s = 0.3 * style.size, style.size
    found = [Leaf("effect", group=group, texts=parts[0], gap=1.6 * s)]
    found += [Leaf(f"effect{j}", group=group, texts=parts[j], gap=tight) for j in (1, 2)]
    widths = [_widest_cell(p, table, style) for p in parts]
    lack = max(0.0, _widest(words.values(), style) - sum(widths) - 2 * tight)
    found[2] = replace(found[2], texts={**parts[2], **words})
    widths[0] += lack
    return [replace(leaf, width=w) for leaf, w in zip(found, widths, strict=True)]


def leaves_of(table: ForestTable, style: Style) -> list[Leaf]:
    """The columns in the style's order, with their own widths; those of "study" and "plot" still open."""
    s, rows = style.size, list(enumerate(table.rows()))
    found: list[Leaf] = []
    for key in style.order:
        if key == "study":
            found.append(Leaf("study", heading=style.label(table.label_heading), anchor="start"))
        elif key == "plot":
            found.append(Leaf("plot", anchor="middle", gap=1.6 * s))
        elif key == "effect":
            found.extend(_effect_leaves(table, style))
        elif key == "cells":
            for j, column in enumerate(table.columns):
                cells = {i: tidy(r.cells[j]) for i, r in rows if r.cells and r.cells[j]}
                names = style.label(column.heading), style.label(column.group) if column.group else ""
                found.append(Leaf(f"cell{j}", names[0], names[1], column.anchor, cells, 1.6 * s))
        elif key == "weight":
            for j, heading in enumerate(table.weight_headings):
                known = {i: r.weights[j] for i, r in rows if r.weights}
                shares = {i: f"{w:.1f}%" for i, w in known.items() if w is not None}
                names = (style.label(heading), style.label("Weight"))
                names = names if len(table.weight_headings) > 1 else (names[1], "")
                found.append(Leaf(f"weight{j}", *names, "end", shares, 1.6 * s))
        elif key == "bias":
            for j in range(len(table.bias_domains)):
                gap = 1.8 * s if j == 0 else 0.25 * s
                letter = chr(65 + j) if j < 26 else str(j + 1)
                found.append(Leaf(f"bias{j}", letter, style.label("Risk of bias"), "middle", gap=gap, width=1.5 * s))
    return _with_widths(found, table, style)


def _widest_cell(texts: Mapping[int, str], table: ForestTable, style: Style) -> float:
    """The width of the widest cell; cells of summary rows are bold."""
    bold = [row.kind in ("common", "random") for row in table.rows()]
    return max((text_width(t, style.size, bold=bold[i]) for i, t in texts.items()), default=0.0)


def _widest(texts: object, style: Style, *, bold: bool = False) -> float:
    return max((text_width(t, style.size, bold=bold) for t in texts), default=0.0)  # type: ignore[attr-defined]


def _words(heading: str) -> list[str]:
    return [word.replace("\u00a0", " ") for word in heading.split(" ")]


def _with_widths(leaves: list[Leaf], table: ForestTable, style: Style) -> list[Leaf]:
    """Widths from content and from the longest word of each heading, shared headings included."""
    sized = []
    for leaf in leaves:
        content = leaf.width or _widest_cell(leaf.texts or {}, table, style)
        head = _widest(_words(leaf.heading), style, bold=True) if leaf.heading and leaf.key != "study" else 0.0
        sized.append(replace(leaf, width=max(content, head)))
    return _with_shared_headings(sized, style)


def _with_shared_headings(leaves: list[Leaf], style: Style) -> list[Leaf]:
    """Columns whose run is as wide as the longest word of the heading they share."""
    sized = list(leaves)
    for first, last in groups(sized):
        span = sum(leaf.width for leaf in sized[first : last + 1]) + sum(
            leaf.gap for leaf in sized[first + 1 : last + 1]
        )
        lack = _widest(_words(sized[first].group), style, bold=True) - span
        if lack > 0:
            sized[first] = replace(sized[first], width=sized[first].width + lack)
    return sized


def groups(leaves: Sequence[Leaf]) -> list[tuple[int, int]]:
    """First and last position of each run of neighbours under one shared heading."""
    found: list[tuple[int, int]] = []
    for i, leaf in enumerate(leaves):
        if leaf.group and found and found[-1][1] == i - 1 and leaves[i - 1].group == leaf.group:
            found[-1] = (found[-1][0], i)
        elif leaf.group:
            found.append((i, i))
    return found


#: From roomy to tight, in ems: where labels fold, how wide text below the studies may run, share of the gaps kept,
#: and the narrowest plot.
_TIGHTER = ((28, 25, 1.0, 16), (24, 25, 0.9, 14), (20, 22, 0.75, 12), (16, 19, 0.65, 11), (13, 16, 0.55, 10))


#: Text may shrink to this share of its size where that gives a crowded plot more room.
_SHRINK = 0.875


def spread(table: ForestTable, style: Style, width: float | None) -> Spread:
    """The columns placed for a page `width` points wide, or as wide as they like where None.

    Labels are folded sooner and gaps closed on a narrow page; the plot takes what is left, within limits.
    """
    s, margin, leaves = style.size, 0.8 * style.size, leaves_of(table, style)
    indent = 0.9 * s if any(block.heading for block in table.blocks) else 0.0
    for limit, run, share, smallest in _TIGHTER:
        # Closing the gaps inside a run must not leave its shared heading too narrow for a word.
        closed = [replace(leaf, gap=leaf.gap * share if leaf.gap > s else leaf.gap) for leaf in leaves]
        close = _with_shared_headings(closed, style)
        rest = sum(leaf.width + leaf.gap for leaf in close) + 2 * margin - close[0].gap
        labels, label_width = _labels(table, style, limit * s - indent)
        label_width = _room_for_notes(table, style, close, label_width + indent, run * s)
        plot = 19 * s if width is None else min(width - rest - label_width, 48 * s)
        if plot >= smallest * s:
            break
    if width is not None and plot < 17 * s:
        plot = max(plot, min(17 * s, width / _SHRINK - rest - label_width))
    placed: list[Leaf] = []
    x = margin
    for leaf in close:
        wide = {"study": label_width, "plot": max(plot, smallest * s)}.get(leaf.key, leaf.width)
        x += leaf.gap if placed else 0.0
        placed.append(replace(leaf, x=x, width=wide))
        x += wide
    return Spread(tuple(placed), labels, x + margin, margin)


def _labels(table: ForestTable, style: Style, limit: float) -> tuple[dict[int, list[str]], float]:
    rows = list(enumerate(table.rows()))
    folded = {i: fold(style.label(r.label), style.size, limit, bold=r.kind in ("common", "random")) for i, r in rows}
    widths = [
        text_width(line, style.size, bold=rows[i][1].kind in ("common", "random"))
        for i, lines in folded.items()
        for line in lines
    ]
    heading = text_width(style.label(table.label_heading), style.size, bold=True)
    return folded, max([*widths, heading])


def _room_for_notes(table: ForestTable, style: Style, leaves: Sequence[Leaf], label_width: float, run: float) -> float:
    """The label column's width, enlarged where the lines of text below the studies need it."""
    notes = [note for block in table.blocks for note in block.notes] + list(table.notes)
    headings = [block.heading for block in table.blocks if block.heading]
    if not notes and not headings:
        return label_width
    plot = next((i for i, leaf in enumerate(leaves) if leaf.key == "plot"), 0)
    before = sum(leaf.width + leaf.gap for leaf in leaves[:plot] if leaf.key != "study")
    longest = max([text_width(tidy(n), 0.9 * style.size) for n in notes] + [_widest(headings, style, bold=True)])
    return max(label_width, min(longest + 1, run) - before)


def header(spread_: Spread, style: Style, top: float) -> tuple[list[Mark], float]:
    """The headings of the columns, bottom-aligned from `top` on, and the height that they take."""
    s, ink = style.size, style.palette.ink
    leaves = spread_.leaves
    own = {i: fold(leaf.heading, s, leaf.width + 0.1, bold=True) for i, leaf in enumerate(leaves) if leaf.heading}
    low = max((len(lines) for lines in own.values()), default=0)
    shared = {}
    for first, last in groups(leaves):
        width = leaves[last].x + leaves[last].width - leaves[first].x
        lines = fold(leaves[first].group, s, width + 0.1, bold=True)
        shared[first] = (last, lines, not any(leaf.heading for leaf in leaves[first : last + 1]))
    high = max((len(lines) for _, lines, bare in shared.values() if not bare), default=0)
    low = max([low] + [len(lines) - high for _, lines, bare in shared.values() if bare])
    pitch, split = LEADING * s, 0.45 * s if high else 0.0
    base = top + (high + low) * pitch + split - 0.3 * s
    marks: list[Mark] = []
    for i, lines in own.items():
        leaf = leaves[i]
        start = Text(leaf.edge, base - (len(lines) - 1) * pitch, "", s, ink, True, leaf.anchor)
        marks += paragraph(lines, start)
    for first, (last, lines, bare) in shared.items():
        left, right = leaves[first].x, leaves[last].x + leaves[last].width
        bottom = base if bare else top + high * pitch - 0.3 * s
        single = first == last and leaves[first].anchor == "end"
        x, anchor = (right, "end") if single else ((left + right) / 2, "middle")
        marks += paragraph(lines, Text(x, bottom - (len(lines) - 1) * pitch, "", s, ink, True, anchor))
        if not bare and not single:
            y = bottom + 0.38 * s
            marks.append(Line(((left, y), (right, y)), style.palette.rule, 0.5))
    return marks, base + 0.6 * s - top
