"""SVG drawings as words and strokes, parsed here: no entities, no scripts, nothing fetched.

Understood: paths (all commands, arcs by chords), basic shapes, `use`, `symbol`, groups, transforms, presentation
attributes, inline styles and class rules. Text comes from `text` elements, or, where letters are drawn as outlines,
from the comment before them when outlines and comments agree one to one over the whole drawing.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.figures.files.svg_path import affine, flattened
from metagrove.figures.files.svg_style import Rule, declarations, declared, rules_of
from metagrove.figures.files.svg_text import ADVANCE, font_size, length, text_runs
from metagrove.figures.page import RGB, Page, Plate, Stroke, Word, boxed, rgb_colour

__all__ = ["svg_page"]

MAX_BYTES = 60_000_000
MAX_ELEMENTS = 400_000
MAX_VISITS = 200_000
MAX_DEPTH = 60
_SIZE = re.compile(r"[\d.]+(px|pt)\b")
# how far below the anchor the baseline lies, in letter heights, where the anchor is no baseline
_BELOW = {
    "central": 0.34,
    "middle": 0.26,
    "hanging": 0.74,
    "text-before-edge": 0.86,
    "text-top": 0.86,
    "text-after-edge": -0.2,
    "ideographic": -0.2,
    "mathematical": 0.4,
}
_INHERITED = (
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-opacity",
    "fill",
    "fill-opacity",
    "opacity",
    "color",
    "font-size",
    "text-anchor",
    "dominant-baseline",
    "alignment-baseline",
    "visibility",
    "display",
)


@dataclass(slots=True)
class _Node:
    tag: str
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)
    text: str = ""


def _tree(content: bytes) -> _Node:
    if len(content) > MAX_BYTES:
        raise DataError(f"the SVG has {len(content) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read")
    root = _Node("", {})
    stack, count = [root], 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        tag = name.rpartition(":")[2]
        if tag == "script" or any(key.lower().startswith("on") for key in attributes):
            raise DataError("the SVG holds a script; save it as a plain drawing without scripts")
        if count > MAX_ELEMENTS or len(stack) > 4 * MAX_DEPTH:
            raise DataError("the SVG holds too many or too deeply nested elements for a figure")
        node = _Node(tag, {key.rpartition(":")[2]: value for key, value in attributes.items()})
        stack[-1].children.append(node)
        stack.append(node)

    def end(_: str) -> None:
        stack.pop()

    def chars(text: str) -> None:
        if stack[-1].tag in {"text", "tspan", "style", "a", "textPath"}:
            if stack[-1].children:
                stack[-1].children.append(_Node("#text", {}, text=text))
            else:
                stack[-1].text += text

    def comment(text: str) -> None:
        stack[-1].children.append(_Node("#comment", {}, text=text.strip()))

    def entity(*_: object) -> None:
        raise DataError("the SVG declares entities; they are never expanded, so save it without a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.CommentHandler = chars, comment
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise DataError(f"not a readable SVG; line {error.lineno} is broken or the file is cut short") from None
    found = next((n for n in root.children if n.tag == "svg"), None)
    if found is None:
        raise DataError("not an SVG: the outermost element is not <svg>")
    return found


def _sheet(root: _Node) -> list[Rule]:
    """The rules of all style sheets in the drawing."""
    sheets: list[str] = []
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(reversed(node.children))
        if node.tag == "style":
            sheets.append(node.text + "".join(c.text for c in node.children if c.tag == "#text"))
    return rules_of("\n".join(sheets))


def _measured(root: _Node, width: float, height: float) -> None:
    """Lengths in percent of the drawing or in physical units, written in user units."""
    sides = {**dict.fromkeys(("x", "x1", "x2", "cx", "width", "rx"), width), "r": math.hypot(width, height) / 2**0.5}
    sides |= dict.fromkeys(("y", "y1", "y2", "cy", "height", "ry"), height)
    stack = list(root.children)
    while stack:
        node = stack.pop()
        stack.extend(node.children)
        for key, side in sides.items():
            said = node.attributes.get(key, "").strip()
            if said.endswith("%") and node.tag not in {"linearGradient", "radialGradient", "mask", "filter", "pattern"}:
                share = length(said[:-1], -1e9)
                if share > -1e9:
                    node.attributes[key] = repr(share / 100 * side)
            elif said and said[-1].isalpha():
                node.attributes[key] = repr(length(said)) if length(said, -1e9) > -1e9 else said


@dataclass(frozen=True, slots=True, eq=False)
class _Outlined:
    """Letters drawn as outlines: what a comment says they are, their box and angle, colour, and the outline of each."""

    text: str
    box: Array
    angle: int
    colour: RGB | None
    glyphs: list[str]


@dataclass(slots=True)
class _Walk:
    rules: list[Rule]
    ids: dict[str, _Node]
    strokes: list[Stroke] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    outlined: list[_Outlined] = field(default_factory=list)
    plates: list[Plate] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    serial: int = 0
    visits: int = 0
    chain: list[_Node] = field(default_factory=list)

    def style(self, node: _Node, outer: Mapping[str, str]) -> dict[str, str]:
        out = {key: outer[key] for key in _INHERITED if key in outer}
        sheet = declared(self.rules, [*self.chain, node]) if self.rules else {}
        for source in (node.attributes, sheet, declarations(node.attributes.get("style", ""))):
            short = _SIZE.search(source.get("font", ""))
            if short:
                out["font-size"] = short[0]
            for key in _INHERITED:
                if key in source and source[key] != "inherit":
                    out[key] = source[key]
        return out

    def visit(self, node: _Node, place: Array, outer: Mapping[str, str], depth: int = 0) -> None:
        self.visits += 1
        if depth > MAX_DEPTH:
            return
        if self.visits > MAX_VISITS:
            raise DataError("the SVG repeats its parts without end; save it as a plain drawing")
        style = self.style(node, outer)
        if style.get("display") == "none":
            return
        place = place @ affine(node.attributes.get("transform", ""))
        self.chain.append(node)
        self._drawn(node, place, style, depth)
        self.chain.pop()

    def _drawn(self, node: _Node, place: Array, style: Mapping[str, str], depth: int) -> None:
        kind = node.tag
        if kind in {"svg", "g", "a", "switch", "symbol"}:
            if kind == "svg" and depth:
                place = place @ _shift(node)
            self._group(node, place, style, depth)
        elif kind == "use":
            target = self.ids.get(node.attributes.get("href", "").removeprefix("#"))
            if target is not None:
                self.visit(target, place @ _shift(node), style, depth + 1)
        elif kind == "text":
            self._text(node, place, style)
        elif kind in {"path", "line", "polyline", "polygon", "rect", "circle", "ellipse"}:
            self._shape(node, place, style)
        elif kind == "image":
            self._image(node, place)

    def _image(self, node: _Node, place: Array) -> None:
        """A bitmap inside the drawing; one that stands elsewhere is only named, and turned ones are left out."""
        link = node.attributes.get("href", "")
        if not link.startswith("data:"):
            self.outside.append(link[:80])
            return
        content = _embedded(link)
        wide, tall = length(node.attributes.get("width")), length(node.attributes.get("height"))
        upright = abs(place[0, 1]) + abs(place[1, 0]) < 1e-6 and place[0, 0] > 0 and place[1, 1] > 0
        if content and upright and wide > 0 and tall > 0:
            x, y = length(node.attributes.get("x")), length(node.attributes.get("y"))
            left, top, _ = place @ [x, y, 1.0]
            right, bottom, _ = place @ [x + wide, y + tall, 1.0]
            self.plates.append(Plate(content, (float(left), float(top), float(right), float(bottom))))

    def _group(self, node: _Node, place: Array, style: Mapping[str, str], depth: int) -> None:
        remark = ""
        for child in node.children:
            if child.tag == "#comment":
                remark = child.text
                continue
            before = len(self.strokes)
            self.visit(child, place, style, depth + 1)
            if remark and child.tag in {"g", "use", "path"}:
                self._remarked(remark, child, before)
            remark = ""

    def _remarked(self, remark: str, child: _Node, before: int) -> None:
        """Letters drawn as outlines under a comment that says what they are."""
        glyphs = [n.attributes.get("href", "") for n in child.children if n.tag == "use"]
        drawn = [s for s in self.strokes[before:] if s.fill is not None]
        if not glyphs or not drawn or len(glyphs) != len(remark.replace(" ", "")):
            if len(glyphs) != len(remark) or not drawn:
                return
            glyphs = [g for g, c in zip(glyphs, remark, strict=True) if c != " "]
        points = np.vstack([s.points for s in drawn])
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        turn = 90 if "rotate(-90" in child.attributes.get("transform", "") else 0
        self.outlined.append(_Outlined(remark, box, turn, drawn[0].fill, glyphs))
        del self.strokes[before:]

    def _shape(self, node: _Node, place: Array, style: Mapping[str, str]) -> None:
        if style.get("visibility") == "hidden":
            return
        colour, fill = _paint(style, "stroke", "none"), _paint(style, "fill", "black")
        scale = math.sqrt(abs(float(np.linalg.det(place[:2, :2]))))
        width = length(style.get("stroke-width"), 1.0) * scale
        colour = colour if width > 0 else None
        if colour is None and fill is None:
            return
        dash = _dash(style.get("stroke-dasharray", "none"), scale)
        self.serial += 1
        for points, closed in flattened(node.tag, node.attributes):
            if len(points) > 1:
                placed = points @ place[:2, :2].T + place[:2, 2]
                self.strokes.append(Stroke(placed, colour, width, dash, fill, closed, self.serial))

    def _text(self, node: _Node, place: Array, style: Mapping[str, str]) -> None:
        if style.get("visibility") == "hidden":
            return
        for run in text_runs(node, style, self.style):
            own, size = run.style, font_size(run.style)
            line = own.get("alignment-baseline") or own.get("dominant-baseline") or ""
            y = run.y + size * _BELOW.get(line, 0.0)
            wide = run.last - run.x + ADVANCE * size if run.exact else run.wide or ADVANCE * size * len(run.text)
            share = 0.0 if run.exact else {"start": 0.0, "middle": 0.5, "end": 1.0}.get(own.get("text-anchor", ""), 0.0)
            left = run.x - wide * share
            corners = np.array([[left, y - 0.72 * size, 1], [left + wide, y, 1]]) @ place.T
            turn = round(math.degrees(math.atan2(-place[1, 0], place[0, 0])) / 90) * 90 % 360
            low, high = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
            self.words.append(boxed(run.text, np.concatenate([low, high]), turn, _paint(own, "fill", "black")))


def _shift(node: _Node) -> Array:
    """Where an inner drawing or a repeated part stands; an inner drawing with a `viewBox` is fitted into its place."""
    said, out = node.attributes, np.eye(3)
    out[0, 2], out[1, 2] = length(said.get("x")), length(said.get("y"))
    view = _numbers(said.get("viewBox", ""))
    wide, tall = length(said.get("width")), length(said.get("height"))
    if node.tag == "svg" and len(view) == 4 and min(view[2], view[3], wide, tall) > 0:
        scale = min(wide / view[2], tall / view[3])
        out[0, 0] = out[1, 1] = scale
        out[0, 2] += (wide - scale * view[2]) / 2 - scale * view[0]
        out[1, 2] += (tall - scale * view[3]) / 2 - scale * view[1]
    return out


def _numbers(text: str) -> list[float]:
    return [float(v) for v in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text)]


def _paint(style: Mapping[str, str], key: str, default: str) -> RGB | None:
    value = style.get(key, default)
    if value == "currentColor":
        value = style.get("color", "black")
    for name in (f"{key}-opacity", "opacity"):
        try:
            if float(style.get(name, "1").rstrip("%")) < 0.02:
                return None
        except ValueError:
            continue
    return rgb_colour(value)


def _dash(text: str, scale: float) -> tuple[float, ...]:
    parts = [p for p in re.split(r"[\s,]+", text.strip()) if p]
    lengths = [length(p, -1.0) for p in parts]
    if not lengths or min(lengths) < 0 or sum(lengths) == 0:
        return ()
    return tuple(round(v * scale, 2) for v in lengths)


def _embedded(link: str) -> bytes:
    """The bytes of a `data:` address in base64; none where it is no bitmap."""
    head, _, body = link.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64") or "svg" in head:
        return b""
    try:
        return base64.b64decode(re.sub(r"\s+", "", body), validate=True)
    except ValueError:
        return b""


def _agreed(outlined: list[_Outlined]) -> list[Word]:
    """The commented words whose letters always stand for the same outline; contradictions give none."""
    letter_of: dict[str, set[str]] = {}
    for o in outlined:
        for glyph, letter in zip(o.glyphs, o.text.replace(" ", ""), strict=True):
            letter_of.setdefault(glyph, set()).add(letter)
    sure = [o for o in outlined if all(len(letter_of[g]) == 1 for g in o.glyphs)]
    return [boxed(o.text, o.box, o.angle, o.colour) for o in sure]


def svg_page(content: bytes) -> Page:
    """The drawing as one page, in points; raises DataError for entities, scripts and what is not an SVG."""
    root = _tree(content)
    ids: dict[str, _Node] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(node.children)
        if "id" in node.attributes:
            ids.setdefault(node.attributes["id"], node)
    view = _numbers(root.attributes.get("viewBox", ""))
    width, height = _size(root.attributes.get("width")), _size(root.attributes.get("height"))
    if len(view) != 4 or view[2] <= 0 or view[3] <= 0:
        view = [0.0, 0.0, (width or 800.0) / 0.75, (height or 600.0) / 0.75]
    width, height = width or view[2] * 0.75, height or view[3] * 0.75
    scale = min(width / view[2], height / view[3])
    place = np.array(
        [
            [scale, 0, (width - scale * view[2]) / 2 - scale * view[0]],
            [0, scale, (height - scale * view[3]) / 2 - scale * view[1]],
            [0, 0, 1],
        ]
    )
    _measured(root, view[2], view[3])
    walk = _Walk(_sheet(root), ids)
    walk.visit(root, place, {})
    words = [*walk.words, *_agreed(walk.outlined)]
    if not (0 < width < 1e6 and 0 < height < 1e6 and max(width, height) < 1000 * min(width, height)):
        raise DataError(f"the SVG is {width:g} x {height:g} points; no figure has such a shape")
    return Page(
        width, height, tuple(words), tuple(walk.strokes), plates=tuple(walk.plates), outside=tuple(walk.outside)
    )


def _size(text: str | None) -> float | None:
    value = length(text, -1.0)
    return 0.75 * value if value >= 0 else None
