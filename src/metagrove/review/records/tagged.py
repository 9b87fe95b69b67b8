"""MEDLINE (.nbib), Web of Science (.ciw) and EndNote (.enw) tagged exports."""

from __future__ import annotations

import re

from metagrove.review.records.text import Entry, Reading, lines_of

__all__ = ["looks_like_ciw", "looks_like_enw", "looks_like_medline", "read_ciw", "read_enw", "read_medline"]

_MEDLINE = {
    "TI": "title", "TT": "original_title", "FAU": "full_authors", "AU": "authors", "DP": "year", "EDAT": "date",
    "JT": "journal", "TA": "journal_abbreviation", "VI": "volume", "IP": "issue", "PG": "pages", "PT": "kind",
    "LA": "language", "AB": "abstract", "MH": "keywords", "OT": "keywords", "PMID": "pmid", "PMC": "ids",
    "SI": "registration", "BTI": "title",
}  # fmt: skip
_CIW = {
    "TI": "title", "AU": "authors", "AF": "full_authors", "PY": "year", "PD": "date", "SO": "journal",
    "J9": "journal_abbreviation", "JI": "journal_abbreviation", "VL": "volume", "IS": "issue", "BP": "start",
    "EP": "end", "AR": "article_number", "DI": "doi", "DT": "kind", "LA": "language", "AB": "abstract",
    "DE": "keywords", "UT": "accession", "PM": "pmid", "PT": "medium", "SE": "series", "EA": "date",
}  # fmt: skip
_ENW = {
    "0": "kind", "9": "kind", "T": "title", "A": "authors", "D": "year", "8": "date", "J": "journal", "B": "journal",
    "V": "volume", "N": "issue", "P": "pages", "R": "doi", "G": "language", "X": "abstract", "K": "keywords",
    "M": "accession", "U": "url", "W": "database", "~": "database", "!": "short_title", "F": "label",
    "O": "journal_abbreviation",
}  # fmt: skip
_MEDLINE_TAG = re.compile(r"([A-Z][A-Z0-9]{0,3}) {0,3}- ?(.*)\Z")
_WORDS_AFTER_HYPHEN = re.compile(r"(?:and|or|to|und|et|versus|vs)\b")


def looks_like_medline(lines: list[str]) -> bool:
    """Whether some line is a PMID or another tag that only MEDLINE writes."""
    return any(re.match(r"PMID {0,2}- ?\d|(?:STAT|DCOM|OWN )- |FAU - ", line) for line in lines)


def looks_like_ciw(lines: list[str]) -> bool:
    """Whether the export opens as Web of Science does."""
    head = [line for line in lines[:60] if line.strip()]
    return any(re.match(r"(?:FN |VR \d)", line) for line in head[:3]) or any(
        re.match(r"PT [JBSPC]\s*\Z", line) for line in head
    )


def looks_like_enw(lines: list[str]) -> bool:
    """Whether some line opens an EndNote tagged record."""
    return any(line.startswith("%0 ") for line in lines)


def _continued(before: str, more: str) -> str:
    """The text with its next line; a word that was broken at its own hyphen is closed again."""
    before = before.rstrip()
    if re.search(r"\w[-‐‑]\Z", before) and not _WORDS_AFTER_HYPHEN.match(more):
        return before + more
    return f"{before} {more}"


def _hand_on(raw: list[list[str]], line: int, names: dict[str, str], reading: Reading) -> None:
    entry = Entry(line)
    for tag, text in raw:
        if tag in names:
            entry.add(names[tag], text)
        if tag in ("LID", "AID", "SO") and ("[doi]" in text or (tag == "SO" and "doi:" in text)):
            entry.add("doi" if tag != "SO" else "doi_maybe", text)
    reading.entries.append(entry)


