"""From a result to a drawing, and from a drawing to SVG, PDF, PNG or TIFF at a stated width.

The size of a figure is an output: plots compose marks on a page that grows with its content. Where a width in
millimetres is asked for, the plot is composed anew for that width, and scaled only where its text cannot be narrower.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.plots.marks import Disc, Line, Mark, Page, Text, missing_letters, moved, typeface
from metagrove.plots.style import STYLES, Notation, Palette, Style, style_of
from metagrove.plots.svg import hatching, svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

__all__ = ["STYLES", "Drawing", "Notation", "Palette", "Style", "draw", "style_of"]

MM = 72 / 25.4

Compose: TypeAlias = Callable[[float | None], Page]

#: Which function draws which kind of result: class name to ``module:function``. Imported when asked.
_DRAWN_BY: Mapping[str, str] = MappingProxyType(
    {
        "Baujat": "metagrove.plots.influence:baujat_drawing",
        "BiasTable": "metagrove.plots.bias:traffic_light",
        "CurvePanel": "metagrove.plots.curves:curves_drawing",
        "PooledCurve": "metagrove.plots.curve_source:survival_plot",
        "ImputedCurve": "metagrove.plots.curve_source:survival_plot",
        "CurveStrata": "metagrove.plots.curve_source:survival_plot",
        "CurveInfluence": "metagrove.plots.curve_source:survival_plot",
        "ParametricSurvival": "metagrove.plots.curve_source:survival_plot",
        "FamilyTable": "metagrove.plots.curve_source:survival_plot",
        "KaplanMeier": "metagrove.plots.curve_source:survival_plot",
        "LogRank": "metagrove.plots.curve_source:survival_plot",
        "RestrictedMeanContrast": "metagrove.plots.curve_source:survival_plot",
        "MultivariateSurvival": "metagrove.plots.curve_source:survival_plot",
        "FrailDistribution": "metagrove.plots.curve_source:survival_plot",
        "CurveRegression": "metagrove.plots.curve_source:survival_plot",
        "Cox": "metagrove.plots.proportionality:hazard_ratio_plot",
        "ProportionalityTest": "metagrove.plots.proportionality:proportionality_plot",
        "RebuiltPatients": "metagrove.plots.curve_source:survival_plot",
        "RebuiltArms": "metagrove.plots.curve_source:survival_plot",
        "FlowCounts": "metagrove.plots.flow:flow_drawing",
        "Gosh": "metagrove.plots.subsets:gosh_plot",
        "Multiverse": "metagrove.plots.curve_spec:multiverse_plot",
        "SpecTable": "metagrove.plots.curve_spec:spec_drawing",
        "FunnelTable": "metagrove.plots.funnel:funnel_drawing",
        "TrimFill": "metagrove.plots.funnel:funnel",
        "Regression": "metagrove.plots.regression:regression_plot",
        "MixedModel": "metagrove.plots.forest_source:forest",
        "LocationScale": "metagrove.plots.forest_source:forest",
        "Robust": "metagrove.plots.forest_source:forest",
        "CountResult": "metagrove.plots.forest_source:forest",
        "GlmmResult": "metagrove.plots.forest_source:forest",
        "Refits": "metagrove.plots.influence:refits_drawing",
        "Influence": "metagrove.plots.case_panels:influence_plot",
        "BayesResult": "metagrove.plots.posterior_forest:posterior_forest",
        "CopasModel": "metagrove.plots.copas_panels:copas_plot",
        "PCurve": "metagrove.plots.p_values:p_curve_plot",
        "SelectionModel": "metagrove.plots.p_values:selection_plot",
        "LimitMeta": "metagrove.plots.limit_funnel:limit_funnel",
        "BoundAnalyses": "metagrove.plots.bound_forest:bound_forest",
        "ProfileLikelihood": "metagrove.plots.profiles:profile_plot",
        "RefitTable": "metagrove.plots.refit_table:refit_table_drawing",
        "MetaResult": "metagrove.plots.forest_source:forest",
        "HarmsTable": "metagrove.plots.harms:harms_drawing",
        "ForestTable": "metagrove.plots.forest:forest_drawing",
    }
)

_PLAIN_RC: Mapping[str, Any] = MappingProxyType(
    {"pdf.fonttype": 42, "pdf.compression": 6, "text.usetex": False, "text.hinting": "none", "path.simplify": False}
)

# matplotlib's settings are global to the process; a web server draws from several threads.
_TURN = Lock()


def draw(result: Any, style: Style | str | None = None) -> Drawing:
    """The drawing that suits the kind of `result`; raises MethodError where there is none.

    Any value of this room (a forest table, a curve panel, a flow) and any result that has a plot will do.
    """
    for kind in type(result).__mro__:
        if kind.__name__ in _DRAWN_BY:
            module, _, function = _DRAWN_BY[kind.__name__].partition(":")
            drawing: Drawing = getattr(import_module(module), function)(result, style=style)
            return drawing
    raise MethodError(f"no plot for a {type(result).__name__}; there are plots for: {', '.join(sorted(_DRAWN_BY))}")


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A figure that knows its own size and hands over its data.

    Parameters
    ----------
    compose : the page for a width in points, or for the natural width where None.
    style : the look; its `width_mm` and `dpi` are the defaults below.
    table : the rows behind the picture.
    """

    compose: Compose = field(repr=False)
    style: Style
    table: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    def data(self) -> list[dict[str, Any]]:
        """The rows behind the plot, one dict each."""
        return [dict(row) for row in self.table]

    def page(self, width_mm: float | None = None) -> Page:
        """The marks at the final width; `width_mm` overrides the style's, and both None means the natural width."""
        asked = width_mm if width_mm is not None else self.style.width_mm
        if asked is not None and not 10 <= asked <= 5000:
            raise DataError(f"a figure {asked:g} mm wide; widths lie between 10 and 5000 mm")
        with typeface(self.style.family):
            page = self.compose(None if asked is None else asked * MM)
        if asked is None:
            return page
        scale = asked * MM / page.width
        return replace(page, width=asked * MM, height=page.height * scale, marks=moved(page.marks, 0, 0, scale))

    def size_mm(self, width_mm: float | None = None) -> tuple[float, float]:
        """Width and height of the figure in millimetres."""
        page = self.page(width_mm)
        return page.width / MM, page.height / MM

    def smallest_text(self, width_mm: float | None = None) -> float:
        """The size in points of the smallest text at that width; journals ask for 5 to 7 at least."""
        return min((m.size for m in self.page(width_mm).marks if isinstance(m, Text)), default=self.style.size)

    def figure(self, width_mm: float | None = None, dpi: float = 72) -> Figure:
        """A matplotlib figure that holds the drawing; its size in inches is the drawing's."""
        return _figure(self.page(width_mm), dpi, self.style.family)

    def svg(self, width_mm: float | None = None) -> bytes:
        """An SVG file with live text; the same bytes on every run."""
        return svg_text(self.page(width_mm), family=self.style.family).encode()

    def inline_svg(self, width_mm: float | None = None) -> str:
        """An ``<svg>`` element to stand in an HTML page; holds no ids, so that many fit on one page."""
        return svg_text(self.page(width_mm), family=self.style.family, standalone=False)

    def pdf(self, width_mm: float | None = None) -> bytes:
        """A PDF page of the figure's size with TrueType fonts embedded."""
        out = io.BytesIO()
        with _TURN, _settings():
            from matplotlib.backends.backend_pdf import FigureCanvasPdf

            figure = _figure(self.page(width_mm), 72, self.style.family)
            FigureCanvasPdf(figure).print_figure(out, format="pdf", metadata={"CreationDate": None})
        return out.getvalue()

    def png(self, width_mm: float | None = None, dpi: int | None = None) -> bytes:
        """A PNG image `width_mm` wide at `dpi` dots per inch; the file states its resolution."""
        out = io.BytesIO()
        dots = dpi or self.style.dpi
        self._pixels(width_mm, dots).save(out, format="PNG", dpi=(dots, dots), compress_level=6)
        return out.getvalue()

    def tiff(self, width_mm: float | None = None, dpi: int | None = None) -> bytes:
        """A TIFF image with LZW compression, without transparency, as journals ask for it."""
        out = io.BytesIO()
        dots = dpi or self.style.dpi
        self._pixels(width_mm, dots).save(out, format="TIFF", dpi=(dots, dots), compression="tiff_lzw")
        return out.getvalue()

    def save(self, path: str | Path, width_mm: float | None = None, dpi: int | None = None) -> Path:
        """The path, after the figure was written there in the format that its suffix names."""
        target = Path(path)
        kind = target.suffix.lower().lstrip(".")
        writers: dict[str, Callable[[], bytes]] = {
            "svg": lambda: self.svg(width_mm),
            "pdf": lambda: self.pdf(width_mm),
            "png": lambda: self.png(width_mm, dpi),
            "tif": lambda: self.tiff(width_mm, dpi),
            "tiff": lambda: self.tiff(width_mm, dpi),
        }
        if kind not in writers:
            raise UnknownName("figure format", kind, writers)
        target.write_bytes(writers[kind]())
        return target

    def _repr_svg_(self) -> str:
        return self.inline_svg()

    def _pixels(self, width_mm: float | None, dpi: int) -> Image:
        import numpy as np
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        if not 20 <= dpi <= 2400:
            raise DataError(f"{dpi} dots per inch; between 20 and 2400")
        page = self.page(width_mm)
        across, down = max(1, round(page.width / 72 * dpi)), max(1, round(page.height / 72 * dpi))
        if max(across, down) >= 2**16 or across * down > 6e8:
            raise DataError(f"an image of {across} x {down} pixels; ask for fewer dots per inch, or for PDF or SVG")
        with _TURN, _settings():
            figure = _figure(page, dpi, self.style.family)
            figure.set_size_inches((across + 1e-3) / dpi, (down + 1e-3) / dpi)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]
            image = Image.fromarray(np.asarray(canvas.buffer_rgba()))  # type: ignore[no-untyped-call]
        return image.convert("RGB")


