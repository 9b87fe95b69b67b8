"""The outlines that SVG writes as text: path data, shapes and transforms."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

from metagrove.core.values import Array

__all__ = ["affine", "flattened"]

_TOKEN = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_WANTED = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_CHORDS = 6


def affine(text: str) -> Array:
    """The matrix, shape (3, 3), of a `transform` attribute; unknown parts count as nothing.

    >>> affine("translate(2 3) scale(0.5)")[:2].tolist()
    [[0.5, 0.0, 2.0], [0.0, 0.5, 3.0]]
    """
    out = np.eye(3)
    for name, inside in re.findall(r"(\w+)\s*\(([^)]*)\)", text):
        v = [float(p) for p in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", inside)]
        step = np.eye(3)
        if name == "translate" and v:
            step[:2, 2] = v[0], v[1] if len(v) > 1 else 0.0
        elif name == "scale" and v:
            step[0, 0], step[1, 1] = v[0], v[1] if len(v) > 1 else v[0]
        elif name == "rotate" and v:
            a = math.radians(v[0])
            step[:2, :2] = [[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]
            if len(v) == 3:
                centre = np.array(v[1:])
                step[:2, 2] = centre - step[:2, :2] @ centre
        elif name == "matrix" and len(v) == 6:
            step[:2] = [[v[0], v[2], v[4]], [v[1], v[3], v[5]]]
        out = out @ step
    return out


def _number(text: str | None) -> float:
    found = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", text or "")
    return float(found[1]) if found else 0.0


def flattened(tag: str, attributes: Mapping[str, str]) -> Iterator[tuple[Array, bool]]:
    """The polylines of one shape, each with whether it is closed; curves become chords."""
    get = {
        key: _number(attributes.get(key))
        for key in ("x", "y", "width", "height", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry")
    }
    if tag == "path":
        yield from _path(attributes.get("d", ""))
    elif tag == "line":
        yield np.array([[get["x1"], get["y1"]], [get["x2"], get["y2"]]]), False
    elif tag in {"polyline", "polygon"}:
        v = [float(p) for p in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", attributes.get("points", ""))]
        points = np.array(v[: len(v) // 2 * 2]).reshape(-1, 2)
        if len(points):
            yield (np.vstack([points, points[:1]]), True) if tag == "polygon" else (points, False)
    elif tag == "rect":
        x, y, w, h = get["x"], get["y"], get["width"], get["height"]
        yield np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]), True
    else:
        rx, ry = (get["r"], get["r"]) if tag == "circle" else (get["rx"], get["ry"])
        turn = np.linspace(0, 2 * math.pi, 4 * _CHORDS + 1)
        yield np.column_stack([get["cx"] + rx * np.cos(turn), get["cy"] + ry * np.sin(turn)]), True


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Each drawing command with its arguments, repeated commands written out."""
    letter = ""
    held: list[float] = []
    tokens: list[tuple[str, str]] = _TOKEN.findall(data)
    for name, value in tokens:
        if name:
            letter, held = name, []
            if name in "Zz":
                yield name, []
            continue
        if not letter or letter in "Zz":
            continue
        held.append(float(value))
        if len(held) == _WANTED[letter.upper()]:
            yield letter, held
            letter = {"M": "L", "m": "l"}.get(letter, letter)
            held = []


def _path(data: str) -> Iterator[tuple[Array, bool]]:
    points: list[Array] = []
    here, start, handle, last = np.zeros(2), np.zeros(2), np.zeros(2), ""
    for letter, v in _commands(data):
        kind = letter.upper()
        base = here if letter.islower() else np.zeros(2)
        if kind in "MZ":
            if len(points) > 1:
                yield np.array([*points, start] if kind == "Z" else points), kind == "Z"
            here = start = start if kind == "Z" else base + v
            points = [here]
        elif kind in "LHV":
            step = {
                "L": v,
                "H": [v[0], 0 if letter == "h" else here[1]],
                "V": [0 if letter == "v" else here[0], v[-1]],
            }[kind]
            here = base + step
            points.append(here)
        elif kind == "A":
            end = base + v[5:]
            points.extend(_arc(here, v, end))
            here = end
        else:
            bend = _bend(kind, v, base, here, handle, last)
            points.extend(_bezier(bend))
            handle, here = bend[-2], bend[-1]
        last = kind
    if len(points) > 1:
        yield np.array(points), False


def _bend(kind: str, v: list[float], base: Array, here: Array, handle: Array, last: str) -> Array:
    """The control points of a Bézier piece, its start included; shorthand forms mirror the last handle."""
    own = np.array(v).reshape(-1, 2) + base
    if kind == "S":
        own = np.vstack([2 * here - handle if last in ("C", "S") else here, own])
    elif kind == "T":
        own = np.vstack([2 * here - handle if last in ("Q", "T") else here, own])
    return np.vstack([here, own])


def _bezier(control: Array) -> list[Array]:
    n = len(control) - 1
    t = np.linspace(0, 1, _CHORDS + 1)[1:, None]
    weight = np.hstack([math.comb(n, i) * t**i * (1 - t) ** (n - i) for i in range(n + 1)])
    return list(weight @ control)


def _arc(start: Array, v: list[float], end: Array) -> list[Array]:
    """Points on an elliptical arc, by the centre construction of the SVG specification, appendix B.2.4."""
    rx, ry, turn = abs(v[0]), abs(v[1]), math.radians(v[2])
    if rx == 0 or ry == 0 or np.allclose(start, end):
        return [end]
    rotate = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    half = rotate @ (start - end) / 2
    grow = max(1.0, math.hypot(half[0] / rx, half[1] / ry))
    rx, ry = rx * grow, ry * grow
    a = (rx * half[1]) ** 2 + (ry * half[0]) ** 2
    root = math.sqrt(max(0.0, ((rx * ry) ** 2 - a) / a)) * (1 if bool(v[3]) != bool(v[4]) else -1)
    centre = root * np.array([rx * half[1] / ry, -ry * half[0] / rx])
    first = math.atan2((half[1] - centre[1]) / ry, (half[0] - centre[0]) / rx)
    final = math.atan2((-half[1] - centre[1]) / ry, (-half[0] - centre[0]) / rx)
    if v[4] and final < first:
        final += 2 * math.pi
    elif not v[4] and final > first:
        final -= 2 * math.pi
    t = np.linspace(first, final, 2 * _CHORDS + 1)[1:]
    ring = np.column_stack([rx * np.cos(t), ry * np.sin(t)]) + centre
    return list(ring @ rotate + (start + end) / 2)
