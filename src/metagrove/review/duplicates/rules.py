"""Two records, one work or two? Explained rules: *same* with its reason, *different* with its veto, else *ask*.

The rules compare title, authors, year, journal, volume, pages and identifiers, as people do when they remove duplicates
(Bramer WM et al., J Med Libr Assoc 2016;104:240-243, doi:10.3163/1536-5050.104.3.014; Rathbone J et al., Syst Rev
2015;4:6, doi:10.1186/2046-4053-4-6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz

from metagrove.review.duplicates.features import Features

__all__ = ["Judgement", "judge"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of a pair: `verdict` is same, different or ask; `related` names a link between two works."""

    verdict: str
    reason: str
    related: str = ""


@dataclass(frozen=True, slots=True)
class _Agreement:
    """How two records agree: similarities from 0 to 1; True, False or None (not said) for the rest."""

    title: float
    authors: float | None
    years: int | None
    journal: bool | None
    volume: bool | None
    issue: bool | None
    first: bool | None
    last: bool | None
    doi: bool | None
    pmid: bool | None

    @property
    def cited(self) -> bool:
        """The same place in print: first page and volume agree and the journal does not differ."""
        return bool(self.first and self.volume and self.journal is not False)

    @property
    def elsewhere(self) -> bool:
        """Another place in print: both pages known and not the same, or both volumes."""
        return self.first is False or self.volume is False


def _said(a: str, b: str) -> bool | None:
    return a == b if a and b else None


_GENERIC = frozenset("journal international official annual suppl supplement conference abstracts proceedings".split())


@lru_cache(maxsize=65536)
def _journals(a: tuple[str, ...], b: tuple[str, ...]) -> bool | None:
    """Whether two journal names are one: equal, one an abbreviation of the other, or one within the other."""
    if not a or not b:
        return None
    if a == b or "".join(a) == "".join(b):
        return True
    short, long = sorted((a, b), key=lambda words: (len(words), len("".join(words))))
    place, over = 0, []
    for word in long:
        if place < len(short) and (_abbreviates(short[place], word) or _abbreviates(word, short[place])):
            place += 1
        else:
            over.append(word)
    if place == len(short):
        # "Stroke" in "Topics in Stroke Rehabilitation", "Ann Surg" in "Annals of Surgical Oncology": nothing is known.
        return True if _GENERIC.issuperset(over) else None
    if len(short) == 1 and len(long) > 1 and len(short[0]) <= 8:
        initials = "".join(word[0] for word in long)
        if short[0] == initials:
            return True
    one, two = " ".join(a), " ".join(b)
    return fuzz.token_sort_ratio(one, two) >= 85 or (len(short) >= 3 and fuzz.partial_ratio(one, two) >= 95)


def _abbreviates(short: str, word: str) -> bool:
    if word.startswith(short):
        return True
    # Contractions keep the first letter and an ordered part of the rest: intl, natl, surg.
    if short[0] != word[0] or len(short) < 3 or len(short) >= len(word):
        return False
    rest = iter(word)
    return all(letter in rest for letter in short)


def _pages(a: Features, b: Features) -> bool | None:
    if not a.first or not b.first:
        return None
    if a.first == b.first:
        return True
    digits_a, digits_b = a.first.strip("abcdefghijklmnopqrstuvwxyz"), b.first.strip("abcdefghijklmnopqrstuvwxyz")
    if digits_a and digits_a == digits_b and (a.first == digits_a or b.first == digits_b):
        return True
    # An online article number and a printed page are two names of one place: they say nothing.
    if (a.first[:1] == "e") != (b.first[:1] == "e") and digits_a and digits_b:
        return None
    if max(len(digits_a), len(digits_b)) >= 5 and abs(len(digits_a) - len(digits_b)) >= 2:
        return None
    return False


@lru_cache(maxsize=65536)
def _name_alike(a: str, b: str) -> float:
    if a == b:
        return 1.0
    if len(a) > 3 and len(b) > 3 and (a.startswith(b) or b.startswith(a) or a.endswith(b) or b.endswith(a)):
        return 0.95
    return float(fuzz.ratio(a, b)) / 100


