"""Which arms a plot shows: from hints, the legend, rows of numbers at risk, coloured names and the inks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.assignment import assigned
from metagrove.figures.files.image import Pixels
from metagrove.figures.findings import Finding
from metagrove.figures.hints import ArmHint, Hints
from metagrove.figures.legend.keys import Sample
from metagrove.figures.legend.shades import along, whole_inks
from metagrove.figures.lines.dashes import dash_patterns
from metagrove.figures.lines.evidence import ArmLook, Canvas, arm_width, canvas, coverage
from metagrove.figures.lines.inks import Ink, inks_of
from metagrove.figures.lines.symbols import TWO_SYMBOLS, Marks, marks_of, unlike
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import RGB, Word, colour_distance
from metagrove.figures.table.rows import RiskRow
from metagrove.figures.writing.naming import plain_name

__all__ = ["ArmSpec", "Scene", "arm_specs", "with_marks"]

_STYLES = ("solid", "dashed", "dotted")
# how far the colour of a short sample line may stray from its curve's after JPEG compression
_BLURRED = 75.0
_EVEN_WIDTHS = 1.4
# what stands out of the paper less than this share of the legend's colours are the ripples of JPEG compression
_FAINTEST = 0.25
# a thin sample shows at least this share of its ink; what it lacks counts so much
_PALEST, _PALE_COST = 0.4, 0.33
# widths of the plot from its left side within which coloured names may stand
_ASIDE = 1.45
# how surely a name is read at least: scraps of a dashed line read as letters have its colour too
_SURE = 0.7
# levels of 255 that a grey name is paler than black words
_PALER = 60
# how far a pixel of an ink may be from its colour
_OWN = 60.0
# how much paler the limits of an arm are than its line, and how alike in hue
_PALER_LINE, _ONE_HUE = 0.85, 0.975
# an ink is the soft edge of another up to this share of it, and this far off its mixtures with paper
_MIXED, _MIXTURE = 0.7, 30.0
# a curve runs through this share of the columns of the one that runs through most
_THROUGH = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A plot cut from its picture: `rgb` with letters painted over, `blank` where axis lines say nothing.

    `whole` and `dark` are the full picture and its ink, `origin` the row and column where the cut begins, `erased` the
    letters and legend in the full picture; `marks` are the symbols of arms that share an ink.
    """

    whole: Pixels
    dark: NDArray[np.float32]
    rgb: Pixels
    blank: NDArray[np.bool_]
    origin: tuple[int, int]
    erased: NDArray[np.bool_]
    marks: Marks | None = None


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """What to trace: a name (empty where unknown) and a look."""

    name: str
    look: ArmLook


@dataclass(frozen=True, slots=True)
class _Seed:
    name: str
    colour: RGB
    style: str
    dash: Dash | None = None
    symbol: int = 0


def with_marks(scene: Scene, samples: Sequence[Sample]) -> Scene:
    """The scene with the symbols of its curves, where keys of one ink bear different ones."""
    groups = [
        [s for s in samples if s.symbol is not None and colour_distance(s.colour, o.colour) < _BLURRED] for o in samples
    ]
    group = max(groups, key=len, default=[])
    symbols = [s.symbol for s in group if s.symbol is not None]
    if len(symbols) < 2 or any(unlike(a, b) <= TWO_SYMBOLS for a, b in combinations(symbols, 2)):
        return scene
    ink = min((s.colour for s in group), key=sum)
    field = canvas(scene.rgb, [ink], scene.blank)
    cover = np.where(scene.blank, 0, coverage(field, ArmLook(ink, 2.0, Dash(), "solid")))
    return replace(scene, marks=marks_of(np.asarray(cover, dtype=np.float32), symbols))


