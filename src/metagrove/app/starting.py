"""A new review folder, with an example to replace or from a table that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from metagrove.app.products import csv_bytes
from metagrove.app.protocols import comparison_block, harms_block, proportion_block, protocol_text, slug, slugs
from metagrove.app.revman_folder import revman_files
from metagrove.core.errors import DataError
from metagrove.review.cells import numbers_in
from metagrove.review.columns import TABLES, column_mapping, named_ratio
from metagrove.review.storage import write_folder
from metagrove.review.tables import Sheet, read_sheet

__all__ = ["new_review"]

#: Columns of comparisons.csv of which one pair makes a table a comparison of two arms, and those of a reported effect.
_TWO_ARMS = (("event_e", "event_c"), ("mean_e", "mean_c"))
_REPORTED = (("te", "se"), ("te", "lower", "upper"))
_BY_HEADING = {
    "HR": ("hr", "hazard"), "OR": ("or", "odds"), "RR": ("rr", "risk-ratio", "relative-risk"), "SMD": ("smd",),
    "MD": ("md", "mean-difference"), "IRR": ("irr", "rate-ratio"),
}  # fmt: skip


@dataclass(slots=True)
class _Found:
    """What a source holds, as it is read: tables, studies, what the analyses need, and what is told."""

    files: dict[str, bytes] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    studies: dict[str, dict[str, str]] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    comparisons: list[dict[str, str]] = field(default_factory=list)
    subgroup: str = ""


_MORE = """
# Further parts, where they are needed:
# [search]
# date = "2026-01-31"
# databases = ["PubMed", "Embase", "Cochrane CENTRAL"]
#
# [search.concepts]              # metagrove search writes them in the syntax of each database
# disease = ["anaplastic thyroid cancer", "anaplastic thyroid carcinoma"]
# drug = ["lenvatinib", "sorafenib"]
#
# [certainty.objective-response] # the summary of findings after GRADE
# studies = "other observational"
# imprecision = { steps = -1, why = "few patients" }
"""


def _template(folder: Path) -> dict[str, bytes]:
    root = files("metagrove.app").joinpath("template")
    tables = {name: root.joinpath(name).read_bytes() for name in ("studies.csv", "responses.csv")}
    block = proportion_block("objective-response", "Objective response", subgroup="drug")
    return {"review.toml": protocol_text(folder, [block]) + _MORE.encode(), **tables}


def _sheets(source: Path) -> list[tuple[str, list[str], list[list[str]]]]:
    """Name, header and rows of each table in the file."""
    if source.suffix.lower() in (".csv", ".tsv", ".txt"):
        sheet = read_sheet(source.read_bytes(), source.name)
        return [(source.stem, sheet.header, _with_points(sheet))]
    if source.suffix.lower() in (".xlsx", ".xlsm"):
        return _workbook(source)
    raise DataError("tables are read from .csv, .tsv and .xlsx, RevMan 5 reviews from .rm5", file=source.name)


def _with_points(sheet: Sheet) -> list[list[str]]:
    """The rows of a file, numbers written with decimal points where it has decimal commas: our own tables have commas."""
    notation = sheet.notation()
    if notation.decimal != ",":
        return [fields for _, fields in sheet.rows]
    made = []
    for number, fields in sheet.rows:
        try:
            made.append([notation.plain(text) if numbers_in(text) else text for text in fields])
        except DataError as error:
            raise DataError(error.message, file=sheet.file, row=number, rule=error.rule) from None
    return made


def _workbook(source: Path) -> list[tuple[str, list[str], list[list[str]]]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(source, read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001  # openpyxl raises whatever its parser met
        raise DataError(f"is no workbook that can be read: {error}", file=source.name) from None
    sheets = []
    for sheet in book.worksheets:
        filled = [["" if v is None else _text(v) for v in row] for row in sheet.iter_rows(values_only=True)]
        rows = [row for row in filled if any(cell.strip() for cell in row)]
        if len(rows) > 1:
            sheets.append((sheet.title, [name.strip() for name in rows[0]], rows[1:]))
    book.close()
    if not sheets:
        raise DataError("no sheet holds a header and a row", file=source.name)
    return sheets


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _table_of(name: str, header: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """The table a sheet holds, and its column mapping: by its name, else the first whose columns fit."""
    named = [key for key in TABLES if slug(name).replace("-", "_") == key]
    others = ("adverse_events", "responses", "survival", "at_risk", "curves", "studies")
    if not named and _two_arms(header, _TWO_ARMS):
        return "comparisons", _two_arms(header, _TWO_ARMS)
    for key in named + [key for key in others if key not in named]:
        if key == "comparisons" and _two_arms(header, _TWO_ARMS + _REPORTED):
            return key, _two_arms(header, _TWO_ARMS + _REPORTED)
        if key == "studies" and key not in named and _two_arms(header, _REPORTED):
            return "comparisons", _two_arms(header, _REPORTED)
        try:
            return key, column_mapping(TABLES[key], header)
        except DataError:
            continue
    return None


def _two_arms(header: Sequence[str], forms: Sequence[Sequence[str]]) -> dict[str, str]:
    """The mapping to comparisons.csv where the header holds one of `forms`, else nothing; an outcome may be missing."""
    try:
        mapping = column_mapping(TABLES["comparisons"], header if _has_outcome(header) else [*header, "outcome"])
    except DataError:
        return {}
    there = set(mapping.values())
    fits = any(there.issuperset(form) for form in forms)
    return {theirs: ours for theirs, ours in mapping.items() if theirs in header} if fits else {}


def _has_outcome(header: Sequence[str]) -> bool:
    names = {"outcome", *next(c.also for c in TABLES["comparisons"].columns if c.name == "outcome")}
    return any(slug(name).replace("-", "_") in names for name in header)


def _responses(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]], str]:
    """A table of `study, event, n[, group]` without an outcome, as rows of responses.csv."""
    layout = TABLES["responses"]
    mapping = column_mapping(layout, [*header, "outcome"])
    del mapping["outcome"]
    group = next(
        (
            name
            for name in header
            if name not in mapping and slug(name) in ("drug", "subgroup", "group", "treatment", "class")
        ),
        "",
    )
    return ["outcome", *header], [["Response", *row] for row in rows], group


def _measure(header: Sequence[str], mapping: Mapping[str, str]) -> tuple[str, bool]:
    """The measure that the table's own columns suggest, and whether a ratio stands in it as printed."""
    ours = set(mapping.values())
    if {"event_e", "event_c"} <= ours:
        return "RR", False
    if {"mean_e", "mean_c"} <= ours:
        return "MD", False
    heading = next((theirs for theirs in header if mapping.get(theirs) == "te"), "")
    bare = slug(heading)
    known = (code for code, words in _BY_HEADING.items() if any(re.search(rf"(^|-|log|ln){w}", bare) for w in words))
    return next(known, ""), named_ratio(heading)


