"""A search strategy as concept blocks: rendered for each database, and checked against what should have been found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from metagrove.core.errors import DataError, UnknownName

__all__ = [
    "DATABASES",
    "Concept",
    "SearchStrategy",
    "Uncovered",
    "coverage",
    "database_named",
    "met_terms",
    "rendered",
    "strategy_of",
]


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: free-text terms of which any will do (`*` truncates), and subject headings by thesaurus.

    `headings` maps a thesaurus (`mesh`, `emtree`) to its headings.
    """

    name: str
    terms: tuple[str, ...]
    headings: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not any(term.strip() for term in self.terms) and not any(self.headings.values()):
            raise DataError(f"concept '{self.name}' has neither a term nor a heading")
        for term in self.terms:
            if not term.strip() or re.search(r'["()\[\]]', term):
                raise DataError(
                    f"concept '{self.name}': '{term}' is no plain term; quotes and brackets are added for each database"
                )


@dataclass(frozen=True, slots=True)
class SearchStrategy:
    """Concepts that must all be met, from `first_year` to `last_year`, in `languages` (ISO 639-2) where any are given."""

    concepts: tuple[Concept, ...]
    first_year: int | None = None
    last_year: int | None = None
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.concepts:
            raise DataError("a search strategy needs at least one concept")
        if self.first_year and self.last_year and self.first_year > self.last_year:
            raise DataError(
                f"the search runs from {self.first_year} to {self.last_year}; the first year is the later one"
            )


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A work that a concept of the strategy cannot have found in what the work says."""

    work: str
    concept: str
    wanted: tuple[str, ...]


def _quoted(term: str) -> str:
    return f'"{term}"' if " " in term or "-" in term else term


def _years(strategy: SearchStrategy, low: int, high: int) -> tuple[int, int] | None:
    if strategy.first_year is None and strategy.last_year is None:
        return None
    return strategy.first_year or low, strategy.last_year or high


_NAMES = {"eng": "English", "ger": "German", "fre": "French", "spa": "Spanish", "ita": "Italian", "chi": "Chinese",
          "jpn": "Japanese", "por": "Portuguese", "rus": "Russian", "kor": "Korean"}  # fmt: skip


def _languages(strategy: SearchStrategy) -> list[str]:
    return [_NAMES.get(code, code) for code in strategy.languages]


def _pubmed(strategy: SearchStrategy) -> str:
    blocks = []
    for concept in strategy.concepts:
        parts = [f'"{heading}"[Mesh]' for heading in concept.headings.get("mesh", ())]
        parts += [f"{_quoted(term)}[tiab]" for term in concept.terms]
        blocks.append(f"({' OR '.join(parts)})")
    years = _years(strategy, 1800, 3000)
    if years:
        blocks.append(f'("{years[0]}"[dp] : "{years[1]}"[dp])')
    if strategy.languages:
        blocks.append(f"({' OR '.join(f'{name.lower()}[la]' for name in _languages(strategy))})")
    return " AND ".join(blocks)


def _embase(strategy: SearchStrategy) -> str:
    blocks = []
    for concept in strategy.concepts:
        parts = [f"'{heading}'/exp" for heading in concept.headings.get("emtree", ())]
        parts += [(f"'{term}'" if " " in term or "-" in term else term) + ":ti,ab,kw" for term in concept.terms]
        blocks.append(f"({' OR '.join(parts)})")
    years = _years(strategy, 1800, 3000)
    if years:
        blocks.append(f"[{years[0]}-{years[1]}]/py")
    if strategy.languages:
        blocks.append(f"({' OR '.join(f'[{name.lower()}]/lim' for name in _languages(strategy))})")
    return " AND ".join(blocks)


def _web_of_science(strategy: SearchStrategy) -> str:
    blocks = [f"TS=({' OR '.join(_quoted(term) for term in _free(concept))})" for concept in strategy.concepts]
    years = _years(strategy, 1900, 3000)
    if years:
        blocks.append(f"PY=({years[0]}-{years[1]})")
    if strategy.languages:
        blocks.append(f"LA=({' OR '.join(_languages(strategy))})")
    return " AND ".join(blocks)


def _free(concept: Concept) -> tuple[str, ...]:
    """The terms, and the headings' words where a database has no thesaurus of its own."""
    if concept.terms:
        return concept.terms
    return tuple(heading for headings in concept.headings.values() for heading in headings)


