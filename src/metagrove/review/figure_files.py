"""The project file of a digitized figure: picture, hints, what was read, what a person made of it, and who signed."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import Any

from metagrove.core.errors import DataError
from metagrove.core.results import plain
from metagrove.figures.reading import REVIEW, FigureReading
from metagrove.review.storage import digest_of

__all__ = ["Edit", "FigureProject", "edits_between", "figure_document", "parse_project", "readable_json"]

FORMAT = "metagrove figure 2"
#: Bytes of a figure beyond which its project file holds the digest only.
EMBEDDED = 30_000_000


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing a person changed in a reading: what, as it was read, and as it stands now."""

    what: str
    read: Any
    now: Any

    def line(self) -> str:
        """The edit in words."""
        return f"{self.what}: {_short(self.read)} is now {_short(self.now)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(plain(value), ensure_ascii=False)
    return (
        text if len(text) <= 60 else f"{text[:50]} … ({len(value)} entries)" if isinstance(value, list) else text[:60]
    )


@dataclass(frozen=True, slots=True)
class FigureProject:
    """One figure file as it was read.

    Parameters
    ----------
    name, digest, image : the figure's file name, its SHA-256, and its bytes (empty where it is too large to embed).
    hints : what was told beforehand.
    read : one document for each figure in the file, as the program read it.
    reading : the same, as a person left it; equal to `read` where nobody touched it.
    confirmed : `{"by": …, "on": …, "note": …, "seal": …}` once a person has looked and signed, else empty.
    edits : changes of the past that are no longer seen by comparing, such as moved axes.
    problem : why the figure could not be read at all; empty where it was.
    """

    name: str
    digest: str
    image: bytes
    hints: Mapping[str, Any] | None
    read: tuple[Mapping[str, Any], ...]
    reading: tuple[Mapping[str, Any], ...]
    confirmed: Mapping[str, Any]
    edits: tuple[Edit, ...] = ()
    problem: str = ""

    @property
    def seal(self) -> str:
        """The identity of what a signature stands for: the figure, the hints and the reading as it is now."""
        return digest_of(self.digest, self.hints, list(self.reading))

    @property
    def all_edits(self) -> tuple[Edit, ...]:
        """Every change by hand, the recorded ones first."""
        return self.edits + tuple(edits_between(self.read, self.reading))

    @property
    def moved_axes(self) -> tuple[Edit, ...]:
        """Axes that a person changed in the reading and that it has not been read again with."""
        return tuple(e for e in edits_between(self.read, self.reading) if "axes." in e.what)

    @property
    def signed(self) -> bool:
        """Whether a person has confirmed the reading as it is now."""
        return bool(self.confirmed.get("by")) and self.confirmed.get("seal") == self.seal

    def doubts(self, index: int) -> list[str]:
        """Why figure `index` (from 0) must not be used yet; empty where it is ok, or a person has signed it."""
        if self.problem:
            return [self.problem]
        if self.signed:
            return []
        if self.confirmed.get("by"):
            return [f"it was changed after {self.confirmed['by']} confirmed it"]
        if not -1 < index < len(self.reading):
            return [
                f"it shows {len(self.reading)} figure{'s' * (len(self.reading) != 1)}, figure {index + 1} is none of them"
            ]
        out = list(self.read[index]["reasons"]) if self.read[index]["status"] == REVIEW else []
        edits = self.all_edits
        if edits:
            out.append(f"it was edited by hand and is not signed ({edits[0].line()}{', …' if len(edits) > 1 else ''})")
        return out

    def read_again(
        self, read: Sequence[Mapping[str, Any]], hints: Mapping[str, Any] | None, edits: Sequence[Edit]
    ) -> FigureProject:
        """The project after another reading; names and numbers at risk that a person corrected are carried over.

        A signature does not outlive what it was set under.
        """
        fresh = json.loads(json.dumps(plain(list(read))))
        others = [edit for edit in edits_between(self.read, self.reading) if "axes." not in edit.what]
        dropped = [edit for edit in others if not _carried(edit, fresh)]
        kept = (*self.edits, *edits, *(e for e in dropped if e not in self.edits))
        return replace(
            self, hints=hints or None, read=tuple(read), reading=tuple(fresh), edits=kept, confirmed={}, problem=""
        )

    def content(self) -> bytes:
        """The project file's bytes; the same project gives the same bytes."""
        return readable_json(
            {
                "format": FORMAT,
                "name": self.name,
                "digest": self.digest,
                "confirmed": dict(self.confirmed) or None,
                "hints": self.hints,
                "problem": self.problem,
                "edits": [{"what": e.what, "read": e.read, "now": e.now} for e in self.edits],
                "reading": list(self.reading),
                "read": list(self.read),
                "read_seal": digest_of(list(self.read)),
                "image": base64.b64encode(self.image).decode("ascii") if self.image else None,
            }
        )

    def stamped(self) -> FigureProject:
        """The project with a new signature bound to the reading it was set under."""
        if not self.confirmed.get("by") or self.confirmed.get("seal"):
            return self
        return replace(self, confirmed={**self.confirmed, "seal": self.seal})


