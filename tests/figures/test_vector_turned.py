from dataclasses import replace
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from known import reference
from metagrove.figures.digitizing import figures_in
from metagrove.figures.files.pdf import pdf_pages
from metagrove.figures.files.turned import lying, turned_page, turned_picture

FILE = sorted(p for p in reference("figures/vector").iterdir() if p.suffix == ".pdf")[0]


def rotated(content, angle):
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(content)
    document[0].set_rotation(angle)
    held = BytesIO()
    document.save(held)
    return held.getvalue()


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_figure_on_its_side_reads_as_it_does_upright(angle):
    content = FILE.read_bytes()
    (upright,) = figures_in(content)
    (found,) = figures_in(rotated(content, angle))
    assert found.reading.status == "ok"
    assert [a.name for a in found.reading.arms] == [a.name for a in upright.reading.arms]
    for a, b in zip(found.reading.arms, upright.reading.arms, strict=True):
        np.testing.assert_allclose(a.time, b.time, atol=1e-4)
        np.testing.assert_allclose(a.survival, b.survival, atol=1e-5)
    assert [(c.arm, c.time, c.n) for c in found.reading.cells] == [(c.arm, c.time, c.n) for c in upright.reading.cells]
    # the picture for the overlay is turned like the reading
    assert np.abs(np.array(found.rgb.shape) - upright.rgb.shape).max() <= 2


def test_words_and_strokes_of_a_turned_page_come_back():
    (page,) = pdf_pages(FILE.read_bytes())
    assert lying(page) == 0
    sideways = turned_page(page, 90)
    assert lying(sideways) == 270
    again = turned_page(sideways, 270)
    assert (again.width, again.height) == pytest.approx((page.width, page.height))
    for a, b in zip(again.words, page.words, strict=True):
        assert (a.text, a.angle) == (b.text, b.angle)
        assert (a.x0, a.y0, a.x1, a.y1) == pytest.approx((b.x0, b.y0, b.x1, b.y1))
    np.testing.assert_allclose(again.strokes[3].points, page.strokes[3].points)
    assert lying(replace(page, words=sideways.words[:2])) == 0


def test_pictures_turn_as_pages_do():
    rgb = np.zeros((2, 3, 3), dtype=np.uint8)
    rgb[0, 0] = 255
    assert turned_picture(rgb, 90)[0, 1].tolist() == [255] * 3
    assert turned_picture(rgb, 180)[1, 2].tolist() == [255] * 3
    assert turned_picture(rgb, 270)[2, 0].tolist() == [255] * 3


def test_a_heading_close_above_a_name_is_a_word_of_its_own():
    page = Figure(figsize=(4, 3))
    page.text(0.2, 0.5, "group", fontsize=10, fontweight="bold", va="baseline")
    page.text(0.31, 0.458, "GPS 0", fontsize=8, va="baseline")
    out = BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}):
        page.savefig(out, format="pdf")
    (read,) = pdf_pages(out.getvalue())
    assert [w.text for w in read.words] == ["group", "GPS", "0"]
