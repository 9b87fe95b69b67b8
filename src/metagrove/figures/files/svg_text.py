"""The text of SVG drawings in pieces as they are placed: one run for each anchor, and words of letters placed one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["ADVANCE", "EM", "Run", "font_size", "length", "lengths", "text_runs"]

Style: TypeAlias = Mapping[str, str]

# the size of letters where none is said, and how far a letter moves on, of its size
EM, ADVANCE = 16.0, 0.53
# letters placed one by one belong together up to this distance, of their size: digits, and wide letters
_DIGIT, _LETTER = 0.95, 1.25
# of the size: a shift of the line that is an index or a power; a step that is a gap
_INDEX, _GAP = 0.7, 0.6
_LENGTH = re.compile(r"^\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*(pt|px|mm|cm|in|pc)?\s*$", re.IGNORECASE)
_RELATIVE = re.compile(r"^([-+]?[\d.]+)(em|ex)$")
_PIXELS = {"pt": 96 / 72, "px": 1.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0, "pc": 16.0}


@dataclass(slots=True)
class Run:
    """Text that begins at one place, in user units; `wide` is its width where the file says it, else 0.

    `exact` says that the letters are placed one by one, from `x` to the beginning of the last at `last`.
    """

    text: str
    x: float
    y: float
    style: Style
    wide: float = 0.0
    exact: bool = False
    last: float = 0.0


@dataclass(slots=True)
class _Places:
    """The lists of positions of one element, and how many of its letters have been placed."""

    lists: dict[str, list[float]]
    done: int = 0

    def at(self, name: str) -> float | None:
        values = self.lists.get(name, [])
        return values[self.done] if self.done < len(values) else None


@dataclass(slots=True)
class _Walk:
    style: Callable[[Any, Style], Style]
    places: list[_Places] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    cursor: tuple[float, float] = (0.0, 0.0)
    fresh: bool = True


def length(text: str | None, default: float = 0.0) -> float:
    """A length in user units; physical units count 96 to the inch as SVG does."""
    found = _LENGTH.match(text or "")
    return float(found[1]) * _PIXELS[found[2].lower() if found[2] else "px"] if found else default


def font_size(style: Style) -> float:
    """The size of the letters; only the commonest of relative sizes is known."""
    size = style.get("font-size", "")
    return EM if size.endswith(("em", "%")) else length(size, EM)


def lengths(text: str | None, em: float) -> list[float]:
    """A list of lengths, which may be in units of the letters' size."""
    out = []
    for part in (text or "").replace(",", " ").split():
        relative = _RELATIVE.match(part)
        scale = em * (0.5 if relative and relative[2] == "ex" else 1.0)
        out.append(float(relative[1]) * scale if relative else length(part))
    return out


def text_runs(node: Any, style: Style, styled: Callable[[Any, Style], Style]) -> Iterator[Run]:
    """Each piece of a `text` element; `styled` gives the style of a child from that of its parent."""
    walk = _Walk(styled)
    _enter(walk, node, style, kept=False)
    for run in walk.runs:
        run.text = run.text.replace("\u00a0", " ").rstrip() if not run.exact else run.text.strip()
        if run.text.strip():
            yield run


def _enter(walk: _Walk, node: Any, style: Style, *, kept: bool) -> None:
    said = node.attributes
    kept = said["space"] == "preserve" if "space" in said else kept
    em = font_size(style)
    walk.places.append(_Places({name: lengths(said.get(name), em) for name in ("x", "y", "dx", "dy")}))
    before = len(walk.runs)
    _letters(walk, node.text, style, kept=kept)
    for child in node.children:
        if child.tag == "#text":
            _letters(walk, child.text, style, kept=kept)
        elif child.tag in {"tspan", "a", "textPath"}:
            _enter(walk, child, walk.style(child, style), kept=kept)
    stated = length(said.get("textLength"))
    if stated and len(walk.runs) == before + 1:
        walk.runs[-1].wide = stated
    walk.places.pop()


def _letters(walk: _Walk, text: str, style: Style, *, kept: bool) -> None:
    text = text if kept else re.sub(r"\s+", " ", text)
    for letter in text:
        if letter == " " and not kept and (walk.fresh or (walk.runs and walk.runs[-1].text.endswith(" "))):
            continue
        walk.fresh = False
        _letter(walk, letter, style)
        for places in walk.places:
            places.done += 1


def _place(walk: _Walk, name: str) -> float | None:
    return next((v for p in reversed(walk.places) if (v := p.at(name)) is not None), None)


def _letter(walk: _Walk, letter: str, style: Style) -> None:
    """One letter, put to the run before it or at the beginning of a new one."""
    em = font_size(style)
    x, y = _place(walk, "x"), _place(walk, "y")
    across, down = _place(walk, "dx") or 0.0, _place(walk, "dy") or 0.0
    here = (x if x is not None else walk.cursor[0]) + across, (y if y is not None else walk.cursor[1]) + down
    run = walk.runs[-1] if walk.runs else None
    walk.cursor = here[0] + ADVANCE * em, here[1]
    told = x is not None or (y is not None and abs(here[1] - (run.y if run else 0.0)) > _INDEX * em)
    moved = abs(across) > _GAP * em or abs(down) > _INDEX * em
    if run is None or told or moved:
        if run is not None and x is not None and letter != " " and _continues(run, letter, here, em):
            run.text, run.last, run.exact = run.text + letter, here[0], True
        elif not (letter == " " and x is not None and run is not None):
            walk.runs.append(Run(letter, here[0], here[1], style, last=here[0]))
        elif run is not None:
            run.text += " "
    else:
        run.text += letter


def _continues(run: Run, letter: str, here: tuple[float, float], em: float) -> bool:
    """Whether a letter with a place of its own goes on with a word of such letters."""
    single = run.exact or len(run.text) == 1
    reach = (_DIGIT if run.text[-1:].isdigit() and letter.isdigit() else _LETTER) * em
    return single and not run.text.endswith(" ") and abs(here[1] - run.y) < 0.1 * em and 0 < here[0] - run.last < reach
