"""PubMed XML and EndNote XML, read as a whole or refused as a whole."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.parsers import expat

from metagrove.review.records.text import Entry, Reading

__all__ = ["read_xml"]

_ENDNOTE = {
    "titles/title": "title", "contributors/authors/author": "authors", "dates/year": "year",
    "dates/pub-dates/date": "date", "titles/secondary-title": "journal", "periodical/full-title": "journal",
    "titles/alt-title": "journal_abbreviation", "periodical/abbr-1": "journal_abbreviation", "volume": "volume",
    "number": "issue", "pages": "pages", "electronic-resource-num": "doi", "language": "language",
    "abstract": "abstract", "keywords/keyword": "keywords", "accession-num": "accession",
    "remote-database-name": "database", "urls/related-urls/url": "url", "work-type": "kind", "custom2": "ids",
}  # fmt: skip


def _text(node: ElementTree.Element | None) -> str:
    return "" if node is None else " ".join("".join(node.itertext()).split())


def _lines_of_elements(content: bytes, tags: frozenset[str]) -> list[int]:
    """The line on which each element called one of `tags` begins."""
    lines: list[int] = []
    parser = expat.ParserCreate()

    def begun(tag: str, _attributes: dict[str, str]) -> None:
        if tag in tags:
            lines.append(parser.CurrentLineNumber)

    def entity(*_parts: object) -> None:
        raise ValueError("the file defines its own entities, which is refused")

    parser.StartElementHandler = begun
    parser.EntityDeclHandler = entity
    parser.Parse(content, True)
    return lines


def _pubmed(node: ElementTree.Element, entry: Entry) -> None:
    article = node.find(".//Article")
    source = article if article is not None else node
    for path, name in (
        (".//ArticleTitle", "title"), (".//VernacularTitle", "original_title"), (".//Journal/Title", "journal"),
        (".//Journal/ISOAbbreviation", "journal_abbreviation"), (".//JournalIssue/Volume", "volume"),
        (".//JournalIssue/Issue", "issue"), (".//Pagination/MedlinePgn", "pages"), (".//Language", "language"),
        (".//BookTitle", "journal"),
    ):  # fmt: skip
        entry.add(name, _text(source.find(path)))
    if "pages" not in entry.fields:
        entry.add("start", _text(source.find(".//Pagination/StartPage")))
        entry.add("end", _text(source.find(".//Pagination/EndPage")))
    entry.add("pmid", _text(node.find(".//PMID")))
    for path in (".//JournalIssue/PubDate/Year", ".//PubDate/MedlineDate", ".//ArticleDate/Year", ".//PubDate/Year"):
        entry.add("year", _text(source.find(path)))
    for author in source.findall(".//AuthorList/Author"):
        family = _text(author.find("LastName"))
        given = _text(author.find("ForeName")) or _text(author.find("Initials"))
        if family:
            entry.add("authors", f"{family}, {given}" if given else family)
    for part in source.findall(".//Abstract/AbstractText"):
        label = part.get("Label")
        entry.add("abstract", f"{label}: {_text(part)}" if label else _text(part))
    for path in (".//PublicationType", ".//MeshHeading/DescriptorName", ".//Keyword"):
        for found in node.findall(path):
            entry.add("kind" if "Type" in path else "keywords", _text(found))
    for found in node.findall(".//ELocationID"):
        if found.get("EIdType") == "doi":
            entry.add("doi", _text(found))
    for found in node.findall("./PubmedData/ArticleIdList/ArticleId"):
        if found.get("IdType") == "doi":
            entry.add("doi", _text(found))
        elif found.get("IdType") == "pmc":
            entry.add("ids", _text(found))
    for found in node.findall(".//AccessionNumber"):
        entry.add("registration", _text(found))


def _endnote(node: ElementTree.Element, entry: Entry) -> None:
    for path, name in _ENDNOTE.items():
        for found in node.findall(path):
            entry.add(name, _text(found))
    kind = node.find("ref-type")
    entry.add("kind", (kind.get("name") or "") if kind is not None else "")
    database = " ".join(entry.fields.get("database", [])).lower()
    accession = " ".join(entry.fields.get("accession", []))
    if re.fullmatch(r"\d{5,8}", accession) and re.search(r"medline|pubmed|nlm", database):
        entry.add("pmid", accession)


def read_xml(content: bytes, reading: Reading) -> None:
    """The records of a PubMed or EndNote XML file; one that is not well formed is refused with line and column."""
    try:
        lines = _lines_of_elements(content, frozenset(("PubmedArticle", "PubmedBookArticle", "record")))
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, expat.ExpatError) as error:
        line = int(getattr(error, "lineno", 0) or getattr(error, "position", (1, 0))[0])
        column = int(getattr(error, "offset", 0) or 0) + 1
        what = expat.errors.messages.get(getattr(error, "code", 0), "damaged")
        reading.refuse(line, f"not well-formed XML at line {line}, column {column}: {what}; nothing of it was read")
        return
    except ValueError as error:
        reading.refuse(1, f"{error}; nothing of it was read")
        return
    nodes = [node for node in root.iter() if node.tag in ("PubmedArticle", "PubmedBookArticle", "record")]
    for node, line in zip(nodes, lines, strict=True):
        entry = Entry(line)
        (_endnote if node.tag == "record" else _pubmed)(node, entry)
        reading.entries.append(entry)
    if not nodes:
        reading.refuse(1, f"an XML file without citations (its root is <{root.tag}>); no records found")