def arm_specs(
    scene: Scene, samples: Sequence[Sample], rows: Sequence[RiskRow], names: Sequence[Word], hints: Hints
) -> tuple[list[ArmSpec], list[int], list[Finding]]:
    """The arms to trace, how many arms each witness on the page counts, and what is doubtful.

    Witnesses are the legend, the rows of numbers at risk and names written in the colour of a curve.
    """
    # thick lines of a small plot are as flat as paper
    field = canvas(scene.rgb, [s.colour for s in samples], scene.blank)
    shape = scene.rgb.shape
    inks = inks_of(scene.rgb, field.paper, scene.blank, least=max(40.0, 0.35 * shape[1]), noise=_noise(scene.rgb))
    paper = np.asarray(field.paper[0], dtype=float)
    inks = whole_inks(scene.rgb, inks, paper, scene.blank)
    labelled = _coloured_names(scene, names, inks, rows, paper)
    samples = _beside_table(samples, rows, inks)
    counts = [c for c in (len(samples), len(rows)) if c]
    findings: list[Finding] = []
    if hints.arms and all(a.colour is not None for a in hints.arms):
        seeds = _hinted(hints, samples)
        counts = []
    elif len(samples) > 1 or (samples and len(rows) <= 1 and len(labelled) <= len(samples)):
        seeds = _listed(samples, inks, paper, scene.marks)
        if len(samples) != len(rows):
            seeds += _unlisted(scene, inks, seeds, paper)
    elif len(labelled) > 1:
        seeds = labelled + _rest(inks, labelled, len(rows))
        counts = [len(rows)] if rows else [len(seeds)]
    else:
        count = len(hints.arms) or len(rows)
        seeds = _from_inks(_longest_first(inks, scene), count)
    seeds = _distinct(seeds)
    colours = [s.colour for s in seeds]
    field = canvas(scene.rgb, colours, scene.blank)
    whole = canvas(scene.whole, colours) if any(s.style != "solid" for s in seeds) else field
    bare = scene.marks.taken if scene.marks is not None else np.zeros_like(scene.blank)
    looks = [_look(field, whole, s, _edges_of(field, s.colour, colours) | bare) for s in seeds]
    # one figure's lines are of one width, give or take; dense marks make a line look thicker
    widest = _EVEN_WIDTHS * _thinnest([look.width for look in looks if look.reach])
    looks = [replace(look, width=min(look.width, widest)) for look in looks]
    return [ArmSpec(s.name, look) for s, look in zip(seeds, looks, strict=True)], counts, findings


def _beside_table(samples: Sequence[Sample], rows: Sequence[RiskRow], inks: Sequence[Ink]) -> list[Sample]:
    """The entries of a legend that count beside numbers at risk: those that the table names where these are as many."""
    labels = {plain_name(r.label) for r in rows if r.label}
    named = [s for s in samples if plain_name(s.name) in labels]
    only = len(rows) == len(labels) == 1 or len(named) == len(rows) > 0
    return named if only and not _all_drawn(samples, inks) else list(samples)


def _thinnest(widths: Sequence[float]) -> float:
    """The smallest of the widths, but for one of three or more that is less than half of all others: soft edges, no line."""
    ordered = sorted(widths)
    if len(ordered) > 2 and ordered[0] < ordered[1] / 2:
        return ordered[1]
    return ordered[0] if ordered else np.inf


def _all_drawn(samples: Sequence[Sample], inks: Sequence[Ink]) -> bool:
    """Whether each entry of a legend has a colour of its own among the inks of the plot."""
    own = [min(inks, key=lambda i: colour_distance(i.colour, s.colour), default=None) for s in samples]
    near = [i for i, s in zip(own, samples, strict=True) if i and colour_distance(i.colour, s.colour) < 40]
    return len({i.colour for i in near if not i.neutral}) == len(samples) > 1


def _noise(rgb: Pixels) -> float:
    """How much flat paper varies from pixel to pixel: large after strong JPEG compression."""
    grey = rgb.astype(np.float32).mean(axis=2)
    paper = np.abs(grey - np.median(grey)) < 20
    return float(min(grey[paper].std(), 8.0)) if paper.any() else 0.0