@lru_cache(maxsize=65536)
def _name_words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W\d_]{3,}", name))


def _authors(a: Features, b: Features) -> float | None:
    """Agreement of authors: of the first names, or of most of the shorter list whatever its order."""
    if not a.families or not b.families:
        return None
    first = _name_alike(a.families[0], b.families[0])
    if first >= 0.85:
        return first
    # Family and given names changed places, or a double name was cut at another word.
    if _name_words(a.lead) & _name_words(b.lead):
        return 0.85
    short, long = sorted((set(a.families), set(b.families)), key=len)
    shared = len(short & long) / len(short)
    if a.families[0] in b.families or b.families[0] in a.families:
        return max(first, 0.85 if shared >= 0.5 else 0.7)
    return max(first, shared * 0.9)


def _titles(a: Features, b: Features) -> float:
    if not a.key or not b.key:
        return 0.0
    if a.key == b.key:
        return 1.0
    alike = float(fuzz.ratio(a.key, b.key)) / 100
    short, long = sorted((a.key, b.key), key=len)
    # A title cut off, or with its subtitle left out, is the other's beginning.
    if len(short) >= 30 and (long.startswith(short) or long.endswith(short)):
        return max(alike, 0.93)
    if alike < 0.9 and len(short) >= 25:
        alike = max(alike, float(fuzz.token_sort_ratio(a.title, b.title)) / 100)
    return alike


def _agreement(a: Features, b: Features) -> _Agreement:
    years = abs(a.year - b.year) if a.year is not None and b.year is not None else None
    return _Agreement(
        title=_titles(a, b),
        authors=_authors(a, b),
        years=years,
        journal=_journals(a.journal, b.journal),
        volume=_said(a.volume, b.volume),
        issue=_said(a.issue, b.issue),
        first=_pages(a, b),
        last=_said(a.last, b.last),
        doi=_said(a.doi, b.doi),
        pmid=_said(a.pmid, b.pmid),
    )


def _both_short(a: Features, b: Features) -> bool:
    """Neither runs over more than one page, as far as is said: two abstracts, though only one is called so."""
    return all(one.first and one.last in ("", one.first) for one in (a, b))


def _numbers_differ(a: Features, b: Features) -> bool:
    if a.numbers == b.numbers:
        return False
    joined_a, joined_b = "".join(a.numbers), "".join(b.numbers)
    if sorted(joined_a) == sorted(joined_b):
        return False
    short, long = sorted((a.key, b.key), key=len)
    return not (len(short) >= 30 and long.startswith(short))


def _veto(a: Features, b: Features, agree: _Agreement) -> Judgement | None:
    """What forbids a merge whatever else agrees."""
    alike = agree.title >= 0.9 and (agree.authors is None or agree.authors >= 0.8)
    if a.erratum != b.erratum and not (agree.doi and agree.title > 0.97):
        link = "erratum of" if alike else ""
        return Judgement("different", "one is an erratum, the other is not", link)
    if a.part != b.part and (a.part and b.part):
        return Judgement(
            "different",
            f"parts {a.part or '?'} and {b.part or '?'}",
            "part of a series" if agree.title >= 0.85 and (agree.authors or 0) >= 0.8 else "",
        )
    if agree.pmid and agree.title >= 0.6:
        return None
    if a.part != b.part and agree.elsewhere:
        return Judgement("different", "only one is a numbered part", "part of a series" if alike else "")
    if a.reply != b.reply and not agree.cited:
        return Judgement("different", "one is a reply or comment, the other is not", "comment on" if alike else "")
    if a.trial and b.trial and a.trial != b.trial:
        return Judgement("different", f"registered as {a.trial} and {b.trial}")
    if a.registry != b.registry and agree.title < 1:
        return Judgement("different", "one is a registry entry", "registration of" if alike else "")
    if a.preprint != b.preprint and not (agree.doi or agree.pmid):
        return Judgement("different", "a preprint and a paper", "preprint of" if alike else "")
    if _numbers_differ(a, b) and not agree.doi and not (agree.cited and agree.title >= 0.9):
        return Judgement("different", "the numbers in the titles differ")
    return _apart(a, b, agree, alike)