def figure_document(reading: FigureReading) -> dict[str, Any]:
    """A reading as JSON's own types: status, scales and, arm by arm, curve, censor marks and numbers at risk."""
    told = reading.document()
    arms = []
    for arm, shown in zip(reading.arms, told["arms"], strict=True):
        errors = told["uncertainty"][arm.name]
        cells = [c for c in reading.cells if c.arm == arm.name]
        arms.append(
            {
                "name": arm.name,
                "color": shown["color"],
                "style": shown["style"],
                "time_error": errors["time"],
                "survival_error": errors["survival"],
                "at_risk": [{"time": c.time, "n": c.n, "censored": c.censored, "sure": c.sure} for c in cells],
                "marks": [round(float(t), 6) for t in arm.marks],
                "curve": [
                    [round(float(t), 6), round(float(s), 6)] for t, s in zip(arm.time, arm.survival, strict=True)
                ],
            }
        )
    kept = ("status", "reasons", "source", "page", "direction", "axes", "axis")
    document: dict[str, Any] = json.loads(json.dumps(plain({key: told[key] for key in kept} | {"arms": arms})))
    return document


def edits_between(read: Sequence[Mapping[str, Any]], reading: Sequence[Mapping[str, Any]]) -> list[Edit]:
    """What differs between the figures as read and as they stand now, one entry for each fact."""
    out: list[Edit] = []
    for place, (old, new) in enumerate(zip_longest(read, reading), 1):
        where = f"figure {place}, " if max(len(read), len(reading)) > 1 else ""
        if old is None or new is None:
            out.append(
                Edit(f"{where}the whole figure", None if old is None else "read", None if new is None else "added")
            )
            continue
        axes = [(f"{where}axes.{name}", old["axes"][name], new["axes"][name]) for name in ("x", "y")]
        out += [Edit(*change) for change in axes if change[1] != change[2]]
        simple = ("status", "direction", "axis")
        out += [Edit(f"{where}{key}", old[key], new[key]) for key in simple if old.get(key) != new.get(key)]
        out += _arm_edits(old["arms"], new["arms"], where)
    return out


def _arm_edits(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], where: str) -> list[Edit]:
    out: list[Edit] = []
    for place, (before, after) in enumerate(zip_longest(old, new), 1):
        if before is None or after is None:
            named = (before or after or {}).get("name")
            out.append(Edit(f"{where}arm {place}", named if before else None, named if after else None))
            continue
        if before["name"] != after["name"]:
            out.append(Edit(f"{where}arm {place}, name", before["name"], after["name"]))
        label = f"{where}arm '{after['name']}'"
        had, has = ({c["time"]: c["n"] for c in arm["at_risk"]} for arm in (before, after))
        cells = [(f"{label}, at risk at {t:g}", had.get(t), has.get(t)) for t in sorted(had.keys() | has.keys())]
        lists = [(f"{label}, {key}", before[key], after[key]) for key in ("marks", "curve")]
        out += [Edit(*change) for change in (*cells, *lists) if change[1] != change[2]]
    return out


_PLACE = re.compile(r"^(?:figure (\d+), )?arm (?:(\d+), name|'(.*)', at risk at (.+))$")


def _carried(edit: Edit, figures: list[dict[str, Any]]) -> bool:
    """Whether a corrected name or number at risk could be put into the figures again."""
    found = _PLACE.match(edit.what)
    place = int(found[1] or 1) - 1 if found else -1
    if found is None or not -1 < place < len(figures):
        return False
    arms = figures[place]["arms"]
    if found[2]:
        if not 0 < int(found[2]) <= len(arms) or not isinstance(edit.now, str):
            return False
        arms[int(found[2]) - 1]["name"] = edit.now
        return True
    cells = next((arm["at_risk"] for arm in arms if arm["name"] == found[3]), None)
    if cells is None:
        return False
    time = float(found[4])
    there = [cell for cell in cells if not math.isclose(cell["time"], time, rel_tol=1e-9)]
    if edit.now is not None:
        there.append({"time": time, "n": edit.now, "censored": None, "sure": True})
    cells[:] = sorted(there, key=lambda cell: cell["time"])
    return True


