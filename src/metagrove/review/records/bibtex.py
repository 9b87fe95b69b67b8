"""BibTeX and BibLaTeX: entries by matched braces, `@string` abbreviations, LaTeX accents."""

from __future__ import annotations

import re
import unicodedata

from metagrove.review.records.text import Entry, Reading

__all__ = ["latex_text", "read_bibtex"]

_FIELDS = {
    "title": "title", "author": "authors", "year": "year", "date": "date", "journal": "journal",
    "journaltitle": "journal", "booktitle": "journal", "shortjournal": "journal_abbreviation", "volume": "volume",
    "number": "issue", "issue": "issue", "pages": "pages", "doi": "doi", "url": "url", "abstract": "abstract",
    "keywords": "keywords", "language": "language", "langid": "language", "pmid": "pmid", "eprint": "eprint",
    "article-number": "article_number", "articleno": "article_number", "note": "doi_maybe", "type": "kind",
    "unique-id": "accession", "eid": "article_number",
}  # fmt: skip
_KINDS = {
    "inproceedings": "conference", "conference": "conference", "proceedings": "conference", "book": "book",
    "inbook": "book", "incollection": "book", "phdthesis": "thesis", "mastersthesis": "thesis", "thesis": "thesis",
}  # fmt: skip
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304", ".": "\u0307",
    "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328", "r": "\u030a", "d": "\u0323",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "aa": "å",
    "AA": "Å", "i": "ı", "j": "ȷ", "dj": "đ", "DJ": "Đ", "alpha": "α", "beta": "β", "gamma": "γ", "kappa": "κ",
    "mu": "μ", "textendash": "–", "textemdash": "—", "textregistered": "®", "texttrademark": "™", "geq": "≥",
    "leq": "≤", "pm": "±", "times": "×", "textquoteright": "’", "textquoteleft": "‘", "textbackslash": "\\",
}  # fmt: skip
_ACCENT = re.compile(
    r"\\(['`\"^~=.])\s*\{?\s*(\\?[A-Za-z])\s*\}?|\\([cvuHkrd])\s*\{\s*(\\?[A-Za-z])\s*\}|\\([cvuHkrd])\s+([A-Za-z])"
)
_LETTER = re.compile(r"\\(" + "|".join(sorted(_LETTERS, key=len, reverse=True)) + r")(?![A-Za-z])\s?(?:\{\})?")


def _accented(found: re.Match[str]) -> str:
    mark = found.group(1) or found.group(3) or found.group(5)
    letter = (found.group(2) or found.group(4) or found.group(6)).lstrip("\\")
    return unicodedata.normalize("NFC", letter + _ACCENTS[mark])


def latex_text(text: str) -> str:
    r"""The text with LaTeX accents, letters and escapes as Unicode, braces gone.

    >>> latex_text(r'Wei{\ss}, Bj{\"o}rn in Espa{\~n}a: 95\% {BRAF}')
    'Weiß, Björn in España: 95% BRAF'
    """
    if "\\" in text:
        text = _ACCENT.sub(_accented, text)
        text = _LETTER.sub(lambda found: _LETTERS[found.group(1)], text)
        text = re.sub(r"\\(?:textit|textbf|emph|textsuperscript|textsubscript|mathrm|textsc|mbox|url)\s*", "", text)
        text = re.sub(r"\\([%&$#_{} ])", r"\1", text)
    return text.replace("{", "").replace("}", "").replace("--", "-").replace("~", " ")


def _value(body: str, at: int, strings: dict[str, str]) -> tuple[str, int]:
    """The value that begins at `at` (braces, quotes, number or abbreviation, joined by #), and where it ends."""
    parts: list[str] = []
    while True:
        while at < len(body) and body[at].isspace():
            at += 1
        if at >= len(body):
            break
        if body[at] in '{"':
            end = _closing(body, at)
            parts.append(body[at + 1 : end])
            at = end + 1
        else:
            word = re.compile(r"[^\s,#}]+").match(body, at)
            if not word:
                break
            parts.append(strings.get(word.group().lower(), word.group()))
            at = word.end()
        rest = re.compile(r"\s*#").match(body, at)
        if not rest:
            break
        at = rest.end()
    return "".join(parts), at


def _closing(text: str, at: int) -> int:
    """Where the brace or quote at `at` closes; the end of the text where it never does."""
    quoted, depth, place = text[at] == '"', 0, at
    while place < len(text):
        letter = text[place]
        if letter == "\\":
            place += 2
            continue
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0 and not quoted:
                return place
        elif letter == '"' and quoted and depth == 0 and place > at:
            return place
        place += 1
    return len(text)


def _fields(body: str, strings: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    name = re.compile(r"[\s,]*([A-Za-z][\w:+./-]*)\s*=\s*")
    while match := name.match(body, at):
        value, at = _value(body, match.end(), strings)
        found.setdefault(match.group(1).lower(), value)
    return found


def read_bibtex(text: str, reading: Reading) -> None:
    """The entries of a BibTeX file; one whose braces do not close is refused with its line, the next are read."""
    strings: dict[str, str] = {}
    keys: dict[str, int] = {}
    begun = list(re.finditer(r"(?m)^[ \t]*@(\w+)\s*([{(])", text))
    for number, match in enumerate(begun):
        kind, opening = match.group(1).lower(), match.end() - 1
        line = text.count("\n", 0, match.start()) + 1
        limit = begun[number + 1].start() if number + 1 < len(begun) else len(text)
        block = text[opening:limit].replace("(", "{", 1) if match.group(2) == "(" else text[opening:limit]
        if match.group(2) == "(":
            block = block.rstrip().removesuffix(")") + "}"
        end = _closing(block, 0)
        if kind in ("comment", "preamble"):
            continue
        if end >= len(block):
            reading.refuse(line, f"entry '{block[1:].split(',')[0].strip()}': a brace is never closed")
            continue
        if kind == "string":
            strings.update({name: latex_text(value) for name, value in _fields(block[1:end], strings).items()})
            continue
        key, _, body = block[1:end].partition(",")
        key = key.strip()
        if key in keys:
            reading.warn(line, f"the key '{key}' stands in line {keys[key]} already; both entries were read")
        keys.setdefault(key, line)
        reading.entries.append(_entry(kind, _fields(body, strings), line))


def _entry(kind: str, fields: dict[str, str], line: int) -> Entry:
    entry = Entry(line)
    entry.add("kind", _KINDS.get(kind, "article"))
    for name, value in fields.items():
        ours = _FIELDS.get(name)
        if ours == "authors":
            for author in re.split(r"\s+and\s+", " ".join(value.split())):
                entry.add("authors", latex_text(author))
        elif ours == "keywords":
            for word in re.split(r"[;,]\s*", value):
                entry.add("keywords", latex_text(word))
        elif ours in ("doi", "url"):
            entry.add(ours, re.sub(r"\\([_%&#])", r"\1", value.strip("{}")))
        elif ours:
            entry.add(ours, latex_text(value))
    if len(entry.fields.get("authors", ())) == 1:
        entry.fields["authors"].append("others")
    return entry