def _central(strategy: SearchStrategy) -> str:
    lines, blocks = [], []
    for concept in strategy.concepts:
        numbers = []
        for heading in concept.headings.get("mesh", ()):
            lines.append(f'[mh "{heading}"]')
            numbers.append(len(lines))
        if concept.terms:
            # The Cochrane Library reads a truncation inside quotes as a plain asterisk; NEXT keeps both.
            terms = [" NEXT ".join(term.split()) if "*" in term else _quoted(term) for term in concept.terms]
            lines.append(f"({' OR '.join(terms)}):ti,ab,kw")
            numbers.append(len(lines))
        if not numbers:
            lines.append(f"({' OR '.join(_quoted(term) for term in _free(concept))}):ti,ab,kw")
            numbers.append(len(lines))
        blocks.append("(" + " OR ".join(f"#{number}" for number in numbers) + ")")
    lines.append(" AND ".join(blocks))
    years = _years(strategy, 1800, 3000)
    note = f"\nLimits: publication year from {years[0]} to {years[1]}" if years else ""
    return "\n".join(f"#{number} {line}" for number, line in enumerate(lines, 1)) + note


def _scopus(strategy: SearchStrategy) -> str:
    blocks = [
        f"TITLE-ABS-KEY({' OR '.join(_quoted(term) for term in _free(concept))})" for concept in strategy.concepts
    ]
    if strategy.first_year is not None:
        blocks.append(f"PUBYEAR > {strategy.first_year - 1}")
    if strategy.last_year is not None:
        blocks.append(f"PUBYEAR < {strategy.last_year + 1}")
    if strategy.languages:
        blocks.append(f"({' OR '.join(f'LANGUAGE({name.lower()})' for name in _languages(strategy))})")
    return " AND ".join(blocks)


def _europe_pmc(strategy: SearchStrategy) -> str:
    blocks = []
    for concept in strategy.concepts:
        parts = [f'KW:"{heading}"' for heading in concept.headings.get("mesh", ())]
        parts += [f"TITLE_ABS:{_quoted(term)}" for term in concept.terms]
        parts = parts or [f"TITLE_ABS:{_quoted(term)}" for term in _free(concept)]
        blocks.append(f"({' OR '.join(parts)})")
    years = _years(strategy, 1800, 3000)
    if years:
        blocks.append(f"PUB_YEAR:[{years[0]} TO {years[1]}]")
    if strategy.languages:
        blocks.append(f"({' OR '.join(f'LANG:{code}' for code in strategy.languages)})")
    return " AND ".join(blocks)


def _clinical_trials(strategy: SearchStrategy) -> str:
    # Truncation is unknown there: the stem finds its inflections.
    return " AND ".join(
        f"({' OR '.join(_quoted(term.replace('*', '')) for term in _free(concept))})" for concept in strategy.concepts
    )


#: The databases a strategy can be written for.
DATABASES: Mapping[str, Callable[[SearchStrategy], str]] = MappingProxyType(
    {
        "PubMed": _pubmed, "Embase": _embase, "Web of Science": _web_of_science, "CENTRAL": _central, "Scopus": _scopus,
        "Europe PMC": _europe_pmc, "ClinicalTrials.gov": _clinical_trials,
    }
)  # fmt: skip


def rendered(strategy: SearchStrategy, database: str) -> str:
    """The strategy in the syntax of a database, ready to paste.

    >>> drugs = Concept("drug", ("lenvatinib", "tyrosine kinase inhibitor*"))
    >>> rendered(SearchStrategy((drugs,), first_year=2000), "Web of Science")
    'TS=(lenvatinib OR "tyrosine kinase inhibitor*") AND PY=(2000-3000)'
    """
    if database not in DATABASES:
        raise UnknownName("database", database, DATABASES)
    return DATABASES[database](strategy)