def parse_project(content: bytes, file: str) -> FigureProject:
    """The project in a file's bytes, what a person changed in it checked.

    Raises
    ------
    DataError
        No project file, or a change that cannot be meant; names the file, the arm and what would be right.
    """
    try:
        raw = json.loads(content)
        if raw["format"] != FORMAT:
            raise DataError(
                f"has format '{raw['format']}'; '{FORMAT}' is read, so digitize the figure again", file=file
            )
        image = base64.b64decode(raw["image"] or "", validate=True)
        read, reading = tuple(raw["read"]), tuple(raw["reading"])
        edits = tuple(Edit(e["what"], e["read"], e["now"]) for e in raw["edits"])
        sealed, confirmed = raw["read_seal"], raw["confirmed"] or {}
        project = FigureProject(
            raw["name"], raw["digest"], image, raw["hints"], read, reading, confirmed, edits, raw["problem"]
        )
    except json.JSONDecodeError as error:
        raise DataError(f"line {error.lineno} is not JSON ({error.msg})", file=file) from None
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("not a project file of a digitized figure", file=file) from None
    if digest_of(list(read)) != sealed:
        raise DataError("'read' is what the program read and was changed; change 'reading' instead", file=file)
    if not isinstance(confirmed, Mapping) or ("by" in confirmed and not str(confirmed["by"]).strip()):
        raise DataError('\'confirmed\' is {"by": "a name"} or null', file=file)
    for place, figure in enumerate(reading, 1):
        _check_figure(figure, f"{file}, figure {place}" if len(reading) > 1 else file)
    return project


def _check_figure(figure: Any, where: str) -> None:
    try:
        names = [arm["name"] for arm in figure["arms"]]
        for axis in ("x", "y"):
            for pixel, value in figure["axes"][axis]:
                _number(pixel, f"{where}, axes.{axis}"), _number(value, f"{where}, axes.{axis}")
        for arm in figure["arms"]:
            _check_arm(arm, f"{where}, arm '{arm['name']}'")
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("'reading' lacks a part; copy it from 'read' and change that", file=where) from None
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not all(isinstance(name, str) and name.strip() for name in names):
        raise DataError(f"two arms are called '{twice}'" if twice else "an arm has no name", file=where)


def _check_arm(arm: Mapping[str, Any], where: str) -> None:
    curve = arm["curve"]
    for (t, s), (later, lower) in pairwise(curve):
        if _number(later, where) < _number(t, where):
            raise DataError(f"the curve goes back from {t:g} to {later:g} in time", file=where)
        if _number(lower, where) > _number(s, where) + 1e-9:
            raise DataError(f"survival rises from {s:g} to {lower:g} at {later:g}; it never rises", file=where)
    if len(curve) < 2 or not all(0 <= s <= 1 for _, s in curve) or curve[0][0] < 0:
        raise DataError("a curve has two points or more, survival between 0 and 1, times from 0", file=where)
    for cell in arm["at_risk"]:
        n = cell["n"]
        if not isinstance(n, int) or isinstance(n, bool) or n < 0:
            raise DataError(f"at risk at {cell['time']}: n is {n!r}; it is a whole number, 0 or more", file=where)
        _number(cell["time"], where)
    for mark in arm["marks"]:
        _number(mark, where)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{value!r} stands where a number is needed", file=where)
    return float(value)


def readable_json(value: Any) -> bytes:
    """JSON for people: indented, but lists of plain values on one line."""
    return (_shown(plain(value), "") + "\n").encode()


def _shown(value: Any, indent: str) -> str:
    inner = indent + " "
    if isinstance(value, dict) and value:
        if len(value) <= 4 and not any(isinstance(v, dict | list) for v in value.values()):
            return json.dumps(value, ensure_ascii=False)
        parts = [f"{inner}{json.dumps(str(k), ensure_ascii=False)}: {_shown(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, dict | list) for v in value):
        return "[\n" + ",\n".join(inner + _shown(v, inner) for v in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
