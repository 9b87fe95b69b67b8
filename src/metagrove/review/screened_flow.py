"""The PRISMA 2020 flow computed from the records and decisions, never typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
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


def source_name(file: str, named: Mapping[str, str] = MappingProxyType({})) -> str:
    """The database that a file of the search came from: as `named` says, else by the file's name, else that name itself.

    >>> source_name("pubmed.nbib"), source_name("wos_2.ciw"), source_name("my search.ris")
    ('PubMed', 'Web of Science', 'my search')
    """
    bare_file = file.rpartition("/")[2]
    if file in named or bare_file in named:
        return named.get(file) or named[bare_file]
    stem = bare_file.rsplit(".", 1)[0]
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
            many = f"{len(open_)} records lack" if len(open_) > 1 else "1 record lacks"
            raise DataError(f"the flow does not close: {many} {people} at {shown}: {_listed(open_)}")
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
    for tally in screening.tallies:
        if tally.stage == "full_text" and tally.decision == "exclude":
            counts[spelt.setdefault(tally.reason.lower(), tally.reason)] += tally.n
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0].lower())))


def _tallied(screening: Screening, stages: Sequence[str], *decisions: str) -> int:
    return sum(t.n for t in screening.tallies if t.stage in stages and (not decisions or t.decision in decisions))


def _identified(screening: Screening, named: Mapping[str, str]) -> dict[str, int]:
    """How many records each source gave."""
    sources = Counter(source_name(record.file, named) for record in screening.duplicates.records)
    for tally in screening.tallies:
        sources[tally.source or "source not stated"] += tally.n
    return dict(sources)


def _removed(screening: Screening, works: int) -> dict[str, int]:
    removed = {"Duplicate records": len(screening.duplicates.records) - works}
    removed["Duplicate records"] += _tallied(screening, ["identification"], "duplicate")
    others = {
        "ineligible": "Records marked as ineligible by automation tools",
        "removed": "Records removed for other reasons",
    }
    for decision, label in others.items():
        n = _tallied(screening, ["identification"], decision)
        removed |= {label: n} if n else {}
    return removed


def screened_flow(screening: Screening, named: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """The boxes of the flow: a number, or numbers by source, kind or reason. Names as in the PRISMA 2020 template.

    Page MJ et al., BMJ 2021;372:n71 (doi:10.1136/bmj.n71). Units: records until screening, reports from retrieval,
    studies at inclusion. A tally counts in every box up to the one where its records leave.

    Parameters
    ----------
    screening : the state of screening.
    named : the database of a file of the search, where its name does not say it.

    Raises
    ------
    DataError
        Records without a decision, conflicts, exclusions without a reason, or decisions on records that are gone.
    """
    _refuse_open(screening)
    works = len(set(screening.duplicates.cluster_of))
    included = len(screening.works("full_text", "include"))
    late = ("retrieval", "full_text")
    boxes: dict[str, Any] = {
        "identified": _identified(screening, named),
        "removed_before": _removed(screening, works),
        "screened": works + _tallied(screening, ("title_abstract", *late)),
        "excluded": len(screening.works("title_abstract", "exclude")) + _tallied(screening, ["title_abstract"]),
        "sought": len(screening.outcomes["retrieval"]) + _tallied(screening, late),
        "not_retrieved": len(screening.works("retrieval", "not_retrieved", "exclude"))
        + _tallied(screening, ["retrieval"]),
        "assessed": len(screening.outcomes["full_text"]) + _tallied(screening, ["full_text"]),
        "reports_excluded": _reasons(screening),
        "included": {
            "studies": len(screening.studies) + _tallied(screening, ["full_text"], "include"),
            "reports": included + _tallied(screening, ["full_text"], "include"),
        },
    }
    return boxes