def _apart(a: Features, b: Features, agree: _Agreement, alike: bool) -> Judgement | None:
    """Vetoes from the place in print, the identifiers and the year."""
    sure = bool(agree.doi or agree.pmid)
    if (
        a.meeting != b.meeting
        and not agree.cited
        and not sure
        and not (agree.journal and _both_short(a, b))
        and (agree.elsewhere or agree.journal is False)
    ):
        return Judgement("different", "a meeting abstract and a paper", "conference abstract of" if alike else "")
    if agree.pmid is False and not agree.doi and not (agree.cited and agree.title >= 0.95):
        return Judgement("different", "two PMIDs", "same title" if alike else "")
    if agree.doi is False and not agree.cited and (agree.elsewhere or agree.journal is False or agree.years):
        return Judgement("different", "two DOIs and another place in print", "same title" if alike else "")
    if sure:
        return None
    if agree.years is not None and agree.years > 1 and not (agree.cited and agree.title >= 0.9):
        return Judgement("different", f"{agree.years} years apart", "same title, other year" if alike else "")
    if agree.first is False and agree.volume is False and not _twice(a, b, agree):
        return Judgement("different", "another volume and another page", "same title" if alike else "")
    return None


def _same(a: Features, b: Features, agree: _Agreement) -> str:
    """Why they are one work; empty where no rule says so."""
    names = agree.authors is None or agree.authors >= 0.8
    long_title = a.size >= 30 and b.size >= 30
    if agree.doi and (agree.title >= 0.8 or not a.key or not b.key or (agree.cited and names)):
        return "equal DOI, titles agree"
    if agree.pmid and (agree.title >= 0.7 or not a.key or not b.key or agree.cited):
        return "equal PMID, titles agree"
    if agree.title >= 0.9 and agree.cited and names:
        return "title, volume and first page agree"
    if agree.title >= 0.8 and agree.cited and agree.last and (agree.authors or 0) >= 0.85:
        return "authors, volume and both pages agree, titles alike"
    if agree.title >= 0.95 and long_title and agree.cited and agree.journal and (agree.years or 0) <= 1:
        return "title, journal, volume and first page agree"
    ranged = bool(agree.last) and a.last != a.first and b.last != b.first
    if (
        agree.title >= 0.92
        and agree.volume
        and ranged
        and agree.journal
        and agree.issue
        and (agree.authors or 0) >= 0.85
    ):
        return "title, authors, volume and last page agree"
    if (
        agree.title >= 0.95 and long_title and len(a.families) >= 2 and a.families == b.families
        and agree.journal and agree.volume and agree.issue and agree.years == 0
    ):  # fmt: skip
        return "title, all authors, journal, volume and issue agree"
    if agree.title >= 0.95 and agree.first and names and agree.volume is not False and (agree.journal or long_title):
        return "title and first page agree"
    if _same_by_list(a, b, agree):
        return "the whole author list and the place in print agree"
    if (
        agree.title >= 0.95
        and _nothing_against(agree)
        and names
        and (long_title or (agree.journal and (agree.first or agree.issue)))
    ):
        if agree.authors is not None and (agree.journal or agree.volume or agree.years == 0):
            return "title, first author and year agree, nothing disagrees"
        if agree.authors is None and agree.journal and agree.years == 0:
            return "title, journal and year agree, nothing disagrees"
    if _same_meeting(a, b, agree):
        return "one meeting: title, all authors, year and volume agree"
    return _same_when_poor(a, b, agree)


def _same_meeting(a: Features, b: Features, agree: _Agreement) -> bool:
    """One abstract under the name of the congress and of the journal, or with its numbers one column off."""
    if (
        agree.title < 0.97
        or agree.years != 0
        or not (a.meeting and b.meeting)
        or not a.families
        or a.families != b.families
    ):
        return False
    shifted = any(not x.volume and x.issue and x.issue == y.volume and x.first == y.issue for x, y in ((a, b), (b, a)))
    return (shifted and bool(agree.journal)) or (bool(agree.volume) and agree.first is None and len(a.families) >= 3)


