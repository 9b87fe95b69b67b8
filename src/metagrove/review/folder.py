"""A review folder as a value: the protocol and the tables, read and checked, with the digest of each file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from metagrove.core.errors import DataError, SpecError, UnknownName
from metagrove.review.columns import TABLES
from metagrove.review.figure_rows import FigureState, figure_states, with_figures
from metagrove.review.spec import (
    Analysis,
    ComparisonAnalysis,
    HarmsAnalysis,
    ProportionAnalysis,
    ReviewSpec,
    parse_review,
)
from metagrove.review.storage import digest_of
from metagrove.review.tables import Row, Table, decoded, parse_table

__all__ = ["Review", "open_review"]

_NEEDS = {
    "proportion": ("responses",),
    "survival": ("curves",),
    "harms": ("adverse_events",),
    "comparison": ("comparisons",),
}


@dataclass(frozen=True, slots=True)
class Review:
    """One review: where it lies, what it asks (`spec`), and its tables by name.

    `table(name)` raises where a table is missing; `faults` are rows that cannot be meant, in the order of the files.
    """

    path: Path
    spec: ReviewSpec
    tables: Mapping[str, Table]
    figures: tuple[FigureState, ...] = ()

    @property
    def faults(self) -> tuple[DataError, ...]:
        """Every row that could not be read, as the error that names it."""
        return tuple(fault for table in self.tables.values() for fault in table.faults)

    @property
    def digest(self) -> str:
        """The identity of the review: its protocol and all its tables."""
        figures = [[state.status, *state.reasons, state.digest] for state in self.figures]
        return digest_of(
            self.spec.model_dump(mode="json"), {name: t.digest for name, t in self.tables.items()}, figures
        )

    def table(self, name: str) -> Table:
        """The table; raises DataError where its file is not in the folder."""
        if name in self.tables:
            return self.tables[name]
        raise DataError("no such file in the review folder; an analysis in review.toml needs it", file=f"{name}.csv")

    def rows(self, name: str) -> tuple[Row, ...]:
        """The table's rows; none where there is no such table."""
        return self.tables[name].rows if name in self.tables else ()

    def study(self, name: str) -> Row | None:
        """The study's row in studies.csv."""
        return next((row for row in self.rows("studies") if row.text("study").lower() == name.lower()), None)

    def label(self, name: str) -> str:
        """How the study is named in tables and figures: its label, else name and year."""
        row = self.study(name)
        if row is None:
            return name
        if row.text("label"):
            return row.text("label")
        year = row.text("year")
        return f"{name} {year}" if year and year not in name else name

    def analysis(self, name: str) -> Analysis:
        """The analysis called `name`; raises UnknownName."""
        for analysis in self.spec.analysis:
            if analysis.name == name:
                return analysis
        raise UnknownName("analysis", name, [analysis.name for analysis in self.spec.analysis])


def _read(path: Path, file: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=file) from None


def _same_study(spec: ReviewSpec, tables: Mapping[str, Table]) -> None:
    """Refuse an analysis that names a study, outcome or column that the tables do not hold."""
    whole = "studies" in tables and not tables["studies"].faults
    studies = [row.text("study") for row in tables["studies"].rows] if whole else []
    for figure in spec.figure:
        if studies and figure.study.lower() not in {s.lower() for s in studies}:
            raise SpecError(f"review.toml, figure '{figure.file}': {UnknownName('study', figure.study, studies)}")
    named = [analysis.name for analysis in spec.analysis]
    for judged in spec.certainty:
        if judged not in named:
            raise SpecError(f"review.toml, certainty: {UnknownName('analysis', judged, named)}")
    for analysis in spec.analysis:
        for gone in analysis.exclude:
            if studies and gone.study.lower() not in {s.lower() for s in studies}:
                raise SpecError(f"review.toml, analysis '{analysis.name}': {UnknownName('study', gone.study, studies)}")
        if isinstance(analysis, ProportionAnalysis | ComparisonAnalysis) and analysis.subgroup:
            own = "comparisons" if isinstance(analysis, ComparisonAnalysis) else "responses"
            known = _columns(tables, "studies") + (_columns(tables, own) if own == "comparisons" else [])
            if analysis.subgroup not in known:
                where = "studies.csv or comparisons.csv" if own == "comparisons" else "studies.csv"
                name = UnknownName(f"column of {where}", analysis.subgroup, known)
                raise SpecError(f"review.toml, analysis '{analysis.name}', subgroup: {name}")
        for table, column, wanted in _asked(analysis):
            drawn = {figure.endpoint for figure in spec.figure} if table == "curves" else set()
            if table in tables or drawn:
                rows = tables[table].rows if table in tables else ()
                there = sorted(({row.text(column) for row in rows} | drawn) - {""})
                if wanted.lower() not in {t.lower() for t in there}:
                    name = UnknownName(f"{column} in {table}.csv", wanted, there)
                    raise SpecError(f"review.toml, analysis '{analysis.name}': {name}")


