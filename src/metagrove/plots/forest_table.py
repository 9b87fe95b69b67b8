"""What a forest plot shows, as one value that knows nothing of how it was computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from metagrove.core.errors import DataError

__all__ = ["ForestBlock", "ForestColumn", "ForestRow", "ForestTable"]

KINDS = ("study", "common", "random", "prediction")


@dataclass(frozen=True, slots=True)
class ForestColumn:
    """A column beside the plot: its heading, a heading shared with its neighbours, and start or end alignment."""

    heading: str
    group: str = ""
    anchor: str = "end"


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of the plot, on the reporting scale.

    Parameters
    ----------
    label : the study, or what the summary is called.
    estimate, lower, upper : NaN where not estimable, infinite limits allowed; a prediction has limits only.
    kind : study, common or random (a diamond), or prediction (a bar).
    weights : percent of each model shown, in the order of the table's `weight_headings`; None leaves a gap.
    cells : text for each extra column, empty for a gap.
    bias : a judgement for each of the table's `bias_domains`.
    note : said in place of estimate and interval where they are missing.
    """

    label: str
    estimate: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    kind: str = "study"
    weights: tuple[float | None, ...] = ()
    cells: tuple[str, ...] = ()
    bias: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"{self.label}: a row of kind '{self.kind}'; known: {', '.join(KINDS)}")
        if self.lower > self.upper:
            raise DataError(f"{self.label}: interval from {self.lower:g} to {self.upper:g}; the second limit is higher")

    @property
    def shown(self) -> bool:
        """Whether there is anything to draw."""
        return isfinite(self.estimate) or (self.kind == "prediction" and self.lower <= self.upper)


@dataclass(frozen=True, slots=True)
class ForestBlock:
    """Studies under one heading, their summary rows, and lines of text below them (heterogeneity, "one study")."""

    rows: tuple[ForestRow, ...]
    heading: str = ""
    summaries: tuple[ForestRow, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForestTable:
    """Everything a forest plot shows.

    Parameters
    ----------
    blocks : one block for each subgroup, or one without a heading.
    effect : the name of the effect, over its column and under the axis.
    columns : the extra columns; each row has as many cells.
    summaries, notes : the overall rows, and the lines of text below them.
    weight_headings : one for each weight of a row; squares follow the last.
    logarithmic : whether the axis is logarithmic (ratios).
    reference : the value of no effect, where there is one; a thin line marks it.
    percent : whether values are proportions to be printed as percentages.
    limits : the ends of the axis; None chooses them.
    directions : what the left and the right of `reference` favour.
    bias_domains : domain names of the risk-of-bias columns.
    footer : lines on methods, at the foot.
    level : coverage of the studies' intervals.
    """

    blocks: tuple[ForestBlock, ...]
    effect: str
    columns: tuple[ForestColumn, ...] = ()
    summaries: tuple[ForestRow, ...] = ()
    notes: tuple[str, ...] = ()
    weight_headings: tuple[str, ...] = ()
    logarithmic: bool = False
    reference: float | None = None
    percent: bool = False
    limits: tuple[float, float] | None = None
    directions: tuple[str, str] = ("", "")
    bias_domains: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    title: str = ""
    label_heading: str = "Study"
    level: float = 0.95

    def __post_init__(self) -> None:
        if not any(block.rows for block in self.blocks):
            raise DataError("a forest plot without studies")
        for row in self.rows():
            for what, found, wanted in (
                ("cells", row.cells, self.columns),
                ("weights", row.weights, self.weight_headings),
                ("judgements", row.bias, self.bias_domains),
            ):
                if found and len(found) != len(wanted):
                    raise DataError(f"{row.label}: {len(found)} {what} for {len(wanted)} columns")
            if self.logarithmic and row.shown and row.lower < 0:
                raise DataError(f"{row.label}: {row.lower:g} on a logarithmic axis; ratios are above 0")
        if self.limits and not self.limits[0] < self.limits[1]:
            raise DataError(f"axis limits {self.limits[0]:g} and {self.limits[1]:g}; the second is higher")

    def studies(self) -> Iterator[ForestRow]:
        """The studies of all blocks, from top to bottom."""
        for block in self.blocks:
            yield from block.rows

    def rows(self) -> Iterator[ForestRow]:
        """Studies and summaries in the order of the plot."""
        for block in self.blocks:
            yield from block.rows
            yield from block.summaries
        yield from self.summaries

    def records(self) -> list[dict[str, Any]]:
        """The rows behind the plot as plain dicts, with the block each belongs to."""
        found = []
        homes = [(b.heading, (*b.rows, *b.summaries)) for b in self.blocks] + [("", self.summaries)]
        for heading, rows in homes:
            for row in rows:
                cells = row.cells or ("",) * len(self.columns)
                names = [f"{c.group} {c.heading}".strip() for c in self.columns]
                weights = row.weights or (None,) * len(self.weight_headings)
                found.append(
                    {"block": heading, "kind": row.kind, "label": row.label}
                    | dict(zip(names, cells, strict=True))
                    | {"estimate": row.estimate, "lower": row.lower, "upper": row.upper}
                    | dict(zip(self.weight_headings, weights, strict=True))
                    | dict(zip(self.bias_domains, row.bias or ("",) * len(self.bias_domains), strict=True))
                )
        return found