def _nothing_against(agree: _Agreement) -> bool:
    return (
        agree.first is not False
        and agree.volume is not False
        and agree.journal is not False
        and agree.issue is not False
        and (agree.years is None or agree.years <= 1)
    )


def _same_by_list(a: Features, b: Features, agree: _Agreement) -> bool:
    """A translated or differently spelt title: everything else must agree."""
    return bool(
        agree.cited
        and agree.journal
        and agree.last
        and len(a.families) >= 1
        and set(a.families) == set(b.families)
        and agree.years == 0
        and (agree.title >= 0.6 or ((a.translated or b.translated) and len(a.families) >= 2))
    )


def _same_when_poor(a: Features, b: Features, agree: _Agreement) -> str:
    """Records poor in fields: every field equal, and enough of them or a title long enough."""
    if (a.title, a.families, a.year, a.journal, a.volume, a.first) != (
        b.title,
        b.families,
        b.year,
        b.journal,
        b.volume,
        b.first,
    ):
        return ""
    said = sum((bool(a.families), a.year is not None, bool(a.journal), bool(a.volume), bool(a.first)))
    return "every field is equal" if a.key and (a.size >= 20 or said >= 3) else ""


def judge(a: Features, b: Features) -> Judgement:
    """The rules' answer for two records."""
    agree = _agreement(a, b)
    if agree.title < 0.5 and not (agree.doi or agree.pmid or agree.cited):
        return Judgement("different", "the titles differ")
    veto = _veto(a, b, agree)
    if veto is not None:
        return veto
    reason = _same(a, b, agree)
    if reason:
        return Judgement("same", reason)
    return _doubt(a, b, agree)


def _twice(a: Features, b: Features, agree: _Agreement) -> bool:
    """Title, year and all authors agree although the place in print does not: a second print, or a typing error."""
    if (
        agree.title < 0.97
        or agree.years != 0
        or (a.meeting != b.meeting and not (agree.journal and _both_short(a, b)))
        or a.size < 25
        or not a.families
    ):
        return False
    return len(set(a.families) & set(b.families)) >= 0.6 * max(len(set(a.families)), len(set(b.families)))


def _doubt(a: Features, b: Features, agree: _Agreement) -> Judgement:
    """Whether a person should look, and at what; else different."""
    names = agree.authors is None or agree.authors >= 0.8
    if _twice(a, b, agree):
        return Judgement("ask", "title, authors and year agree, but not the place in print", "same title")
    if (
        agree.title >= 0.9
        and names
        and agree.authors is not None
        and not (agree.first is False and agree.journal is False)
    ):
        against = [
            name
            for name, value in (("first page", agree.first), ("volume", agree.volume), ("journal", agree.journal), ("DOI", agree.doi), ("issue", agree.issue))
            if value is False
        ]  # fmt: skip
        if len(against) <= 1:
            return Judgement(
                "ask",
                "titles and authors agree" + (f", but not the {against[0]}" if against else ", little else is given"),
            )
        return Judgement("different", f"{' and '.join(against)} differ", "same title")
    if agree.title >= 0.97 and a.size >= 30 and _nothing_against(agree):
        return Judgement("ask", "titles agree, little else is given")
    bare = not (a.journal or a.volume or a.first) and not (b.journal or b.volume or b.first)
    if agree.title >= 0.85 and a.size >= 30 and bare and names and agree.years == 0:
        return Judgement("ask", "titles alike, little else is given")
    # Databases cut long author lists, so the first three stand for the list.
    one_list = len(a.families) >= 3 and a.families[:3] == b.families[:3]
    if (
        one_list
        and agree.title >= 0.7
        and agree.journal
        and agree.years == 0
        and agree.first is None
        and agree.volume is None
    ):
        return Judgement(
            "ask", "authors, journal and year agree, the titles only partly, and one has no place in print"
        )
    if agree.title >= 0.6 and agree.cited and names:
        return Judgement("ask", "the place in print agrees, the titles only partly")
    if agree.doi:
        return Judgement("ask", "equal DOI, but the titles differ")
    if agree.pmid:
        return Judgement("ask", "equal PMID, but the titles differ")
    return Judgement("different", "titles or authors differ")
