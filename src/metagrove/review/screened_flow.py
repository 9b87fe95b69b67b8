"""The PRISMA 2020 flow computed from the records and decisions, never typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from metagrove.core.errors import DataError
from metagrove.review.log import Decision
from metagrove.review.screening import Screening

__all__ = ["screened_flow", "source_name"]

_SOURCES = {
    "pubmed": "PubMed", "medline": "MEDLINE", "embase": "Embase", "wos": "Web of Science", "webofscience": "Web of Science",
    "scopus": "Scopus", "central": "Cochrane CENTRAL", "cochrane": "Cochrane CENTRAL", "cinahl": "CINAHL",
    "psycinfo": "PsycINFO", "clinicaltrials": "ClinicalTrials.gov", "europepmc": "Europe PMC", "lilacs": "LILACS",
}  # fmt: skip


def source_name(file: str) -> str:
    """The database that a file of the search came from, by the file's name; else the name itself.

    >>> source_name("pubmed.nbib"), source_name("wos_2.ciw"), source_name("my search.ris")
    ('PubMed', 'Web of Science', 'my search')
    """
    stem = file.rpartition("/")[2].rsplit(".", 1)[0]
    bare = "".join(letter for letter in stem.lower() if letter.isalpha())
    return next((shown for key, shown in _SOURCES.items() if bare.startswith(key)), stem)


def _listed(works: Sequence[str]) -> str:
    shown = ", ".join(works[:10])
    return f"{shown} and {len(works) - 10} more" if len(works) > 10 else shown


def _refuse_open(screening: Screening) -> None:
    """Refuse what would not close, and name the records."""
    if screening.adrift:
        names = [entry.record for entry in screening.adrift if isinstance(entry, Decision)]
        raise DataError(
            f"{len(screening.adrift)} entries of the log fit no record of the search any more "
            f"(was an export changed or removed?): {_listed(list(dict.fromkeys(names)))}"
        )
    names_of = {"title_abstract": "title and abstract", "retrieval": "retrieval", "full_text": "full text"}
    for stage, shown in names_of.items():
        open_ = screening.works(stage, "pending")
        if open_:
            needed = screening.required[stage]
            people = "a decision" if needed == 1 else f"all {needed} decisions"
            raise DataError(f"the flow does not close: {len(open_)} records lack {people} at {shown}: {_listed(open_)}")
        torn = screening.works(stage, "conflict")
        if torn:
            raise DataError(
                f"the flow does not close: {len(torn)} conflicts at {shown} are not resolved: {_listed(torn)}"
            )
    bare = [
        work for work in screening.works("full_text", "exclude") if not screening.outcomes["full_text"][work].reason
    ]
    if bare:
        raise DataError(f"{len(bare)} reports were excluded at full text without a reason: {_listed(bare)}")


def _reasons(screening: Screening) -> dict[str, int]:
    """How many reports each reason excluded, the commonest first; spellings differ in case only are one."""
    spelt: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for work in screening.works("full_text", "exclude"):
        reason = screening.outcomes["full_text"][work].reason
        counts[spelt.setdefault(reason.lower(), reason)] += 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0].lower())))


def screened_flow(screening: Screening) -> dict[str, Any]:
    """The boxes of the flow: a number, or numbers by source, kind or reason. Names as in the PRISMA 2020 template.

    Page MJ et al., BMJ 2021;372:n71 (doi:10.1136/bmj.n71). Units: records until screening, reports from retrieval,
    studies at inclusion.

    Raises
    ------
    DataError
        Records without a decision, conflicts, exclusions without a reason, or decisions on records that are gone.
    """
    _refuse_open(screening)
    records = screening.duplicates.records
    works = len(set(screening.duplicates.cluster_of))
    sought = screening.outcomes["retrieval"]
    full = screening.outcomes["full_text"]
    included = screening.works("full_text", "include")
    boxes: dict[str, Any] = {
        "identified": dict(Counter(source_name(record.file) for record in records)),
        "removed_before": {"Duplicate records": len(records) - works},
        "screened": works,
        "excluded": len(screening.works("title_abstract", "exclude")),
        "sought": len(sought),
        "not_retrieved": len(screening.works("retrieval", "not_retrieved", "exclude")),
        "assessed": len(full),
        "reports_excluded": _reasons(screening),
        "included": {"studies": len(screening.studies), "reports": len(included)},
    }
    return boxes
