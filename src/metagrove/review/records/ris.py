"""RIS in every vendor's dialect, also where it is damaged: no record is lost without a word."""

from __future__ import annotations

import re

from metagrove.review.records.text import Entry, Reading, lines_of

__all__ = ["looks_like_ris", "read_ris"]

#: RIS tags by our neutral field names. Vendors disagree (Embase writes T1 A1 Y1 N2 for TI AU PY AB).
_FIELDS = {
    "title": "TI T1 CT",
    "authors": "AU A1",
    "year": "PY Y1",
    "date": "DA Y2",
    "journal": "T2 JF BT",
    "journal_abbreviation": "J2 JA JO J1 JI J9",
    "volume": "VL",
    "issue": "IS",
    "start": "SP",
    "end": "EP",
    "article_number": "C7",
    "doi": "DO DI",
    "doi_maybe": "L2 L3 M3 UR N1 AN",
    "kind": "TY M3 PT DT",
    "language": "LA",
    "abstract": "AB N2",
    "keywords": "KW DE",
    "accession": "AN U2 UT ID",
    "database": "DB DP",
    "url": "UR L1 LK",
    "ids": "C3 U2 C5 AN",
    "record_id": "",
    "original_title": "TT OP",
    "group": "A2 A3 ED",
}
_BY_TAG: dict[str, list[str]] = {}
for _name, _tags in _FIELDS.items():
    for _tag in _tags.split():
        _BY_TAG.setdefault(_tag, []).append(_name)

_OTHERS = frozenset(
    "ER SN AD CY PB N1 M1 M2 C1 C2 C4 C6 C8 U1 U3 U4 U5 L4 RN RP ET SE ST SU TA VO CN CA NV OP A4 A5 WE WP PU RI Z9 "
    "J7 DS EM FX FU SC SI LB AV PA PG".split()
)
_KNOWN = frozenset(_BY_TAG) | _OTHERS
_TAG = re.compile(r"([A-Z][A-Z0-9])(?:  |\t| {3,4})- ?\s?(.*)\Z")
_LOOSE = re.compile(r"\s{0,3}([A-Za-z][A-Za-z0-9])\s{0,4}[-–]\s*(.*)\Z")
_LONG = frozenset("AB N2 TI T1 T2 N1 KW AD CT BT JF M1 C1 TT OP A1 AU RP FU FX".split())
_LINK = re.compile(r"(?i)^\s*(?:link to |https?://|full text|find it|check for full)")
_PREAMBLE = re.compile(
    r"(?i)^(?:record #?\d+ of \d+|provider:|content:|database:|search |source:|\d+\.\s*$|<\d+>\s*$|={3,}|-{3,})"
)


def looks_like_ris(lines: list[str]) -> bool:
    """Whether some line opens a RIS record."""
    return any(re.match(r"\s{0,3}(?:TY|ty|Ty)\s{0,4}[-–]", line) for line in lines)


def _tagged(line: str) -> tuple[str, str] | None:
    found = _TAG.match(line)
    if found:
        return found.group(1), found.group(2)
    loose = _LOOSE.match(line)
    if loose and loose.group(1).upper() in _KNOWN and (loose.group(1).isupper() or loose.group(1) in ("ty", "er")):
        return loose.group(1).upper(), loose.group(2)
    lower = re.match(r"([a-z][a-z0-9])(?:  |\t)- ?(.*)\Z", line)
    if lower and lower.group(1).upper() in _KNOWN:
        return lower.group(1).upper(), lower.group(2)
    return None


