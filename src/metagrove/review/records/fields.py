"""From the texts of an export's fields to the normalised fields of a record."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from urllib.parse import unquote

from metagrove.review.records.kinds import kind_of, language_code
from metagrove.review.records.names import author_names
from metagrove.review.records.reading import Record
from metagrove.review.records.text import Entry

__all__ = ["clean_text", "doi_of", "page_range", "record_from", "year_of"]

_MARKUP = re.compile(
    r"</?(?:i|b|u|em|strong|sup|sub|sc|scp|inf|span|p|br|bold|italic|jats:[a-z]+)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>\[\]]+", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_PAGE = r"[A-Za-z]{0,6}\.?\d+[A-Za-z]{0,3}(?:[.:]\d+)?"
_RANGE = re.compile(rf"({_PAGE})(?:\s*[-–—‐‑−]+\s*({_PAGE}))?")
_ROMAN = re.compile(r"\b([ivxlc]+)(?:\s*[-–—‐‑−]+\s*([ivxlc]+))?\b", re.IGNORECASE)
_TRIAL = re.compile(r"\b(NCT ?\d{8}|ISRCTN ?\d{8}|EUCTR ?\d{4}-\d{6}-\d\d|ChiCTR[- ]?[A-Z0-9-]{6,}|JPRN-[A-Za-z0-9-]+)")


def clean_text(text: str) -> str:
    r"""One line without markup, entities resolved; `<Gleevec>` written as entities stays as text.

    >>> clean_text("BRAF<sup>V600E</sup> &amp; &lt;Gleevec&gt;\n  in  ATC")
    'BRAFV600E & <Gleevec> in ATC'
    """
    if "<" in text:
        text = _MARKUP.sub("", text)
    if "&" in text:
        text = html.unescape(text)
        if "&" in text:
            text = html.unescape(text)
        text = _MARKUP.sub("", text)
    return " ".join(text.split())


def doi_of(text: str) -> str:
    """The bare DOI in lower case, empty where there is none.

    >>> doi_of("https://doi.org/10.5555/A.B.1 [doi]")
    '10.5555/a.b.1'
    """
    if "10." not in text:
        return ""
    found = _DOI.search(unquote(text) if "%" in text else text)
    if not found:
        return ""
    doi = found.group().lower().rstrip(".,;:'")
    while doi.endswith((")", "}")) and doi.count(")") > doi.count("("):
        doi = doi[:-1].rstrip(".,;:'")
    return doi.removesuffix("/full").removesuffix("/abstract").rstrip("}")


def year_of(text: str) -> int | None:
    """The first year in a date, whatever its form; None where there is none."""
    found = _YEAR.search(text)
    return int(found.group()) if found else None


def _full_last(first: str, last: str) -> str:
    """The last page in full: 975 and 80 give 980, e101 and 9 give e109."""
    one, two = re.match(r"(\D*)(\d+)(.*)", first), re.match(r"(\D*)(\d+)(.*)", last)
    if not one or not two:
        return last
    lead, digits = two.group(1), two.group(2)
    if len(digits) < len(one.group(2)) and lead.lower() in ("", one.group(1).lower()):
        digits = one.group(2)[: -len(digits)] + digits
    return f"{lead or one.group(1)}{digits}{two.group(3)}"


@lru_cache(maxsize=4096)
def page_range(text: str) -> tuple[str, str]:
    """First and last page in full; the last is empty where only one is given.

    >>> page_range("1827-32; discussion 1833"), page_range("e101-9"), page_range("920857")
    (('1827', '1832'), ('e101', 'e109'), ('920857', ''))
    """
    text = re.sub(r"(?i)\b(?:pp?|pages?|article|art\.? ?no\.?|id)\b[.:]?", " ", text)
    if re.search(r"(?i)no pagination|unpaged|not available|n/a|n\.? ?pag\b|not specified|\bvar\b", text):
        return "", ""
    found = _RANGE.search(text) or _ROMAN.search(text)
    if not found:
        return "", ""
    first, last = found.group(1).lstrip("."), found.group(2) or ""
    return first, _full_last(first, last) if last else ""


def _pages(entry: Entry) -> tuple[str, str]:
    texts = entry.fields
    start, end = _one(texts, "start"), _one(texts, "end")
    whole = _one(texts, "pages")
    if start:
        first, last = page_range(start)
        if end and not last:
            ends = page_range(end)
            last = _full_last(first, ends[1] or ends[0]) if ends[0] else ""
        if first:
            return first, last
    if whole:
        pages = page_range(whole)
        if pages[0]:
            return pages
    number = _one(texts, "article_number")
    return (number if re.fullmatch(r"\S+", number) else page_range(number)[0], "") if number else ("", "")


def _one(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name)
    return " ".join(values[0].split()) if values else ""


def _title(texts: dict[str, list[str]]) -> str:
    title = clean_text(" ".join(texts.get("title", []))) or clean_text(" ".join(texts.get("original_title", [])))
    if title.endswith(".") and not title.endswith(("..", "U.S.", "U.K.", "et al.")):
        title = title[:-1]
    return title


def _abstract(texts: dict[str, list[str]]) -> str:
    text = clean_text(" ".join(texts.get("abstract", [])))
    text = re.sub(r"\s*©.{0,200}$|\s*Copyright ©.{0,200}$", "", text)
    return (
        "" if text.lower().strip("[]. ") in ("no abstract available", "no abstract", "abstract not available") else text
    )


def _pmid(texts: dict[str, list[str]]) -> str:
    for text in texts.get("pmid", []):
        found = re.search(r"(?<!\d)\d{1,8}(?!\d)", text)
        if found and not re.search(r"(?i)embase|wos|cn-", text):
            return found.group().lstrip("0")
    for text in texts.get("ids", []):
        found = re.search(r"(?i)(?:pubmed|pmid|medline)[ :]*(\d{1,8})(?!\d)", text)
        if found:
            return found.group(1).lstrip("0")
    return ""


def _dois(texts: dict[str, list[str]]) -> list[str]:
    found = [doi_of(text) for text in texts.get("doi", [])]
    if not any(found):
        found = [doi_of(text) for text in texts.get("doi_maybe", [])]
    # The Cochrane Library numbers its own records as DOIs; they name no paper.
    return list(dict.fromkeys(doi for doi in found if doi and not doi.startswith("10.1002/central/")))


def _registration(texts: dict[str, list[str]]) -> str:
    for name in ("registration", "ids", "journal", "title", "accession", "abstract"):
        for text in texts.get(name, []):
            found = _TRIAL.search(text)
            if found:
                return re.sub(r"\s", "", found.group())
    return ""


def record_from(entry: Entry, file: str, position: int) -> Record:
    """The normalised record of one entry; the caller has made sure that it identifies something."""
    texts = entry.fields
    first, last = _pages(entry)
    year = next((y for name in ("year", "date") for t in texts.get(name, []) if (y := year_of(t))), None)
    dois = _dois(texts)
    title = _title(texts)
    journal = clean_text(_one(texts, "journal"))
    kinds = [clean_text(text) for text in texts.get("kind", [])]
    return Record(
        record_id=_one(texts, "record_id") or f"{file}:{position}",
        file=file,
        position=position,
        line=entry.line,
        title=title,
        authors=author_names(texts.get("authors") or texts.get("full_authors") or []),
        year=year,
        journal=journal,
        journal_abbreviation=clean_text(_one(texts, "journal_abbreviation")),
        volume=_one(texts, "volume"),
        issue=_one(texts, "issue"),
        first_page=first,
        last_page=last,
        doi=dois[0] if dois else "",
        pmid=_pmid(texts),
        kind=kind_of(kinds, title, journal),
        language=language_code(_one(texts, "language")),
        registration=_registration(texts),
        accession=_one(texts, "accession"),
        database=_one(texts, "database"),
        abstract=_abstract(texts),
        keywords=tuple(dict.fromkeys(clean_text(text) for text in texts.get("keywords", []))),
        url=_one(texts, "url"),
        other_ids=tuple(f"doi:{doi}" for doi in dois[1:]) + tuple(_one({"i": [t]}, "i") for t in texts.get("ids", [])),
    )
