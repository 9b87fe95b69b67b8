import re
from dataclasses import replace
from math import exp, inf, nan

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.plots.canvas import draw, style_of
from metagrove.plots.forest import forest_drawing
from metagrove.plots.forest_table import ForestBlock, ForestColumn, ForestRow, ForestTable
from metagrove.plots.marks import Disc, Shape, Text

LAW = settings(derandomize=True, deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
NAMES = st.text("abcdefghijklmnoprstuvwyzÄéßŁ王李\u0007 ,.-0123456789&()$_\\^{}<", min_size=1, max_size=80)


@st.composite
def tables(draw_, most=12):
    ratio, percent = draw_(st.sampled_from([(True, False), (False, False), (False, True)]))
    domains = tuple(draw_(st.lists(NAMES, max_size=5)))
    columns = tuple(
        ForestColumn(draw_(NAMES), draw_(st.sampled_from(["", "Experimental", "Control"])))
        for _ in range(draw_(st.integers(0, 4)))
    )
    models = draw_(st.sampled_from([(), ("random",), ("common", "random")]))

    def row(kind="study"):
        middle = draw_(st.floats(-6, 6)) if not percent else draw_(st.floats(0, 1))
        half = draw_(st.sampled_from([0.0, 0.01, 0.2, 1.0, 30.0]))
        ends = [middle - half, middle, middle + half]
        if percent:
            ends = [min(max(v, 0.0), 1.0) for v in ends]
        low, mid, high = (exp(v) for v in ends) if ratio else ends
        if draw_(st.integers(0, 9)) == 0:
            low, mid, high = nan, nan, nan
        elif draw_(st.integers(0, 9)) == 0 and not percent:
            high = inf
        return ForestRow(
            draw_(NAMES),
            mid if kind != "prediction" else nan,
            low,
            high,
            kind,
            tuple(draw_(st.floats(0, 100)) for _ in models) if kind != "prediction" else (),
            tuple(str(draw_(st.integers(0, 10**6))) for _ in columns),
            tuple(draw_(st.sampled_from(["Low", "High", "Some concerns", "No information"])) for _ in domains)
            if kind == "study"
            else (),
        )

    def block():
        rows = tuple(row() for _ in range(draw_(st.integers(1, most // 2))))
        heading = draw_(st.sampled_from(["", "Lenvatinib", "A very long subgroup heading " * 3]))
        notes = ("Heterogeneity: I²\u00a0=\u00a046%, τ²\u00a0=\u00a00.0092, χ²\u00a0=\u00a09.25 (p\u00a0=\u00a00.10)",)
        return ForestBlock(rows, heading, tuple(row(m) for m in models), notes)

    return ForestTable(
        tuple(block() for _ in range(draw_(st.integers(1, 3)))),
        draw_(st.sampled_from(["Odds ratio", "Proportion", "Standardised mean difference after adjustment"])),
        columns,
        (*(row(m) for m in models), row("prediction")),
        ("Test for subgroup differences: χ²\u00a0=\u00a04.36, df\u00a0=\u00a03 (p\u00a0=\u00a00.23)",),
        models,
        ratio,
        None if percent else (1.0 if ratio else 0.0),
        percent,
        directions=draw_(st.sampled_from([("", ""), ("favours treatment", "favours a control of some length")])),
        bias_domains=domains,
        footer=("Inverse variance; REML; Hartung-Knapp intervals.",) * 2,
        title=draw_(st.sampled_from(["", "A title that is much longer than one line of the figure could hold " * 2])),
    )


@LAW
@given(
    tables(), st.sampled_from(["plain", "JAMA", "BMJ", "RevMan5"]), st.sampled_from([None, 60.0, 85.0, 180.0, 400.0])
)
def test_nothing_overlaps_and_nothing_is_clipped(lawful, table, style, width):
    drawing = forest_drawing(table, style=style)
    lawful(drawing, width)
    if width:
        assert drawing.size_mm(width)[0] == pytest.approx(width)


def plain_table(k=6, name="Study", **more):
    rows = tuple(
        ForestRow(f"{name} {i}", 0.3, 0.1 + i / 1000, 0.6, weights=(100 / k,), cells=(str(i), "40")) for i in range(k)
    )
    summary = ForestRow("Random effects model", 0.3, 0.2, 0.4, "random", (100.0,), ("9", "99"))
    columns = (ForestColumn("Events"), ForestColumn("Total"))
    return ForestTable((ForestBlock(rows),), "Proportion", columns, (summary,), weight_headings=("random",), **more)


@pytest.mark.parametrize("k", [1, 2, 30, 100])
def test_height_follows_the_number_of_studies(lawful, k):
    drawing = forest_drawing(plain_table(k, "A study with quite a long name and authors"))
    lawful(drawing)
    taller = forest_drawing(plain_table(k + 1, "A study with quite a long name and authors"))
    assert taller.size_mm()[1] > drawing.size_mm()[1]
    assert taller.size_mm()[0] == pytest.approx(drawing.size_mm()[0], rel=0.02)


def test_bytes_are_the_same_on_repeat():
    first, second = forest_drawing(plain_table()), forest_drawing(plain_table())
    assert first.svg() == second.svg()
    assert first.pdf() == second.pdf()
    assert first.png(85, 100) == second.png(85, 100)


def test_svg_keeps_text_as_text_and_states_its_size():
    svg = forest_drawing(plain_table()).svg(180).decode()
    assert re.search(r'<svg [^>]*width="180mm"', svg)
    words = re.findall(r"<text [^>]*>([^<]*)</text>", svg)
    assert {"Study", "Events", "Study 3", "Random effects model", "0.30"} <= set(words)
    assert "clip" not in svg and "date" not in svg


def test_png_and_tiff_have_the_asked_width_in_pixels():
    import io

    from PIL import Image

    drawing = forest_drawing(plain_table())
    for raw, kind in ((drawing.png(85, 300), "PNG"), (drawing.tiff(85, 300), "TIFF")):
        image = Image.open(io.BytesIO(raw))
        assert image.format == kind and image.mode == "RGB"
        assert image.width == round(85 / 25.4 * 300)
        assert [round(float(d)) for d in image.info["dpi"]] == [300, 300]


def test_pdf_embeds_truetype():
    raw = forest_drawing(plain_table()).pdf()
    assert raw.startswith(b"%PDF") and b"/CIDFontType2" in raw and b"CreationDate" not in raw


def test_square_areas_follow_the_weights():
    rows = tuple(ForestRow(f"S{w}", 0.5, 0.4, 0.6, weights=(w,)) for w in (40.0, 20.0, 10.0))
    table = ForestTable((ForestBlock(rows),), "OR", weight_headings=("random",))
    squares = [m for m in forest_drawing(table).page().marks if isinstance(m, Shape)]
    sides = [m.points[1][0] - m.points[0][0] for m in squares]
    assert [s**2 / sides[0] ** 2 for s in sides] == pytest.approx([1, 0.5, 0.25])


def test_a_long_interval_is_cut_with_an_arrow_and_does_not_squeeze_the_rest():
    rows = [ForestRow(f"S{i}", 1.2, 0.8, 1.9) for i in range(5)] + [ForestRow("Wide", 1.5, 0.001, 5000.0)]
    table = ForestTable((ForestBlock(tuple(rows)),), "OR", logarithmic=True, reference=1.0)
    marks = forest_drawing(table).page().marks
    arrows = [m for m in marks if isinstance(m, Shape) and len(m.points) == 3]
    assert len(arrows) == 2
    lines = [m.points for m in marks if not isinstance(m, (Text, Disc, Shape)) and len(m.points) == 2]
    flat = [abs(b[0] - a[0]) for a, b in lines if a[1] == b[1]]
    assert sorted(flat)[-4] > 25  # the usual intervals keep more than 25 points


def test_decimal_points_stand_in_line():
    rows = tuple(ForestRow(f"S{i}", v, v - 1, v + 1) for i, v in enumerate((0.5, 12.25, 130.0)))
    marks = forest_drawing(ForestTable((ForestBlock(rows),), "MD", reference=0.0)).page().marks
    ends = {m.x for m in marks if isinstance(m, Text) and m.text in ("0.50", "12.25", "130.00")}
    assert len(ends) == 1


def test_judgements_become_dots_in_robvis_colours():
    rows = (ForestRow("A", 1, 0.5, 2, bias=("Low", "High")), ForestRow("B", 1, 0.5, 2, bias=("Some concerns", "?")))
    table = ForestTable((ForestBlock(rows),), "OR", bias_domains=("Selection", "Outcome"))
    fills = [m.fill for m in forest_drawing(table).page().marks if isinstance(m, Disc)][:4]
    assert fills == ["#02C100", "#BF0000", "#E2DF07", "#4EA1F7"]


def test_data_are_the_rows_behind_the_plot():
    rows = forest_drawing(plain_table(2)).data()
    assert [row["label"] for row in rows] == ["Study 0", "Study 1", "Random effects model"]
    assert rows[0]["Events"] == "0" and rows[0]["estimate"] == 0.3 and rows[2]["random"] == 100.0


def test_save_writes_what_the_suffix_says(tmp_path):
    drawing = draw(plain_table(), style="BMJ")
    for suffix, start in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG"), ("tif", b"II*")):
        assert drawing.save(tmp_path / f"f.{suffix}", 85, 72).read_bytes().startswith(start)
    with pytest.raises(UnknownName, match="Known: pdf, png"):
        drawing.save(tmp_path / "f.docx")


def test_refusals_name_the_row():
    with pytest.raises(DataError, match=r"Lee 2021: interval from 0\.9 to 0\.1"):
        ForestRow("Lee 2021", 0.5, 0.9, 0.1)
    with pytest.raises(DataError, match="Lee 2021: 1 cells for 0 columns"):
        ForestTable((ForestBlock((ForestRow("Lee 2021", 1, 0, 2, cells=("3",)),)),), "OR")
    with pytest.raises(DataError, match="without studies"):
        ForestTable((), "OR")
    with pytest.raises(UnknownName, match="Known: BMJ, JAMA"):
        style_of("Lancet")
    with pytest.raises(DataError, match="wide"):
        forest_drawing(plain_table()).svg(-3)


def test_the_law_itself_can_fail(lawful):
    from metagrove.plots.canvas import Drawing
    from metagrove.plots.marks import Line, Page

    def drawing(*marks):
        return Drawing(lambda _: Page(100, 50, marks), style_of(None))

    lawful(drawing(Text(10, 20, "one", 8), Text(10, 32, "two", 8)))
    with pytest.raises(AssertionError, match="overlap"):
        lawful(drawing(Text(10, 20, "one", 8), Text(15, 24, "two", 8)))
    with pytest.raises(AssertionError, match="leaves the page"):
        lawful(drawing(Text(90, 20, "one", 8)))
    with pytest.raises(AssertionError, match="struck"):
        lawful(drawing(Line(((0, 18), (60, 18))), Text(10, 20, "one", 8)))


def test_letters_without_a_glyph_stay_in_the_svg_and_keep_their_room(lawful):
    drawing = forest_drawing(plain_table(2, "王伟 <b>"))
    lawful(drawing, 85)
    assert "王伟 &lt;b&gt; 1" in drawing.svg().decode()
    assert drawing.png(85, 72).startswith(b"\x89PNG")
    assert drawing.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("family", ["DejaVu Sans Mono", "DejaVu Serif", "STIXGeneral"])
def test_other_fonts_are_measured_in_their_own_widths(lawful, family):
    style = replace(style_of("JAMA"), family=family)
    table = plain_table(4, "Wide names MMMWWW", title="A title in that font")
    for width in (None, 85, 180):
        lawful(forest_drawing(table, style=style), width)


def test_a_font_that_is_not_here_is_refused():
    drawing = forest_drawing(plain_table(), style=replace(style_of(None), family="No Such Face"))
    with pytest.raises(MethodError, match="no font 'No Such Face'"):
        drawing.svg()