def _hinted(hints: Hints, samples: Sequence[Sample]) -> list[_Seed]:
    """The hinted arms; arms of one colour take their style from the legend, else those left of solid, dashed, dotted."""
    known = [_known_style(a, hints, samples) for a in hints.arms]
    seeds: list[_Seed] = []
    for arm, (style, dash) in zip(hints.arms, known, strict=True):
        colour = arm.colour if arm.colour is not None else (0, 0, 0)
        same = [k for k, a in enumerate(hints.arms) if a.colour is not None and colour_distance(a.colour, colour) < 24]
        if style is None:
            taken = {known[k][0] for k in same}
            free = [s for s in _STYLES if s not in taken] or list(_STYLES)
            place = [k for k in same if known[k][0] is None].index(len(seeds))
            style = free[min(place, len(free) - 1)] if len(same) > 1 else "solid"
        seeds.append(_Seed(arm.name or "", colour, style, dash))
    return seeds


def _known_style(arm: ArmHint, hints: Hints, samples: Sequence[Sample]) -> tuple[str | None, Dash | None]:
    """The style that the hint or the legend's sample of its name or of its colour alone gives an arm; else None."""
    if arm.style is not None or arm.colour is None:
        return arm.style, None
    same = [a for a in hints.arms if a.colour is not None and colour_distance(a.colour, arm.colour) < 24]
    own = [s for s in samples if arm.name and plain_name(s.name) == plain_name(arm.name)]
    fits = [s for s in samples if colour_distance(s.colour, arm.colour) < 60]
    sample = own[0] if len(own) == 1 else fits[0] if len(same) == len(fits) == 1 else None
    return (sample.style, sample.dash) if sample is not None else (None, None)


def _listed(samples: Sequence[Sample], inks: Sequence[Ink], paper: Array, marks: Marks | None) -> list[_Seed]:
    """The arms of a legend, each colour of the legend in an ink of the plot of its own where there is one near it."""
    colours: list[RGB] = []
    for sample in samples:
        if not any(colour_distance(sample.colour, c) <= 12 for c in colours):
            colours.append(sample.colour)
    far = np.array([[_unlike(c, i.colour, paper) for i in inks] for c in colours]).reshape(len(colours), len(inks))
    # each colour may also keep to itself
    alone = np.where(np.eye(len(colours), dtype=bool), _BLURRED, 1e6)
    rows, columns = assigned(np.concatenate([far, alone], axis=1))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    own = {colours[r]: inks[c].colour for r, c in pairs if c < len(inks)}
    out = []
    for sample in samples:
        colour = next(c for c in colours if colour_distance(sample.colour, c) <= 12)
        symbol = marks.kind(sample.symbol) if marks is not None else 0
        out.append(_Seed(sample.name, own.get(colour, sample.colour), sample.style, sample.dash, symbol))
    return out


def _unlike(sample: RGB, ink: RGB, paper: Array) -> float:
    """How far a sample's colour is from an ink; thin samples are mixed with the paper, which counts a third."""
    own, full = np.array(sample) - paper, np.array(ink) - paper
    share = float(np.clip(own @ full / max(float(full @ full), 1.0), _PALEST, 1.0))
    mixed = float(np.linalg.norm(own - share * full)) + _PALE_COST * (1 - share) * float(np.linalg.norm(full))
    return min(colour_distance(sample, ink), mixed)


def _rest(inks: Sequence[Ink], seeds: Sequence[_Seed], count: int) -> list[_Seed]:
    """Arms without a name for the inks that are left, as many as the numbers at risk have more rows than names."""
    free = [i for i in inks if not any(colour_distance(i.colour, s.colour) < 50 for s in seeds)]
    free.sort(key=lambda i: (i.neutral, -i.pixels))
    return [_Seed("", i.colour, "solid") for i in free[: max(count - len(seeds), 0)]]


