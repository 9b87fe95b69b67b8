"""Figures that a review names: how each stands, and the rows of curves, numbers at risk and marks it gives."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metagrove.core.errors import DataError, SpecError
from metagrove.core.units import convert_time
from metagrove.review.columns import TABLES
from metagrove.review.figure_files import FigureProject, parse_project
from metagrove.review.spec import FigureSource, ReviewSpec
from metagrove.review.storage import digest_of
from metagrove.review.tables import Row, Table

__all__ = ["FigureState", "effective_hints", "figure_states", "missing_figure", "with_figures"]


@dataclass(frozen=True, slots=True)
class FigureState:
    """One arm that a figure shows: where it is named, how its reading stands, and the arm where it may be used.

    `status` is `ok`, `confirmed` (by a person), `doubtful` (`reasons` say why; `arm` is None), `unread`, `stale` (the
    figure or its hints changed since) or `missing`. `unit` is that of the arm's times, `assumed` where nothing says so.
    """

    source: FigureSource
    status: str
    reasons: tuple[str, ...] = ()
    arm: Mapping[str, Any] | None = None
    unit: str = ""
    assumed: bool = False
    edits: tuple[str, ...] = ()
    by: str = ""
    how: str = ""
    axis_end: float = 0.0
    digest: str = ""

    @property
    def usable(self) -> bool:
        """Whether the arm's numbers may enter an analysis."""
        return self.arm is not None


def figure_states(folder: Path, spec: ReviewSpec) -> tuple[FigureState, ...]:
    """How each figure of the protocol stands; nothing is read from pictures here and nothing is written.

    Raises
    ------
    DataError
        A project file that cannot be meant.
    """
    projects: dict[str, FigureProject | None] = {}
    digests: dict[str, str] = {}
    for source in spec.figure:
        if source.file not in digests:
            picture, project = folder / source.file, folder / source.project
            digests[source.file] = hashlib.sha256(picture.read_bytes()).hexdigest() if picture.is_file() else ""
            projects[source.file] = parse_project(project.read_bytes(), source.project) if project.is_file() else None
    return tuple(_state(s, digests[s.file], projects[s.file], spec.time_unit) for s in spec.figure)


def _state(source: FigureSource, digest: str, project: FigureProject | None, time_unit: str) -> FigureState:
    if not digest:
        return FigureState(source, "missing", ("there is no such file in the review folder",))
    if project is None:
        return FigureState(source, "unread", ("it has not been read yet; 'metagrove run' reads it",))
    state = FigureState(
        source,
        "doubtful",
        edits=tuple(edit.line() for edit in project.all_edits),
        by=str(project.confirmed.get("by", "")),
        digest=project.seal,
    )
    told = (project.hints or {}) == effective_hints(source, project)
    if project.digest != digest or not told or project.moved_axes:
        return replace(state, status="stale", reasons=("the figure or its hints changed since it was read",))
    doubts = project.doubts(source.figure - 1)
    if doubts:
        return replace(state, reasons=tuple(doubts))
    figure = project.reading[source.figure - 1]
    arm, why = _arm(source, figure["arms"])
    if arm is None:
        return replace(state, reasons=(why,))
    unit = source.unit or figure["axis"]["unit"]
    return replace(
        state,
        status="confirmed" if project.signed else "ok",
        arm=arm,
        unit=unit or time_unit,
        assumed=not unit,
        how=figure["source"],
        axis_end=max(value for _, value in figure["axes"]["x"]),
    )


def effective_hints(source: FigureSource, project: FigureProject | None) -> dict[str, Any]:
    """The hints of the protocol, with the axes that a person has moved in the project file."""
    hints = dict(source.hints)
    moved = {e.what.removeprefix("axes."): e.now for e in (project.edits if project else ()) if e.what[:5] == "axes."}
    if moved:
        hints["axes"] = {**hints.get("axes", {}), **moved}
    return hints


def _arm(source: FigureSource, arms: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any] | None, str]:
    names = [str(arm["name"]) for arm in arms]
    if not source.arm:
        if len(arms) == 1:
            return arms[0], ""
        return None, f"it shows {len(arms)} arms ({', '.join(names)}); name one with arm = in review.toml"
    for arm in arms:
        if str(arm["name"]).strip().lower() == source.arm.lower():
            return arm, ""
    return (
        None,
        f"it shows no arm '{source.arm}' but {', '.join(names)}; correct review.toml or the name in the reading",
    )


def with_figures(tables: Mapping[str, Table], states: Sequence[FigureState], time_unit: str) -> dict[str, Table]:
    """The tables with the rows of every usable figure; rows of at_risk.csv and censor_marks.csv go before the figure's.

    Raises
    ------
    SpecError
        A study whose curve stands both in curves.csv and in a figure.
    """
    out = dict(tables)
    for state in states:
        if not state.usable:
            continue
        made = _rows(state, time_unit)
        for name in ("curves", "at_risk", "censor_marks"):
            there = [row for row in out[name].rows if _mine(row, state.source)] if name in out else []
            if there and name == "curves":
                raise SpecError(
                    f"review.toml: {state.source.endpoint} of '{state.source.study}' is both in {state.source.file} "
                    f"and in {there[0].file}, row {there[0].number}; keep one"
                )
            if made[name] and not there:
                out[name] = _extended(out.get(name), name, made[name])
    return out


def _mine(row: Row, source: FigureSource) -> bool:
    return (row.text("study").lower(), row.text("endpoint").lower()) == (source.study.lower(), source.endpoint.lower())


def _extended(table: Table | None, name: str, rows: list[Row]) -> Table:
    digest = digest_of(table.digest if table else "", [dict(row.texts) for row in rows])
    if table is None:
        names = {column.name: column.name for column in TABLES[name].columns}
        return Table(name, TABLES[name].file, tuple(rows), MappingProxyType(names), digest)
    return replace(table, rows=table.rows + tuple(rows), digest=digest)


def _rows(state: FigureState, time_unit: str) -> dict[str, list[Row]]:
    arm = state.arm or {}

    def time(value: float) -> float:
        return value if state.unit == time_unit else round(convert_time(value, state.unit, time_unit), 6)

    curve = [{"time": time(t), "survival": s} for t, s in arm["curve"]]
    risk = [{"time": time(c["time"]), "n": c["n"]} for c in arm["at_risk"]]
    marks = [{"time": time(t)} for t in arm["marks"]]
    made = {"curves": curve, "at_risk": risk, "censor_marks": marks}
    return {name: [_row(state, i, values) for i, values in enumerate(lines, 1)] for name, lines in made.items()}


def _row(state: FigureState, number: int, values: Mapping[str, Any]) -> Row:
    source = state.source
    texts = {
        "study": source.study,
        "endpoint": source.endpoint,
        **{name: f"{value:.10g}" for name, value in values.items()},
        "document": source.document or source.file,
        "locator": source.locator or f"arm '{(state.arm or {})['name']}', read from the {state.how} figure",
    }
    return Row(number, MappingProxyType(dict(values)), MappingProxyType(texts), source.project, state.digest)


def missing_figure(state: FigureState) -> DataError:
    """The error for a figure that is not in the folder."""
    return DataError("there is no such file in the review folder; review.toml names it", file=state.source.file)