def _settings() -> Any:
    import matplotlib

    return matplotlib.rc_context(dict(_PLAIN_RC))  # type: ignore[arg-type]


def _figure(page: Page, dpi: float, family: str) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    figure = Figure(figsize=(page.width / 72, page.height / 72), dpi=dpi, facecolor="white")
    points = Affine2D().scale(1 / 72, -1 / 72).translate(0, page.height / 72) + figure.dpi_scale_trans
    for order, mark in enumerate(page.marks):
        for artist in _artists(mark, page.height, family):
            artist.set_zorder(order)
            artist.set_transform(figure.dpi_scale_trans if isinstance(mark, Text) else points)
            artist.set_clip_on(False)
            figure.add_artist(artist)
    return figure


def _artists(mark: Mark, height: float, family: str) -> list[Any]:
    """The matplotlib artists for one mark, still without their transform."""
    from matplotlib import patches
    from matplotlib.lines import Line2D

    if isinstance(mark, Text):
        return [_letters(mark, height, family)]
    if isinstance(mark, Line):
        xs, ys = zip(*mark.points, strict=True)
        dash: Any = (0, tuple(d / mark.width for d in mark.dash)) if mark.dash else "-"
        return [Line2D(xs, ys, color=mark.colour, linewidth=mark.width, linestyle=dash, solid_capstyle="butt")]
    look: dict[str, Any] = {"linewidth": mark.width, "edgecolor": mark.edge, "joinstyle": "miter"}
    look["facecolor"] = (mark.fill, mark.opacity) if mark.fill != "none" else "none"
    if isinstance(mark, Disc):
        return [patches.Circle((mark.x, mark.y), mark.r, **look)]
    diagonals = hatching(mark) if mark.hatch else []
    lines = [artist for line in diagonals for artist in _artists(line, height, family)]
    return [patches.Polygon(mark.points, closed=True, **look), *lines]


