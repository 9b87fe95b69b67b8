"""A new review folder, with an example to replace or from a table that exists."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from metagrove.app.products import csv_bytes
from metagrove.core.errors import DataError
from metagrove.review.columns import TABLES, column_mapping
from metagrove.review.storage import write_folder
from metagrove.review.tables import read_rows

__all__ = ["new_review"]

_TOML = """\
# The protocol of this review. Run it with: metagrove run DIR
version = 1
title = {title}
question = ""
time_unit = "months"
{analyses}"""

_ANALYSIS = """
[[analysis]]
name = "{name}"
title = {title}
kind = "proportion"
outcome = {outcome}
{subgroup}sm = "PLOGIT"        # PRAW, PLN, PLOGIT, PAS or PFT
method = "GLMM"      # GLMM (with PLOGIT) or Inverse
method_tau = "{tau}"
"""

_HARMS = """
[[analysis]]
name = "harms"
title = "Adverse events"
kind = "harms"
grade = ""
"""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "outcome"


def _quoted(text: str) -> str:
    """The text as a TOML string (the escapes of JSON are a part of TOML's)."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def _protocol(folder: Path, outcomes: Sequence[str], *, subgroup: str = "", harms: bool = False) -> str:
    line = f'subgroup = "{subgroup}"\n' if subgroup else ""
    parts = [
        _ANALYSIS.format(name=_slug(name), title=_quoted(name), outcome=_quoted(name), subgroup=line, tau="ML")
        for name in outcomes
    ]
    if harms:
        parts.append(_HARMS)
    title = folder.resolve().name.replace("-", " ").replace("_", " ").title()
    return _TOML.format(title=_quoted(title), analyses="".join(parts))


def _template(folder: Path) -> dict[str, bytes]:
    root = files("metagrove.app").joinpath("template")
    tables = {name: root.joinpath(name).read_bytes() for name in ("studies.csv", "responses.csv")}
    protocol = _protocol(folder, ["Objective response"], subgroup="drug")
    return {"review.toml": protocol.encode(), **tables}


def _sheets(source: Path) -> list[tuple[str, list[str], list[list[str]]]]:
    """Name, header and rows of each table in the file."""
    if source.suffix.lower() in (".csv", ".tsv", ".txt"):
        header, rows = read_rows(source.read_bytes(), source.name)
        return [(source.stem, header, [fields for _, fields in rows])]
    if source.suffix.lower() in (".xlsx", ".xlsm"):
        return _workbook(source)
    raise DataError("tables are read from .csv, .tsv and .xlsx", file=source.name)


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
    named = [key for key in TABLES if _slug(name).replace("-", "_") == key]
    for key in named + [
        key for key in ("adverse_events", "responses", "survival", "at_risk", "curves", "studies") if key not in named
    ]:
        try:
            return key, column_mapping(TABLES[key], header)
        except DataError:
            continue
    return None


def _responses(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]], str]:
    """A table of `study, event, n[, group]` without an outcome, as rows of responses.csv."""
    layout = TABLES["responses"]
    mapping = column_mapping(layout, [*header, "outcome"])
    del mapping["outcome"]
    group = next(
        (
            name
            for name in header
            if name not in mapping and _slug(name) in ("drug", "subgroup", "group", "treatment", "class")
        ),
        "",
    )
    return ["outcome", *header], [["Response", *row] for row in rows], group


def _started(folder: Path, source: Path) -> tuple[dict[str, bytes], list[str]]:
    made: dict[str, bytes] = {}
    told: list[str] = []
    outcomes: list[str] = []
    studies: dict[str, list[str]] = {}
    group = ""
    for name, header, rows in _sheets(source):
        found = _table_of(name, header)
        if found is None or (found[0] == "studies" and _slug(name) != "studies"):
            # A table of events without a column for the outcome is responses; one without events describes studies.
            try:
                header, rows, group = _responses(header, rows)
                found = "responses", column_mapping(TABLES["responses"], header)
            except DataError:
                pass
        if found is None:
            told.append(f"sheet '{name}': no table fits its columns ({', '.join(header)}); left out")
            continue
        table, mapping = found
        renamed = [mapping.get(title, title) for title in header]
        made[f"{table}.csv"] = csv_bytes(renamed, rows)
        told += [
            f"{table}.csv: column '{theirs}' read as '{ours}'" for theirs, ours in mapping.items() if theirs != ours
        ]
        study = renamed.index("study")
        for row in rows:
            extra = row[header.index(group)] if group else ""
            studies.setdefault(row[study], [row[study], extra])
        if table == "responses":
            outcomes = list(dict.fromkeys(row[renamed.index("outcome")] for row in rows))
    if not made:
        raise DataError("; ".join(told) or "holds no table that fits", file=source.name)
    if "studies.csv" not in made:
        columns = ["study", _slug(group)] if group else ["study"]
        made["studies.csv"] = csv_bytes(columns, [row[: len(columns)] for row in studies.values()])
    subgroup = _slug(group) if group else ""
    protocol = _protocol(folder, outcomes, subgroup=subgroup, harms="adverse_events.csv" in made)
    return {"review.toml": protocol.encode(), **made}, told


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
    made, told = _started(folder, source) if source else (_template(folder), [])
    folder.mkdir(parents=True, exist_ok=True)
    write_folder(folder, made)
    return {"files": [str(folder / name) for name in made], "mapping": told}