def _compare(found: _Found, name: str, header: list[str], rows: list[list[str]], mapping: Mapping[str, str]) -> None:
    """Take in a table of two arms: its rows, its studies with the columns that describe them, and its analyses."""
    about = column_mapping(TABLES["studies"], ["study", *(title for title in header if title not in mapping)])
    outcome = slug(name).replace("-", " ").capitalize()
    settings: dict[str, tuple[str, bool]] = {}
    for row in rows:
        cells = {mapping.get(title, title): cell for title, cell in zip(header, row, strict=False)}
        described = {ours: cells.pop(theirs) for theirs, ours in about.items() if theirs in cells and ours != "study"}
        cells.setdefault("outcome", outcome)
        known = found.studies.setdefault(cells["study"], {"study": cells["study"]})
        known.update({ours: text for ours, text in described.items() if text and ours not in known})
        settings.setdefault(cells["outcome"], _measure(header, mapping))
        found.comparisons.append(cells)
    split = "subgroup" in mapping.values()
    told = "RR, OR, RD or ASD" if {"event_e", "event_c"} <= set(mapping.values()) else "MD, SMD or ROM"
    for wanted, (measure, printed) in settings.items():
        keys: list[tuple[str, str | bool | float, str]] = []
        if measure:
            keys.append(("sm", measure, told if measure in ("RR", "MD") and "te" not in mapping.values() else ""))
        keys += [("scale", "printed", "the effects are ratios, not logarithms")] if printed else []
        keys += [("subgroup", "subgroup", "")] if split else []
        found.outcomes.append(wanted)
        found.blocks.append(comparison_block(slugs(found.outcomes)[-1], wanted, keys))