def _coloured_names(
    scene: Scene, names: Sequence[Word], inks: Sequence[Ink], rows: Sequence[RiskRow], paper: Array
) -> list[_Seed]:
    """Names inside the plot, or right of it, written in an ink of its lines (no legend).

    Small letters are paler than lines, so colours are compared by their direction from the paper. Where numbers at
    risk are printed, a name must also head one of their rows.
    """
    r0, c0 = scene.origin
    tall, wide = scene.rgb.shape[:2]
    labels = {plain_name(r.label) for r in rows if r.label}
    there = [
        w
        for w in names
        if w.colour is not None
        and w.score > _SURE
        and r0 <= w.cy <= r0 + tall
        and c0 <= w.cx <= c0 + _ASIDE * wide
        and (plain_name(w.text) in labels if labels else sum(c.isalpha() for c in w.text) > 2)
    ]
    inside = [w for w in there if w.colour is not None and max(w.colour) - min(w.colour) > 30]
    coloured = [i for i in inks if not i.neutral]
    pairs = sorted(
        (
            (along(w.colour, i.colour, paper), k, n)
            for k, i in enumerate(coloured)
            for n, w in enumerate(inside)
            if w.colour
        ),
        reverse=True,
    )
    out: dict[int, int] = {}
    for likeness, k, n in pairs:
        if likeness > 0.955 and k not in out and n not in out.values():
            out[k] = n
    pairs_out = [(inside[n], coloured[k]) for k, n in out.items()]
    pairs_out += _grey_name([w for w in there if w not in inside], names, inks) if pairs_out else []
    return [_Seed(w.text, ink.colour, "solid") for w, ink in sorted(pairs_out, key=lambda p: p[0].cy)]


def _grey_name(there: Sequence[Word], names: Sequence[Word], inks: Sequence[Ink]) -> list[tuple[Word, Ink]]:
    """The one name among coloured ones that is written in grey, as one line is drawn, while all other words are black."""
    shades = [min(w.colour) for w in names if w.colour is not None and max(w.colour) - min(w.colour) < 30]
    usual = float(np.median(shades)) if shades else 255.0
    pale = [w for w in there if w.colour is not None and min(w.colour) > usual + _PALER]
    grey = [i for i in inks if i.neutral and _PALER < min(i.colour) < 255 - _PALER]
    return [(pale[0], grey[0])] if len(pale) == len(grey) == 1 and usual < _PALER else []


def _longest_first(inks: Sequence[Ink], scene: Scene) -> list[Ink]:
    """The inks by their amount, those first that run through most of the plot's width: words and arrows do not."""
    pixels = scene.rgb.astype(np.float32)

    def columns(ink: Ink) -> int:
        own = ((pixels - np.array(ink.colour, dtype=np.float32)) ** 2).sum(axis=2) < _OWN**2
        return int((own & ~scene.blank).any(axis=0).sum())

    wide = [columns(i) for i in inks]
    far = {i.colour for i, w in zip(inks, wide, strict=True) if w >= _THROUGH * max(wide)}
    return sorted(inks, key=lambda i: (i.colour not in far, -i.pixels))


def _from_inks(inks: Sequence[Ink], count: int) -> list[_Seed]:
    """Arms from the inks alone, the first that many; more arms than colours means styles of black."""
    coloured = [i for i in inks if not i.neutral]
    neutral = [i for i in inks if i.neutral]
    chosen = [*coloured, *neutral]
    if count and len(chosen) >= count:
        return [_Seed("", i.colour, "solid") for i in chosen if i in inks[:count]]
    seeds = [_Seed("", i.colour, "solid") for i in chosen]
    if count > len(chosen) and neutral:
        black = min(neutral, key=lambda i: sum(i.colour))
        extra = _STYLES[1 : 1 + count - len(chosen)]
        seeds += [_Seed("", black.colour, style) for style in extra]
    return seeds


def _unlisted(scene: Scene, inks: Sequence[Ink], seeds: Sequence[_Seed], paper: Array) -> list[_Seed]:
    """Colours that draw much of the plot and that the legend does not list; they make the counts disagree."""
    known = [i for i in inks if any(colour_distance(i.colour, s.colour) < 50 for s in seeds)]
    least = 0.3 * max((i.pixels for i in known), default=0)
    contrast = _FAINTEST * max((float(np.linalg.norm(np.array(s.colour) - paper)) for s in seeds), default=0.0)
    fresh = [i for i in inks if i not in known and not i.neutral and i.pixels > least]
    fresh = [i for i in fresh if float(np.linalg.norm(np.array(i.colour) - paper)) > contrast]
    fresh = [i for i in fresh if not any(_pale_of(i.colour, s.colour, paper) for s in seeds)]
    return [_Seed("", i.colour, "solid") for i in fresh if not _halo(scene, i.colour, [s.colour for s in seeds])]