class _Walk:
    """The state of reading: the open entry, its raw lines by tag, and what went wrong."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.entry: Entry | None = None
        self.raw: list[list[str]] = []
        self.count = 0

    def open(self, line: int) -> None:
        self.entry, self.raw = Entry(line), []
        self.count += 1

    def close(self) -> None:
        """Hand the open entry on, each raw line to every field that its tag feeds."""
        if self.entry is None:
            return
        for tag, text in self.raw:
            for name in _BY_TAG.get(tag, ()):
                if name == "doi_maybe" and "10." not in text:
                    continue
                if name == "pmid" or (name == "journal_abbreviation" and not text.strip()):
                    continue
                self.entry.add(name, text)
        _settle(self.entry, self.raw)
        self.reading.entries.append(self.entry)
        self.entry = None

    def stray(self, number: int, line: str) -> None:
        """A line without a tag: the rest of a long field, or something that belongs nowhere."""
        long = bool(self.raw) and self.raw[-1][0] in _LONG
        if long and not _LINK.match(line):
            self.raw[-1][1] += f"\n{line.strip()}" if self.raw[-1][0] != "KW" else ""
            if self.raw[-1][0] == "KW":
                self.raw.append(["KW", line.strip()])
            return
        self.reading.warn(number, f"a line without a tag was left out: '{line.strip()[:60]}'")


def _settle(entry: Entry, raw: list[list[str]]) -> None:
    """Choices between tags that mean different things in different dialects."""
    tags: dict[str, list[str]] = {}
    for tag, text in raw:
        tags.setdefault(tag, []).append(text)
    for preferred, other in (("TI", "T1"), ("PY", "Y1")):
        if preferred in tags and other in tags:
            name = _BY_TAG[preferred][0]
            entry.fields[name] = tags[preferred]
    if "TI" in tags or "T1" in tags:
        entry.fields["title"] = (tags.get("TI") or tags["T1"])[:1]
    if "AB" in tags and "N2" in tags:
        entry.fields["abstract"] = max(tags["AB"], tags["N2"], key=lambda t: len(" ".join(t)))
    if "AU" in tags and "A1" in tags:
        entry.fields["authors"] = max(tags["AU"], tags["A1"], key=len)
    entry.fields.pop("group", None)
    _settle_identifiers(entry, tags)
    # JF and JO of the older dialects both hold the journal; whichever exists names it.
    if "journal" not in entry.fields:
        for tag in ("JO", "JA", "J2", "J1"):
            if tag in tags:
                entry.fields["journal"] = tags[tag]
                break
    shortest = [text for tag in ("JI", "J2", "JA", "JO", "J9", "J1") for text in tags.get(tag, [])]
    if shortest:
        entry.fields["journal_abbreviation"] = [min(shortest, key=len)]


def _settle_identifiers(entry: Entry, tags: dict[str, list[str]]) -> None:
    databases = " ".join(tags.get("DB", []) + tags.get("DP", [])).lower()
    for text in tags.get("C5", []):
        if re.fullmatch(r"\d{1,8}", text.strip()):
            entry.add("pmid", text)
    for tag in ("AN", "ID", "M1"):
        for text in tags.get(tag, []):
            medline = "medline" in databases or "pubmed" in databases or "nlm" in databases
            if re.fullmatch(r"\d{6,8}", text.strip()) and medline and "embase" not in databases:
                entry.add("pmid", text)
    for text in tags.get("C2", []):
        if re.fullmatch(r"\d{6,8}", text.strip()) and not tags.get("C5"):
            entry.add("pmid", text)
    kinds = entry.fields.get("kind", [])
    entry.fields["kind"] = [text for text in kinds if "10." not in text]


def read_ris(text: str, reading: Reading) -> None:
    """The records of a RIS export, appended to `reading`; damaged ones with a warning."""
    walk = _Walk(reading)
    lines = lines_of(text)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        tagged = _tagged(line)
        if tagged is None:
            if walk.entry is not None:
                walk.stray(number, line)
            elif not _PREAMBLE.match(line.strip()):
                reading.warn(number, f"a line outside any record was left out: '{line.strip()[:60]}'")
            continue
        tag, value = tagged
        if tag == "ER":
            if walk.entry is None:
                reading.warn(number, "an end of record (ER) without a beginning (TY)")
            walk.close()
            continue
        if tag == "TY":
            if walk.entry is not None:
                reading.warn(number, f"record {walk.count} (line {walk.entry.line}) was not closed by ER")
                walk.close()
            walk.open(number)
        elif walk.entry is None:
            # A first line lost in transfer must not cost the record.
            reading.warn(number, f"a record begins with {tag}, without TY")
            walk.open(number)
        walk.raw.append([tag, value])
    if walk.entry is not None:
        reading.warn(len(lines), f"unexpected end of file: record {walk.count} (line {walk.entry.line}) is not closed")
        walk.close()
