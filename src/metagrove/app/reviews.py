"""Reviews and their records from Python: the functions behind the front door, which take paths as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from metagrove.app.flow import Flow, flow_of_folder
from metagrove.app.records import import_files
from metagrove.app.screening import screening_of
from metagrove.app.searching import strategies
from metagrove.app.workflow import Rebuilt, check_review, rebuild
from metagrove.review.duplicates.clusters import Duplicates, find_duplicates
from metagrove.review.exports import written_records
from metagrove.review.records.reading import Import, Record
from metagrove.review.screening import Screening
from metagrove.review.storage import write_atomically

__all__ = [
    "check_review",
    "deduplicate",
    "read_records",
    "review_flow",
    "run_review",
    "screening_state",
    "search_strategies",
    "write_records",
]


def read_records(*files: str | Path) -> Import:
    """The records of search exports of any kind, with `records`, `refused` and `warnings`.

    Raises
    ------
    DataError
        A file that cannot be opened, or no record in any of them.
    """
    return import_files([Path(file) for file in files])


def deduplicate(records: Import | Iterable[Record], *, answers: Iterable[tuple[str, str, bool]] = ()) -> Duplicates:
    """The works among records: `works`, `merges` with the rule of each, `questions` for a person, `related` works.

    Parameters
    ----------
    records : what `read_records` gave, or records.
    answers : decisions of a person: two record ids, and whether they are one work.

    >>> one = Record("a", "f", 1, 1, title="Lenvatinib in thyroid cancer", authors=("Li, N",), year=2020, journal="Thyroid")
    >>> from dataclasses import replace
    >>> len(deduplicate([one, replace(one, record_id="b", title=one.title.upper())]).works)
    1
    """
    return find_duplicates(records.records if isinstance(records, Import) else tuple(records), answers=answers)


def write_records(records: Sequence[Record], path: str | Path, *, form: str = "ris") -> None:
    """The records written for another program: ris, csv, bibtex, zotero, covidence, endnote or rayyan."""
    write_atomically(Path(path), written_records(records, form))


def screening_state(path: str | Path) -> Screening:
    """The state of screening of a review folder: outcomes by stage, agreement of reviewers, questions."""
    return screening_of(Path(path))


def review_flow(path: str | Path) -> Flow:
    """The PRISMA 2020 flow of a review folder; `boxes` may be given to `metagrove.flow` to draw it.

    Raises
    ------
    DataError
        The numbers do not close; names the records.
    """
    return flow_of_folder(Path(path))


def search_strategies(path: str | Path, *, database: str = "") -> Mapping[str, str]:
    """The search of a review in the syntax of each of its databases, or of one."""
    return strategies(Path(path), database)


def run_review(path: str | Path, *, formats: Sequence[str] = ("html",)) -> Rebuilt:
    """Everything in the folder's `out/` made again where it is stale; `report` is where the report stands."""
    return rebuild(path, formats=formats)
