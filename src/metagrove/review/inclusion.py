"""Which included works report which studies of studies.csv, and what is left over on either side."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metagrove.review.records.reading import Record
from metagrove.review.tables import Row

__all__ = ["Inclusion", "included_studies"]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The works that each study rests on, by study; works that belong to no study, and studies without a work."""

    works: Mapping[str, tuple[Record, ...]]
    strangers: tuple[Record, ...]
    bare: tuple[str, ...]


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9 ]+", "", bare.replace("-", " "))


def _fits(record: Record, row: Row) -> bool:
    """Whether the study is called after the record's first author and year."""
    family = _plain(record.first_author)
    told = f" {_plain(row.text('study'))} {_plain(row.text('label'))} "
    if not family or f" {family} " not in told:
        return False
    years = {int(year) for year in re.findall(r"\b(?:19|20)\d\d\b", told)} | ({row["year"]} if row["year"] else set())
    return record.year is None or not years or any(abs(record.year - year) <= 1 for year in years)


def included_studies(groups: Sequence[Sequence[Record]], rows: Sequence[Row]) -> Inclusion:
    """The works of each study.

    Parameters
    ----------
    groups : for each included work all its records, the best one first.
    rows : studies.csv. A column `record` may name the ids of a study's records, with semicolons; else a DOI that stands in
        the row, or the first author's family name with the year (one year apart is allowed), finds them.
    """
    works: dict[str, list[Record]] = {row.text("study"): [] for row in rows}
    strangers = []
    for group in groups:
        ids = {record.record_id for record in group}
        dois = {record.doi for record in group if record.doi}
        told = [row for row in rows if ids & {part.strip() for part in row.text("record").split(";")}]
        told = told or [row for row in rows if any(doi in text.lower() for doi in dois for text in row.texts.values())]
        told = told or [row for row in rows if not row.text("record") and any(_fits(record, row) for record in group)]
        if len(told) == 1:
            works[told[0].text("study")].append(group[0])
        else:
            strangers.append(group[0])
    bare = tuple(study for study, found in works.items() if not found)
    return Inclusion({study: tuple(found) for study, found in works.items() if found}, tuple(strangers), bare)
