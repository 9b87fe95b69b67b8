"""The text of an export whatever its encoding and line ends, and what a reader hands on."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

from metagrove.review.records.reading import Notice, Refusal

__all__ = ["Entry", "Reading", "export_text", "lines_of"]

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(slots=True)
class Entry:
    """One record as its file has it: the line where it begins, and texts by neutral field name."""

    line: int
    fields: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        """One more value of a field; blank ones are dropped."""
        if text.strip():
            self.fields.setdefault(name, []).append(text)


@dataclass(slots=True)
class Reading:
    """What a reader found in one file: entries and refusals in order, and warnings."""

    file: str
    entries: list[Entry | Refusal] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    def warn(self, line: int, message: str) -> None:
        """A warning at a line."""
        self.warnings.append(Notice(self.file, line, message))

    def refuse(self, line: int, reason: str) -> None:
        """A record (or the file) that cannot be read."""
        self.entries.append(Refusal(self.file, line, reason))


def _without_mark(content: bytes) -> str | None:
    """UTF-16 and UTF-32 by their mark, UTF-16 also by its zero bytes; None for eight-bit text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    head = content[:400]
    if len(head) >= 8 and head.count(0) > len(head) // 3:
        odd = head[1::2].count(0) > head[::2].count(0)
        return content.decode("utf-16-le" if odd else "utf-16-be", "replace")
    return None


def _eight_bit(line: bytes) -> str:
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def export_text(content: bytes, reading: Reading) -> str:
    """The decoded text of an export, byte-order marks gone; lines that are not UTF-8 are read as Windows-1252.

    Each line is decoded by itself, so that a file glued together from two encodings keeps its letters. One warning
    names the first such line.
    """
    wide = _without_mark(content)
    if wide is not None:
        return wide.replace("\ufeff", "")
    try:
        return content.decode("utf-8").replace("\ufeff", "")
    except UnicodeDecodeError as error:
        first = content.count(b"\n", 0, error.start) + 1
    parts, damaged = [], 0
    for line in re.split(b"(?<=\n)", content):
        try:
            parts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            parts.append(_eight_bit(line))
            damaged += 1
    reading.warn(first, f"not valid UTF-8 here ({damaged} lines in the file); decoded as Windows-1252/Latin-1")
    return "".join(parts).replace("\ufeff", "")


def lines_of(text: str) -> list[str]:
    """The lines, whichever of CRLF, LF and CR ends them; other separators (U+2028, form feed) stay in the text."""
    return re.split("\r\n|\n|\r", text)
