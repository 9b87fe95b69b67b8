"""How drawings look: one frozen value for type, colours, notation and size, with the journals' habits as presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from metagrove.core.registry import Registry

__all__ = ["STYLES", "Notation", "Palette", "Style", "style_of"]

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Notation:
    """How numbers are written: brackets and separator of an interval, the letter for a p-value, leading zeros."""

    opening: str = "["
    between: str = ";"
    closing: str = "]"
    p: str = "p"
    zero_before_point: bool = True
    tau2: str = "τ²"
    chi2: str = "χ²"

    def number(self, value: float, decimals: int) -> str:
        """`value` with fixed decimals and a true minus sign.

        >>> Notation().number(-0.5, 2)
        '−0.50'
        """
        if not abs(value) < float("inf"):
            return "–" if value != value else ("∞" if value > 0 else "−∞")
        text = f"{value:.{decimals}f}" if abs(value) < 1e6 else f"{value:.2e}"
        if float(text) == 0:
            text = text.lstrip("-")
        return text.replace("-", "−")

    def p_value(self, p: float) -> str:
        """A p-value with its sign, as the style writes it.

        >>> Notation().p_value(0.0994), Notation(p="P", zero_before_point=False).p_value(1e-7)
        ('p = 0.10', 'P < .001')
        """
        exact = f"= {p:.3f}" if p < 0.0095 else f"= {p:.2f}"
        text = "< 0.001" if p < 0.001 else exact
        return f"{self.p} {text if self.zero_before_point else text.replace('0.', '.')}"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one style, as hex codes; `series` is for curves, arms and studies in turn."""

    ink: str = "#1f2328"
    muted: str = "#5d6670"
    rule: str = "#b9c0c7"
    faint: str = "#eceff2"
    square: str = "#5b7c99"
    summary: str = "#1f4e79"
    common: str = "#8fa9bf"
    prediction: str = "#b5524a"
    reference: str = "#7d8790"
    series: tuple[str, ...] = (
        "#33658a",
        "#c8553d",
        "#5b8c5a",
        "#8e6c8a",
        "#a67c1a",
        "#3d9c9c",
        "#7a5c3e",
        "#b0578d",
        "#6b7a8f",
        "#7a8a2a",
    )


@dataclass(frozen=True, slots=True)
class Style:
    """The look of a drawing, in one value.

    Parameters
    ----------
    name : the preset it came from.
    family, size : the font and its size in points. DejaVu Sans is the same on all machines.
    palette, notation : colours, and how numbers are written.
    width_mm : the width of the finished figure; None lets the content decide.
    dpi : of pixel images.
    decimals : of estimates; None chooses by the width of the intervals.
    labels : words to use instead of ours, such as ``{"Study": "Trial", "Events": "Responders"}``.
    order : the columns of a forest plot from left to right.
    shaded : whether every other row has a pale ground.
    """

    name: str = "plain"
    family: str = "DejaVu Sans"
    size: float = 8.0
    palette: Palette = field(default_factory=Palette)
    notation: Notation = field(default_factory=Notation)
    width_mm: float | None = None
    dpi: int = 300
    decimals: int | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: _NO_LABELS)
    order: tuple[str, ...] = ("study", "cells", "plot", "effect", "weight", "bias")
    shaded: bool = False

    def label(self, word: str) -> str:
        """The word to print for `word`."""
        return self.labels.get(word, word)


STYLES = Registry[Style]("style")
STYLES.put(
    "plain", Style(), title="the house style", cite="Layout after Lewis and Clarke 2001, 10.1136/bmj.322.7300.1479"
)
STYLES.put(
    "JAMA",
    Style(
        name="JAMA",
        palette=Palette(square="#10406b", summary="#10406b", common="#7f9bb5", prediction="#7a3b2e", faint="#f1f3f5"),
        notation=Notation(opening="(", between=" to", closing=")", p="P", zero_before_point=False),
        order=("study", "cells", "effect", "plot", "weight", "bias"),
        shaded=True,
    ),
    title="after JAMA's figures",
    cite="AMA Manual of Style, 11th edition, 2020, 10.1093/jama/9780190246556.001.0001",
)
STYLES.put(
    "BMJ",
    Style(
        name="BMJ",
        palette=Palette(square="#6b58a6", summary="#6b58a6", common="#a99fcc", prediction="#a6585f"),
        notation=Notation(opening="(", between=" to", closing=")", p="P"),
        order=("study", "cells", "plot", "weight", "effect", "bias"),
    ),
    title="after The BMJ's figures",
    cite="Layout after Lewis and Clarke 2001, 10.1136/bmj.322.7300.1479",
)
STYLES.put(
    "RevMan5",
    Style(
        name="RevMan5",
        palette=Palette(ink="#000000", muted="#333333", square="#0000c8", summary="#000000", common="#555555"),
        notation=Notation(between=",", p="P", tau2="Tau²", chi2="Chi²"),
        order=("study", "cells", "weight", "effect", "plot", "bias"),
    ),
    title="after Review Manager 5",
    cite="Cochrane Handbook for Systematic Reviews of Interventions, 2019, 10.1002/9781119536604",
)


def style_of(style: Style | str | None) -> Style:
    """The style itself, the preset of that name, or the plain one; raises UnknownName.

    >>> style_of("BMJ").notation.p
    'P'
    """
    if isinstance(style, Style):
        return style
    return STYLES[style or "plain"]