def _pale_of(colour: RGB, other: RGB, paper: Array) -> bool:
    """Whether a colour is a paler one of the same hue, as the thin lines of an arm's limits are."""
    far, full = (float(np.linalg.norm(np.array(c) - paper)) for c in (colour, other))
    return far < _PALER_LINE * full and along(colour, other, paper) > _ONE_HUE


def _halo(scene: Scene, colour: RGB, others: Sequence[RGB]) -> bool:
    """Whether a colour lies only beside lines of other inks, as the ripples of strong JPEG compression do."""
    import cv2

    pixels = scene.rgb.astype(np.float32)
    own = ((pixels - np.array(colour, dtype=np.float32)) ** 2).sum(axis=2) < 30.0**2
    lines = np.zeros(own.shape, dtype=np.uint8)
    for other in others:
        lines |= (((pixels - np.array(other, dtype=np.float32)) ** 2).sum(axis=2) < 45.0**2).astype(np.uint8)
    near = cv2.dilate(lines, np.ones((9, 9), np.uint8)) > 0
    own &= ~scene.blank
    return bool(own.any() and (own & near).sum() > 0.9 * own.sum())


def _distinct(seeds: Sequence[_Seed]) -> list[_Seed]:
    out: list[_Seed] = []
    for seed in seeds:
        if not any(colour_distance(seed.colour, o.colour) < 12 and _one_style(seed, o) for o in out):
            out.append(seed)
    return out


def _one_style(a: _Seed, b: _Seed) -> bool:
    if a.symbol != b.symbol:
        return False
    return a.style == b.style and (a.dash is None or b.dash is None or _same_pattern(a.dash, b.dash))


def _edges_of(field: Canvas, colour: RGB, others: Sequence[RGB]) -> NDArray[np.bool_]:
    """The pixels at soft edges of those other inks that mixed with paper make this colour, as black makes grey."""
    import cv2

    own = np.array(colour) - field.main
    out = np.zeros(field.blank.shape, dtype=np.uint8)
    for other in others:
        full = np.array(other) - field.main
        share = float(own @ full) / max(float(full @ full), 1.0)
        if share < _MIXED and float(np.linalg.norm(own - share * full)) < _MIXTURE:
            out |= (field.error(np.array(other, dtype=np.float32)) < _OWN**2).astype(np.uint8)
    return np.asarray(cv2.dilate(out, np.ones((5, 5), np.uint8)) > 0)


def _look(field: Canvas, whole: Canvas, seed: _Seed, edges: NDArray[np.bool_]) -> ArmLook:
    """The look of an arm: its line width as measured, its dash pattern from the whole picture or the legend."""
    probe = ArmLook(seed.colour, 2.0, Dash(), "solid")
    cover = np.where(field.blank, 0, coverage(field, probe))
    width, reach = arm_width(np.where(edges, 0, cover))
    if not width:
        width, reach = arm_width(cover)
    width = float(np.clip(width, 1.0, 9.0)) if width else 2.0
    if seed.style == "solid":
        return ArmLook(seed.colour, width, Dash(), "solid", reach, seed.symbol)
    patterns = dash_patterns(coverage(whole, probe), width)
    dash = patterns.get(seed.style)
    if seed.dash is not None and seed.dash.off:
        # the legend says which of the patterns is whose, the whole picture how long exactly
        near = [p for p in patterns.values() if _same_pattern(p, seed.dash)]
        dash = min(near, key=lambda p: _apart(p, seed.dash), default=seed.dash)
    if dash is None:
        dash = Dash(4.5 * width, 3.0 * width) if seed.style == "dashed" else Dash(1.2 * width, 2.0 * width)
    return ArmLook(seed.colour, width, dash, seed.style, reach, seed.symbol)


def _same_pattern(a: Dash, b: Dash | None) -> bool:
    """Whether two patterns agree but for what a short sample cannot tell."""
    return b is not None and abs(a.period - b.period) <= 0.25 * b.period + 1 and abs(a.on - b.on) <= 0.35 * b.on + 1


def _apart(a: Dash, b: Dash | None) -> float:
    return abs(a.period - b.period) + abs(a.on - b.on) if b is not None else 0.0
