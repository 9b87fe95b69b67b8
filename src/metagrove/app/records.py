"""Search exports to works: import, duplicates, and the three files that `metagrove dedupe` writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagrove.app.products import csv_bytes
from metagrove.core.errors import DataError
from metagrove.review.duplicates.clusters import Duplicates, find_duplicates
from metagrove.review.records.csv import answer_rows
from metagrove.review.records.export import read_export
from metagrove.review.records.reading import RECORD_COLUMNS, Import, joined_imports, record_row
from metagrove.review.storage import write_folder

__all__ = ["Deduplicated", "dedupe_files", "duplicate_files", "import_files"]


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """What `dedupe` found: the import, its duplicates, and the files written."""

    imported: Import
    duplicates: Duplicates
    files: tuple[str, ...]

    @property
    def flagged(self) -> bool:
        """Whether a person must look: open questions, or something that could not be read."""
        return bool(self.duplicates.questions or self.imported.refused)

    def counts(self) -> dict[str, int]:
        """Records read, works, duplicates removed, questions, related pairs, refusals and warnings."""
        works = len(set(self.duplicates.cluster_of))
        return {
            "records": len(self.imported.records),
            "works": works,
            "duplicates": len(self.imported.records) - works,
            "questions": len(self.duplicates.questions),
            "related": len(self.duplicates.related),
            "refused": len(self.imported.refused),
            "warnings": len(self.imported.warnings),
        }


def _names(files: Sequence[Path]) -> list[str]:
    """A name for each file: its own, with as many folders before it as tell it from the others."""
    names = [path.name for path in files]
    depth = 2
    while len(set(names)) < len(names) and depth < 12:
        twice = {name for name in names if names.count(name) > 1}
        names = [
            "/".join(path.parts[-depth:]) if name in twice else name for path, name in zip(files, names, strict=True)
        ]
        depth += 1
    if len(set(names)) < len(names):
        raise DataError("the same file was given twice", file=next(name for name in names if names.count(name) > 1))
    return names


def import_files(files: Sequence[Path]) -> Import:
    """The records of several export files, in the order given.

    Raises
    ------
    DataError
        A file that cannot be opened, or no record in any of them.
    """
    parts = []
    for path, name in zip(files, _names(files), strict=True):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", file=str(path)) from None
        parts.append(read_export(content, name))
    imported = joined_imports(parts)
    if not imported.records:
        first = imported.refused[0]
        reason = first.reason if "no records found" in first.reason else f"no records found: {first.reason}"
        raise DataError(reason, file=first.file, row=first.line)
    return imported


def duplicate_files(imported: Import, found: Duplicates) -> dict[str, bytes]:
    """The files of `dedupe` by name: records.csv, questions.csv, import.json, merges.csv and related.csv."""
    header = ("record_id", "cluster_id", *RECORD_COLUMNS)
    rows = [
        (record.record_id, cluster, *record_row(record))
        for record, cluster in zip(found.records, found.cluster_of, strict=True)
    ]
    links = ("record_a", "record_b", "why")
    report: dict[str, Any] = imported.report()
    return {
        "records.csv": csv_bytes(header, rows),
        "questions.csv": csv_bytes(links, [(q.record_a, q.record_b, q.why) for q in found.questions]),
        "merges.csv": csv_bytes(links, [(m.record_a, m.record_b, m.why) for m in found.merges]),
        "related.csv": csv_bytes(links, [(r.record_a, r.record_b, r.why) for r in found.related]),
        "import.json": (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode(),
    }


def dedupe_files(files: Sequence[Path], out: Path, *, answers: Path | None = None) -> Deduplicated:
    """Import `files`, find the works among their records, and write the result to `out`.

    Parameters
    ----------
    files : exports of any kind.
    out : the folder to write: records.csv, questions.csv, merges.csv, related.csv, import.json.
    answers : questions.csv with a column `same` (yes or no), filled in by a person.
    """
    imported = import_files(files)
    given: tuple[tuple[str, str, bool], ...] = ()
    if answers is not None:
        try:
            given = tuple(answer_rows(answers.read_bytes(), answers.name))
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", file=str(answers)) from None
    found = find_duplicates(imported.records, answers=given)
    made = duplicate_files(imported, found)
    write_folder(out, made)
    return Deduplicated(imported, found, tuple(made))