def read_medline(text: str, reading: Reading) -> None:
    """The records of a MEDLINE export; a PMID begins a record even where the blank line is missing."""
    raw: list[list[str]] = []
    begun = 0

    def close() -> None:
        nonlocal raw
        if raw:
            _hand_on(raw, begun, _MEDLINE, reading)
            _prefer_full_authors(reading.entries[-1])
        raw = []

    blank = False
    for number, line in enumerate(lines_of(text), 1):
        if not line.strip():
            blank = True
            continue
        found = _MEDLINE_TAG.match(line)
        if found:
            tag = found.group(1)
            if tag == "PMID" or (blank and raw and any(t == "PMID" for t, _ in raw) is False and tag == "TI"):
                close()
            if not raw:
                begun = number
            raw.append([tag, found.group(2)])
        elif raw and line[0].isspace():
            raw[-1][1] = _continued(raw[-1][1], line.strip())
        else:
            reading.warn(number, f"a line without a tag was left out: '{line.strip()[:60]}'")
        blank = False
    close()


def _prefer_full_authors(entry: Entry | object) -> None:
    if isinstance(entry, Entry) and len(entry.fields.get("full_authors", ())) >= len(entry.fields.get("authors", ())):
        entry.fields["authors"] = entry.fields.pop("full_authors", [])


def read_ciw(text: str, reading: Reading) -> None:
    """The records of a Web of Science export; lists stand one per line, other fields wrap."""
    raw: list[list[str]] = []
    begun = 0
    lines = lines_of(text)

    def close(number: int, whole: bool) -> None:
        nonlocal raw
        if not raw:
            return
        if not whole:
            reading.warn(number, f"the record that begins in line {begun} was not closed by ER")
        _hand_on([[tag, part] for tag, part in raw], begun, _CIW, reading)
        last = reading.entries[-1]
        if isinstance(last, Entry):
            last.fields["keywords"] = [k for t in last.fields.get("keywords", []) for k in re.split(r";\s*", t) if k]
            for name in ("title", "journal", "abstract", "accession"):
                if name in last.fields:
                    last.fields[name] = [" ".join(last.fields[name])]
            if not last.fields.get("kind") and last.fields.pop("medium", None) == ["B"]:
                last.fields["kind"] = ["book"]
        _prefer_full_authors(last)
        raw = []

    for number, line in enumerate(lines, 1):
        found = re.match(r"([A-Z][A-Z0-9])(?: (.*))?\Z", line)
        if found:
            tag, value = found.group(1), found.group(2) or ""
            if tag == "ER":
                close(number, True)
            elif tag == "PT":
                close(number, False)
                begun, raw = number, [[tag, value]]
            elif tag in ("FN", "VR", "EF") and not raw:
                continue
            elif raw:
                raw.append([tag, value])
            else:
                begun, raw = number, [[tag, value]]
                reading.warn(number, f"a record begins with {tag}, without PT")
        elif line.strip() and raw:
            if line.startswith(("  ", "\t")):
                if raw[-1][0] in ("AU", "AF", "C1", "CR", "BE"):
                    raw.append([raw[-1][0], line.strip()])
                else:
                    raw[-1][1] = _continued(raw[-1][1], line.strip())
            else:
                reading.warn(number, f"a line without a tag was left out: '{line.strip()[:60]}'")
    if raw:
        reading.warn(len(lines), "unexpected end of file")
        close(len(lines), False)


def read_enw(text: str, reading: Reading) -> None:
    """The records of an EndNote tagged export; `%0` begins a record."""
    raw: list[list[str]] = []
    begun = 0

    def close() -> None:
        nonlocal raw
        if raw:
            _hand_on(raw, begun, _ENW, reading)
        raw = []

    for number, line in enumerate(lines_of(text), 1):
        if not line.strip():
            continue
        found = re.match(r"%(\S)(?:\s(.*))?\Z", line)
        if found:
            if found.group(1) == "0":
                close()
            if not raw:
                begun = number
            raw.append([found.group(1), found.group(2) or ""])
        elif raw and raw[-1][0] == "K":
            raw.append(["K", line.strip()])
        elif raw and raw[-1][0] in "XTUZ":
            raw[-1][1] = f"{raw[-1][1]} {line.strip()}"
        else:
            reading.warn(number, f"a line without a tag was left out: '{line.strip()[:60]}'")
    close()