def _columns(tables: Mapping[str, Table], name: str) -> list[str]:
    """The names under which a table's cells are found: ours, and those of columns that mean nothing to us."""
    if name not in tables:
        return []
    known = sorted(set(tables[name].mapping.values()))
    rows = tables[name].rows
    return known + ([column for column in rows[0].texts if column not in known] if rows else [])


def _asked(analysis: Analysis) -> list[tuple[str, str, str]]:
    if isinstance(analysis, ProportionAnalysis):
        return [("responses", "outcome", analysis.outcome)]
    if isinstance(analysis, ComparisonAnalysis):
        return [("comparisons", "outcome", analysis.outcome)]
    if isinstance(analysis, HarmsAnalysis):
        return []
    return [("curves", "endpoint", analysis.endpoint)]


def open_review(path: str | Path) -> Review:
    """The review in the folder `path`, its protocol and tables read; nothing is written.

    Raises
    ------
    DataError
        The folder or a file cannot be read; the message names file, row and column. Rows that cannot be meant do not
        raise here: they are in `Review.faults`.
    SpecError
        `review.toml` asks for something unknown; the message names the line and the nearest known name.

    Examples
    --------
    >>> open_review("/nowhere")
    Traceback (most recent call last):
    ...
    metagrove.core.errors.DataError: /nowhere: there is no such folder; 'metagrove new DIR' makes one
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError("there is no such folder; 'metagrove new DIR' makes one", file=str(path))
    protocol = folder / "review.toml"
    if not protocol.is_file():
        raise DataError("no review.toml in this folder; 'metagrove new DIR' writes one to start from", file=str(path))
    spec = parse_review(decoded(_read(protocol, "review.toml"), "review.toml"))
    for name in spec.synthetic:
        if name not in TABLES:
            raise SpecError(f"review.toml, synthetic: {UnknownName('table', name, TABLES)}")
    for name in spec.columns:
        if name not in TABLES:
            raise SpecError(f"review.toml, columns: {UnknownName('table', name, TABLES)}")
    tables: dict[str, Table] = {}
    studies: list[str] = []
    for name, layout in TABLES.items():
        file = folder / layout.file
        if not file.is_file():
            continue
        content = _read(file, layout.file)
        tables[name] = parse_table(layout, content, given=spec.columns.get(name), known_studies=studies)
        if name == "studies":
            faulty = [fault.row for fault in tables[name].faults]
            studies = [row.text("study") for row in tables[name].rows] if not faulty else []
    for analysis in spec.analysis:
        for needed in _NEEDS[analysis.kind]:
            if needed not in tables and not (needed == "curves" and spec.figure):
                raise DataError(
                    f"there is no such file; analysis '{analysis.name}' in review.toml needs it", file=f"{needed}.csv"
                )
    _same_study(spec, tables)
    figures = figure_states(folder, spec)
    tables = with_figures(tables, figures, spec.time_unit)
    return Review(folder, spec, MappingProxyType(tables), figures)
