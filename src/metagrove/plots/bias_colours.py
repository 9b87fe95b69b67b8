"""Judgements of risk of bias as coloured dots with a symbol inside, in the colours of robvis.

McGuinness LA, Higgins JPT. Risk-of-bias VISualization (robvis). Res Synth Methods 2021;12:55-61
(doi:10.1002/jrsm.1411).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from metagrove.core.errors import UnknownName
from metagrove.plots.marks import CAPITAL, LEADING, Disc, Mark, Text, fold, paragraph, text_width
from metagrove.plots.style import Style

__all__ = ["JUDGEMENTS", "dot", "judgement_key", "judgement_of", "legend_of"]

#: Judgement to fill colour, symbol and the colour of the symbol; the last three are the scores of MINORS.
JUDGEMENTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "Low": ("#02C100", "+", "#ffffff"),
        "Yes": ("#02C100", "+", "#ffffff"),
        "Some concerns": ("#E2DF07", "−", "#333333"),
        "Moderate": ("#E2DF07", "−", "#333333"),
        "Unclear": ("#E2DF07", "?", "#333333"),
        "High": ("#BF0000", "×", "#ffffff"),
        "Serious": ("#BF0000", "×", "#ffffff"),
        "No": ("#BF0000", "×", "#ffffff"),
        "Very high": ("#820000", "!", "#ffffff"),
        "Critical": ("#820000", "!", "#ffffff"),
        "No information": ("#4EA1F7", "?", "#ffffff"),
        "Not applicable": ("#CCCCCC", "", "#333333"),
        "Reported, adequate": ("#02C100", "2", "#ffffff"),
        "Reported, inadequate": ("#E2DF07", "1", "#333333"),
        "Not reported": ("#BF0000", "0", "#ffffff"),
    }
)

_SHORT = {"l": "Low", "h": "High", "s": "Some concerns", "m": "Moderate", "c": "Critical", "u": "Unclear"}
_SHORT |= {"y": "Yes", "n": "No", "ni": "No information", "na": "Not applicable", "+": "Low", "-": "Some concerns"}
_SHORT |= {"2": "Reported, adequate", "1": "Reported, inadequate", "0": "Not reported"}  # the scores of MINORS
_SHORT |= {"x": "High", "!": "Critical", "?": "No information", "": "Not applicable"}


def judgement_of(text: str) -> str:
    """The judgement meant by `text`, which may be a single letter or sign; raises UnknownName.

    >>> judgement_of("some concerns"), judgement_of("H")
    ('Some concerns', 'High')
    """
    key = " ".join(str(text).split(None)).lower()
    known = {name.lower(): name for name in JUDGEMENTS} | _SHORT
    if key in known:
        return known[key]
    for name in sorted(JUDGEMENTS, key=len, reverse=True):
        if key.startswith(name.lower() + " "):
            return name
    raise UnknownName("judgement", text, JUDGEMENTS)


def dot(judgement: str, x: float, y: float, r: float) -> list[Mark]:
    """A dot of radius `r` around (x, y) with the judgement's symbol inside."""
    fill, symbol, colour = JUDGEMENTS[judgement_of(judgement)]
    marks: list[Mark] = [Disc(x, y, r, fill, "#444444", 0.4)]
    if symbol:
        size = 1.55 * r
        shift = 0.314 if symbol in "+−×" else CAPITAL / 2
        marks.append(Text(x, y + shift * size, symbol, size, colour, True, "middle", over=True))
    return marks


def legend_of(
    domains: Sequence[str], judged: Iterable[Sequence[str]], style: Style, left: float, right: float, y: float
) -> tuple[list[Mark], float]:
    """The key: what the letters of the domains mean and what each colour says; and where it ends."""
    s = 0.88 * style.size
    used = {judgement_of(j) for row in judged for j in row if j}
    marks: list[Mark] = []
    letters = [f"{chr(65 + i) if i < 26 else i + 1}\u00a0{d.replace(' ', chr(160))}" for i, d in enumerate(domains)]
    lines = fold(f"{style.label('Risk of bias')}: " + "; ".join(letters) + ".", s, right - left)
    marks += paragraph(lines, Text(left, y + 0.9 * s, "", s, style.palette.muted))
    key, y = judgement_key(used, style, left, right, y + len(lines) * LEADING * s + 0.2 * s)
    return [*marks, *key], y


def judgement_key(used: Iterable[str], style: Style, left: float, right: float, y: float) -> tuple[list[Mark], float]:
    """A dot and its word for each judgement that is used, in rows; and where it ends."""
    s, x = 0.88 * style.size, left
    marks: list[Mark] = []
    for name in [known for known in JUDGEMENTS if known in set(used)]:
        wide = 1.5 * s + text_width(style.label(name), s) + 1.2 * s
        if x > left and x + wide > right:
            x, y = left, y + 1.5 * s
        marks += dot(name, x + 0.6 * s, y + 0.6 * s, 0.55 * s)
        marks.append(Text(x + 1.5 * s, y + 0.95 * s, style.label(name), s, style.palette.muted))
        x += wide
    return marks, y + 1.5 * s