#: Fonts with Chinese, Japanese and Korean letters that machines may have.
_WIDE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Droid Sans Fallback",
    "Unifont",
)


@lru_cache(maxsize=1)
def _wide_fonts() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _WIDE_FONTS if name in installed)


def _drawable(text: str, family: str) -> tuple[str, list[str]]:
    """The text with a hollow square for each letter that no font here has, and the fonts that have the rest."""
    missing = missing_letters(text, family)
    fonts = [family]
    for name in _wide_fonts() if missing else ():
        still = missing_letters("".join(missing), name)
        if len(still) < len(missing):
            fonts, missing = [*fonts, name], still
    return "".join("□" if letter in missing else letter for letter in text), fonts


def _letters(mark: Text, height: float, family: str) -> Any:
    from matplotlib.text import Text as Letters

    sides: dict[str, Literal["left", "center", "right"]] = {"start": "left", "middle": "center", "end": "right"}
    words, fonts = _drawable(mark.text, family)
    return Letters(
        mark.x / 72,
        (height - mark.y) / 72,
        words,
        color=mark.colour,
        family=fonts,
        fontsize=mark.size,
        fontweight="bold" if mark.bold else "normal",
        horizontalalignment=sides[mark.anchor],
        verticalalignment="baseline",
        rotation=mark.turn,
        rotation_mode="anchor",
        parse_math=False,
    )
