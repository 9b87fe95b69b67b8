"""A page as SVG with live text: the same bytes every time, and widths that hold in any font."""

from __future__ import annotations

from html import escape

from metagrove.plots.marks import Disc, Line, Mark, Page, Shape, Text, text_width

__all__ = ["svg_text"]

#: Verdana shares DejaVu's proportions and is where DejaVu is not (Windows, macOS).
_FALLBACKS = "Verdana,Geneva,sans-serif"


def _n(value: float) -> str:
    """A coordinate with two decimals at most."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _path(points: tuple[tuple[float, float], ...]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _text(mark: Text, family: str) -> str:
    wide = text_width(mark.text, mark.size, bold=mark.bold, family=family)
    parts = [f'<text x="{_n(mark.x)}" y="{_n(mark.y)}" font-size="{_n(mark.size)}" fill="{mark.colour}"']
    if mark.anchor != "start":
        parts.append(f' text-anchor="{mark.anchor}"')
    if mark.bold:
        parts.append(' font-weight="bold"')
    if mark.turn:
        parts.append(f' transform="rotate({_n(-mark.turn)} {_n(mark.x)} {_n(mark.y)})"')
    if len(mark.text) > 1:
        parts.append(f' textLength="{_n(wide)}" lengthAdjust="spacingAndGlyphs"')
    return "".join(parts) + f">{escape(mark.text, quote=False)}</text>"


def _stroke(colour: str, width: float) -> str:
    return f' stroke="{colour}" stroke-width="{_n(width)}"' if colour != "none" else ""


def _line(mark: Line) -> str:
    dash = f' stroke-dasharray="{" ".join(_n(d) for d in mark.dash)}"' if mark.dash else ""
    return f'<path d="{_path(mark.points)}" fill="none"{_stroke(mark.colour, mark.width)}{dash}/>'


def _shape(mark: Shape) -> str:
    thin = f' fill-opacity="{_n(mark.opacity)}"' if mark.opacity < 1 else ""
    body = f'<path d="{_path(mark.points)}Z" fill="{mark.fill}"{thin}{_stroke(mark.edge, mark.width)}/>'
    return body + "".join(_line(line) for line in hatching(mark)) if mark.hatch else body


def _disc(mark: Disc) -> str:
    place = f'<circle cx="{_n(mark.x)}" cy="{_n(mark.y)}" r="{_n(mark.r)}" fill="{mark.fill}"'
    thin = f' fill-opacity="{_n(mark.opacity)}"' if mark.opacity < 1 else ""
    return f"{place}{thin}{_stroke(mark.edge, mark.width)}/>"


def hatching(mark: Shape, pitch: float = 3.2) -> list[Line]:
    """Rising diagonals through the rectangle that `mark` is, `pitch` points apart, in the colour named by its hatch."""
    xs, ys = [x for x, _ in mark.points], [y for _, y in mark.points]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    lines, c = [], left + top + pitch
    while c < right + bottom:
        x0, x1 = max(left, c - bottom), min(right, c - top)
        if x1 - x0 > 0.1:
            lines.append(Line(((x0, c - x0), (x1, c - x1)), mark.hatch, 0.4))
        c += pitch
    return lines


def _element(mark: Mark, family: str) -> str:
    if isinstance(mark, Text):
        return _text(mark, family)
    if isinstance(mark, Line):
        return _line(mark)
    return _shape(mark) if isinstance(mark, Shape) else _disc(mark)


def svg_text(page: Page, *, scale: float = 1.0, family: str = "DejaVu Sans", standalone: bool = True) -> str:
    """The page as an SVG document, or as an element to stand inside HTML where not `standalone`.

    Text stays text; each line carries its measured length, so that another font cannot make it run into its
    neighbour. Nothing in it depends on the clock, the machine or chance.
    """
    size = f'width="{_n(page.width * scale / 72 * 25.4)}mm" height="{_n(page.height * scale / 72 * 25.4)}mm"'
    title = escape(page.title, quote=True)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_n(page.width)} {_n(page.height)}" '
        f'role="img" aria-label="{title}" font-family="\'{family}\',{_FALLBACKS}" '
        'stroke-linecap="butt" stroke-linejoin="miter">'
    )
    lines = [head, f"<title>{title}</title>"]
    lines.append(f'<rect width="{_n(page.width)}" height="{_n(page.height)}" fill="#ffffff"/>')
    lines.extend(_element(mark, family) for mark in page.marks)
    lines.append("</svg>\n")
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n' if standalone else ""
    return declaration + "\n".join(lines)