def _met(term: str, text: str) -> bool:
    words = [re.escape(word).replace(r"\*", r"\w*") for word in re.split(r"[\s-]+", term.lower()) if word]
    gap = r"[\s-]+"
    return re.search(rf"(?<!\w){gap.join(words)}(?!\w)", text) is not None


def database_named(name: str) -> str | None:
    """The database of `DATABASES` that is meant by `name`; None where a strategy cannot be written for it.

    >>> database_named("Cochrane CENTRAL"), database_named("wos"), database_named("LILACS")
    ('CENTRAL', 'Web of Science', None)
    """
    bare = "".join(letter for letter in name.lower() if letter.isalpha())
    known = {"medline": "PubMed", "wos": "Web of Science", "cochrane": "CENTRAL", "ctgov": "ClinicalTrials.gov"}
    known |= {"".join(letter for letter in key.lower() if letter.isalpha()): key for key in DATABASES}
    return next((shown for key, shown in known.items() if bare.startswith(key) or bare.endswith(key)), None)


def met_terms(concept: Concept, text: str) -> tuple[str, ...]:
    """The free-text terms of a concept that stand in a text.

    >>> met_terms(Concept("drug", ("lenvatinib", "tyrosine kinase inhibitor*")), "Tyrosine-kinase inhibitors in thyroid cancer")
    ('tyrosine kinase inhibitor*',)
    """
    plain = " ".join(text.lower().split())
    return tuple(term for term in concept.terms if _met(term, plain))


def coverage(strategy: SearchStrategy, works: Iterable[tuple[str, str]]) -> list[Uncovered]:
    """The works whose title, abstract and keywords meet no free-text term of some concept: the search missed their words.

    Parameters
    ----------
    strategy : the search; subject headings are not looked up, so a work found by its heading alone is named too.
    works : for each work that should be found its name and its text (title, abstract, keywords, drug).

    Examples
    --------
    >>> drugs = Concept("drug", ("sorafenib", "lenvatinib"))
    >>> coverage(SearchStrategy((drugs,)), [("Bible 2012", "Pazopanib in anaplastic thyroid cancer")])[0].concept
    'drug'
    """
    missed = []
    for name, text in works:
        plain = " ".join(text.lower().split())
        missed += [
            Uncovered(name, concept.name, concept.terms)
            for concept in strategy.concepts
            if not any(_met(term, plain) for term in concept.terms)
        ]
    return missed


def _listed(concept: str, terms: Any) -> tuple[str, ...]:
    """The terms of a concept; a single text is one term."""
    if isinstance(terms, str):
        return (terms,)
    if not isinstance(terms, (list, tuple)) or not all(isinstance(term, str) for term in terms):
        raise DataError(f"search concept '{concept}': {terms!r} is no list of terms")
    return tuple(terms)


def strategy_of(search: Mapping[str, Any]) -> SearchStrategy | None:
    """The strategy in the `[search]` part of `review.toml`; None where it names no concepts.

    `concepts` is a table from a concept's name to its terms, or to `{terms, mesh, emtree}`; `first_year`, `last_year` and
    `languages` limit the search.

    >>> strategy_of({"concepts": {"drug": ["sorafenib"]}, "first_year": 2000}).concepts[0].terms
    ('sorafenib',)
    """
    concepts = search.get("concepts")
    if not concepts:
        return None
    if not isinstance(concepts, Mapping):
        raise DataError("search.concepts is a table from each concept's name to its terms")
    made = []
    for name, told in concepts.items():
        parts = told if isinstance(told, Mapping) else {"terms": told}
        unknown = parts.keys() - {"terms", "mesh", "emtree"}
        if unknown:
            raise UnknownName(f"part of search concept '{name}'", sorted(unknown)[0], ("terms", "mesh", "emtree"))
        headings = {kind: _listed(name, parts[kind]) for kind in ("mesh", "emtree") if parts.get(kind)}
        made.append(Concept(str(name), _listed(name, parts.get("terms", ())), MappingProxyType(headings)))
    return SearchStrategy(
        tuple(made), search.get("first_year"), search.get("last_year"), tuple(search.get("languages", ()))
    )