def _single_arm(
    found: _Found, table: str, mapping: Mapping[str, str], sheet: tuple[list[str], list[list[str]], str]
) -> None:
    """Take in any other table as it is, with its studies."""
    header, rows, group = sheet
    renamed = [mapping.get(title, title) for title in header]
    found.files[f"{table}.csv"] = csv_bytes(renamed, rows)
    study = renamed.index("study")
    for row in rows:
        known = found.studies.setdefault(row[study], {"study": row[study]})
        if group:
            known.setdefault(slug(group), row[header.index(group)])
    found.subgroup = slug(group) if group else found.subgroup
    if table == "responses":
        for wanted in dict.fromkeys(row[renamed.index("outcome")] for row in rows):
            found.outcomes.append(wanted)
            block = proportion_block(slugs(found.outcomes)[-1], wanted, subgroup=slug(group) if group else "")
            found.blocks.append(block)


def _take(found: _Found, name: str, header: list[str], rows: list[list[str]]) -> None:
    """Take in one sheet, or tell why not."""
    fit, group = _table_of(name, header), ""
    if fit is None or (fit[0] == "studies" and slug(name) != "studies"):
        # A table of events without a column for the outcome is responses; one without events describes studies.
        try:
            header, rows, group = _responses(header, rows)
            fit = "responses", column_mapping(TABLES["responses"], header)
        except DataError:
            pass
    if fit is None:
        found.told.append(f"sheet '{name}': no table fits its columns ({', '.join(header)}); left out")
        return
    table, mapping = fit
    found.told += [
        f"{table}.csv: column '{theirs}' read as '{ours}'" for theirs, ours in mapping.items() if theirs != ours
    ]
    if table == "comparisons":
        _compare(found, name, header, rows, mapping)
    else:
        _single_arm(found, table, mapping, (header, rows, group))


def _started(folder: Path, source: Path) -> tuple[dict[str, bytes], list[str]]:
    found = _Found()
    for name, header, rows in _sheets(source):
        _take(found, name, header, rows)
    made = found.files
    if found.comparisons:
        made["comparisons.csv"] = _rows_file(found.comparisons, ("outcome", "study"))
    if not made:
        raise DataError("; ".join(found.told) or "holds no table that fits", file=source.name)
    if "studies.csv" not in made:
        made["studies.csv"] = _rows_file(list(found.studies.values()), ("study",))
    blocks = [*found.blocks, *([harms_block()] if "adverse_events.csv" in made else [])]
    return {"review.toml": protocol_text(folder, blocks), **made}, found.told


def _rows_file(rows: Sequence[Mapping[str, str]], first: Sequence[str]) -> bytes:
    """A CSV file of rows whose columns may differ."""
    columns = list(dict.fromkeys([*first, *(name for row in rows for name in row)]))
    return csv_bytes(columns, [[row.get(name, "") for name in columns] for row in rows])


def new_review(folder: Path, source: Path | None = None) -> dict[str, list[str]]:
    """The files of a new review folder and how the columns of `source` were read.

    Raises
    ------
    DataError
        The folder holds something already, or `source` holds no table that fits.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("is there already and not empty; nothing was changed", file=str(folder))
    if source is not None and not source.is_file():
        raise DataError("there is no such file", file=str(source))
    if source is not None and source.suffix.lower() in (".rm5", ".xml"):
        made, told = revman_files(folder, source)
    else:
        made, told = _started(folder, source) if source else (_template(folder), [])
    folder.mkdir(parents=True, exist_ok=True)
    write_folder(folder, made)
    return {"files": [str(folder / name) for name in made], "mapping": told}
