"""The search of a review: its concepts, its text for each database, and which included studies it could have found."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metagrove.app.live_search import SERVICES, Connection, live_search
from metagrove.app.products import Product
from metagrove.core.errors import DataError, UnknownName
from metagrove.report.document import Cell, Column, Section, Table
from metagrove.review.folder import Review, open_review
from metagrove.review.search_strategy import (
    DATABASES,
    Concept,
    SearchStrategy,
    database_named,
    met_terms,
    rendered,
    strategy_of,
)
from metagrove.review.spec import Search
from metagrove.review.storage import write_atomically
from metagrove.review.tables import Row

__all__ = ["material", "product", "searched_live", "strategies"]

_PRISMA_S = (
    "Rethlefsen ML, Kirtley S, Waffenschmidt S, et al. PRISMA-S: an extension to the PRISMA statement for reporting "
    "literature searches in systematic reviews. Syst Rev 2021;10:39. doi:10.1186/s13643-020-01542-z"
)
#: Columns of studies.csv whose words a search may meet.
_TOLD = ("study", "label", "year", "drug", "population", "design")


def material(review: Review, included: Sequence[Mapping[str, Any]]) -> list[Any]:
    """All that the search section depends on."""
    rows = [[row.number, [row.text(name) for name in _TOLD]] for row in review.rows("studies")]
    return [review.spec.search.model_dump(mode="json"), rows, list(included)]


def _databases(search: Search) -> list[str]:
    """The databases of the search that a strategy can be written for; all where the search names none."""
    named = [found for found in map(database_named, search.databases) if found]
    return list(dict.fromkeys(named)) or [
        name for name in DATABASES if name not in ("Europe PMC", "ClinicalTrials.gov")
    ]


def strategies(folder: Path, database: str = "") -> dict[str, str]:
    """The search in the syntax of each of its databases, or of one.

    Raises
    ------
    DataError
        review.toml names no concepts.
    UnknownName
        A database that a strategy cannot be written for.
    """
    search = open_review(folder).spec.search
    strategy = strategy_of(search.model_dump())
    if strategy is None:
        message = "names no concepts; write [search.concepts] with a list of terms for each"
        raise DataError(message, file=str(folder / "review.toml"))
    if not database:
        return {name: rendered(strategy, name) for name in _databases(search)}
    known = database_named(database)
    if known is None:
        raise UnknownName("database", database, DATABASES)
    return {known: rendered(strategy, known)}


_LIVE = {"pubmed": "PubMed", "europepmc": "Europe PMC", "clinicaltrials": "ClinicalTrials.gov"}


def searched_live(folder: Path, service: str, *, at: str, address: str = "", replace: bool = False) -> dict[str, Any]:
    """What a service found, after its records stand in `search/` and the search in `search/searches.jsonl`.

    Parameters
    ----------
    service : pubmed, europepmc or clinicaltrials.
    at : the time of the search, ISO 8601.
    address : another address of the service; its own by default.
    replace : whether an earlier export of the service may be overwritten.

    Raises
    ------
    DataError
        No concepts, an earlier export with other content, or a service that does not answer.
    """
    name = "".join(letter for letter in service.lower() if letter.isalpha())
    name = {"clinicaltrialsgov": "clinicaltrials", "ctgov": "clinicaltrials"}.get(name, name)
    if name not in _LIVE:
        raise UnknownName("search service", service, _LIVE)
    (query,) = strategies(folder, _LIVE[name]).values()
    key, email = os.environ.get("NCBI_API_KEY", ""), os.environ.get("NCBI_EMAIL", "")
    own = Connection(address or SERVICES[name][0])
    if name == "pubmed":
        own.api_key, own.email, own.interval = key, email, 0.11 if key else 0.34
    if address:
        own.interval = 0.0
    found = live_search(name, query, connection=own)
    path = folder / "search" / found.file
    if path.is_file() and path.read_bytes() != found.content and not replace:
        raise DataError("stands there with other records; give --replace to overwrite it", file=str(path))
    if found.total:
        write_atomically(path, found.content)
    line = {"at": at, "service": _LIVE[name], "query": query, "total": found.total, "file": found.file}
    log = folder / "search" / "searches.jsonl"
    before = log.read_bytes() if log.is_file() else b""
    write_atomically(log, before + json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return line | {"file": str(path) if found.total else ""}


def product(review: Review, included: Sequence[Mapping[str, Any]]) -> Product:
    """The section on the search, and the search of each database as a file."""
    search = review.spec.search
    strategy = strategy_of(search.model_dump())
    tables: list[Table] = []
    files: dict[str, bytes] = {}
    code: list[tuple[str, str]] = []
    cautions: list[str] = []
    if strategy is not None:
        texts = {name: rendered(strategy, name) for name in _databases(search)}
        code = list(texts.items())
        files = {f"search/{_file(name)}.txt": f"{text}\n".encode() for name, text in texts.items()}
        tables.append(_concepts(strategy))
        covered, cautions = _coverage(strategy, review.rows("studies"), included, review)
        tables += [covered] if covered is not None else []
    section = Section(
        name="review-search",
        title="Search",
        kind="search",
        headline=_headline(search),
        methods=_methods(search, strategy),
        references=(_PRISMA_S,) if strategy is not None else (),
        tables=tuple(tables),
        cautions=tuple(([search.note] if search.note else []) + cautions),
        code=tuple(code),
    )
    return Product(section, files)


def _file(database: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", database.lower()).strip("-")


def _headline(search: Search) -> tuple[str, ...]:
    parts = [f"Searched on {search.date}" if search.date else "", ", ".join(search.databases)]
    told = ": ".join(part for part in parts if part)
    return (f"{told}.",) if told else ()


def _methods(search: Search, strategy: SearchStrategy | None) -> str:
    if strategy is None:
        return ""
    count = len(strategy.concepts)
    limits = []
    if strategy.first_year or strategy.last_year:
        limits.append(
            f"publication years {strategy.first_year or 'from the first'} to {strategy.last_year or 'the last'}"
        )
    if strategy.languages:
        limits.append(f"languages {', '.join(strategy.languages)}")
    several = (
        f"{count} concepts joined by AND, the terms of each by OR"
        if count > 1
        else "one concept, its terms joined by OR"
    )
    return f"The search had {several}{'; limits: ' + '; '.join(limits) if limits else ', without limits'}."


def _concepts(strategy: SearchStrategy) -> Table:
    rows = []
    for concept in strategy.concepts:
        headings = [f"{heading} ({kind})" for kind, found in concept.headings.items() for heading in found]
        rows.append((Cell(concept.name), Cell(", ".join(concept.terms)), Cell(", ".join(headings) or "none")))
    return Table(
        "Concepts of the search", (Column("Concept"), Column("Terms"), Column("Subject headings")), tuple(rows)
    )


def _meets(concept: Concept, row: Row, records: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    """The terms that find the study, and whether its whole abstract was there to look in."""
    texts = [row.text("drug"), row.text("population"), row.text("design"), *(record["text"] for record in records)]
    return ", ".join(met_terms(concept, " ; ".join(texts))), any(record["abstract"] for record in records)


def _coverage(
    strategy: SearchStrategy, rows: Sequence[Row], included: Sequence[Mapping[str, Any]], review: Review
) -> tuple[Table | None, list[str]]:
    """For each included study and concept the terms that find it, and what the search could not have found."""
    if not rows:
        return None, []
    body, gaps, unsure = [], [], False
    for row in rows:
        records = [record for record in included if record["study"] == row.text("study")]
        cells = [Cell(review.label(row.text("study")))]
        for concept in strategy.concepts:
            found, whole = _meets(concept, row, records)
            drug = row.text("drug")
            if found:
                cells.append(Cell(found))
            elif whole or _is_about(concept, rows):
                cells.append(Cell("nothing finds it"))
                gaps.append(
                    f"{review.label(row.text('study'))} ({drug or concept.name})"
                    if drug
                    else review.label(row.text("study"))
                )
            else:
                cells.append(Cell("not in the title"))
                unsure = True
        body.append(tuple(cells))
    notes = ["Terms as they stand in title, abstract and keywords of the study's record and in its row of studies.csv."]
    if unsure:
        notes.append("'Not in the title': no abstract is in this folder, where the term may stand.")
    columns = (Column("Study"), *(Column(concept.name) for concept in strategy.concepts))
    said = [
        f"No term of the search finds {', '.join(dict.fromkeys(gaps))}; other studies of the kind may have been missed."
    ]
    return Table("Which terms find the included studies", columns, tuple(body), tuple(notes)), said if gaps else []


def _is_about(concept: Concept, rows: Sequence[Row]) -> bool:
    """Whether this is the concept of the drugs: some included study's drug is one of its terms."""
    drugs = {part.strip().lower() for row in rows for part in re.split(r"[;,+]", row.text("drug")) if part.strip()}
    return any(met_terms(concept, drug) for drug in drugs)
