"""The screening log: one JSON object a line, only ever appended to; the state of screening is a fold over it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from metagrove.core.errors import DataError

__all__ = ["LOG", "Decision", "Entry", "Export", "Pairing", "Setting", "Tally", "append_log", "read_log"]

#: The log's name inside the review folder.
LOG = "screening.jsonl"


@dataclass(frozen=True, slots=True)
class Decision:
    """One reviewer's decision on one record at one stage.

    `stage` is title_abstract, retrieval or full_text; `decision` include, exclude, maybe, retrieved or not_retrieved;
    `seal` identifies what the record said when it was decided on.
    """

    at: str
    record: str
    stage: str
    reviewer: str
    decision: str
    reason: str = ""
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a person said of two records: `link` is duplicate, distinct or study (two reports of one study)."""

    at: str
    record: str
    other: str
    reviewer: str
    link: str
    seal: str = ""
    other_seal: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A rule of this screening: `reviewers` is how many must decide on each record at `stage`."""

    at: str
    stage: str
    reviewers: int


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it was when decisions were taken in: its file and SHA-256 (empty where it is gone)."""

    at: str
    file: str
    digest: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Records known by their number alone: a source printed how many, and nobody has the records themselves.

    `stage` is identification (duplicate, ineligible, removed), title_abstract (exclude), retrieval (not_retrieved) or
    full_text (exclude, include); `source` is the database they came from, `document` and `locator` say where the number is
    printed. Of two tallies of one stage, decision, reason and source the later one holds.
    """

    at: str
    stage: str
    decision: str
    n: int
    reason: str = ""
    source: str = ""
    document: str = ""
    locator: str = ""

    @property
    def what(self) -> tuple[str, str, str, str]:
        """What is counted, apart from how many."""
        return self.stage, self.decision, self.reason.lower(), self.source.lower()


Entry = Decision | Pairing | Setting | Export | Tally

_MAY_LACK = ("reason", "seal", "other_seal", "digest", "source", "document", "locator")


def _entry(raw: Any, line: int) -> Entry:
    kind: type[Entry]
    for kind in (Decision, Pairing, Setting, Export, Tally):
        names = {field.name for field in fields(kind)}
        needed = {field.name for field in fields(kind) if field.name not in _MAY_LACK}
        if isinstance(raw, Mapping) and needed <= raw.keys() <= names:
            return kind(**{name: raw.get(name, "") for name in names})
    raise DataError("this line is no decision, pair, setting, export or tally", file=LOG, row=line)


def read_log(folder: Path) -> list[Entry]:
    """The entries of the folder's log in order; none where there is no log.

    Raises
    ------
    DataError
        A line that is damaged; names it.
    """
    path = folder / LOG
    if not path.is_file():
        return []
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
        except ValueError:
            raise DataError(
                "this line is not JSON; was the log cut off or edited by hand?", file=LOG, row=number
            ) from None
        entries.append(_entry(raw, number))
    return entries


def append_log(folder: Path, entries: Iterable[Entry]) -> int:
    """How many entries were added at the end of the log, in one write; what stands there is never touched."""
    lines = [
        json.dumps({name: value for name, value in asdict(entry).items() if value != ""}, ensure_ascii=False)
        for entry in entries
    ]
    if not lines:
        return 0
    path = folder / LOG
    content = "".join(f"{line}\n" for line in lines)
    if path.is_file() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        content = f"\n{content}"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, content.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    return len(lines)
