"""Numbers drawn by FreeType in faces that come with matplotlib, read by the reader of digits; counts settled in their rows."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.recount import recounted
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.digits import SURE, as_count, read_digits, weighed
from metagrove.figures.writing.lettering import text_boxes, writing
from metagrove.figures.writing.ocr import Sight
from metagrove.figures.writing.strips import TALL, strip

TEXTS = ("8", "10", "23", "37", "49", "60", "101", "117", "268", "359", "404", "588", "690", "745", "932", "1323")
FACES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "STIXGeneralBol")


def glyphs(face, text, size):
    """A word as matplotlib draws it, 0 to 255."""
    font = FT2Font(str(Path(get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"))
    font.set_size(size, 72)
    font.set_text(text, 0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    return np.asarray(font.get_image())


def sheet(face, texts, size, *, paper=255, pen=0):
    """The words below each other on one page, and where each stands."""
    page = np.full((24 + int(2.4 * size * len(texts)), int(20 + 6 * size), 3), paper, np.uint8)
    boxes = []
    for k, text in enumerate(texts):
        ink = glyphs(face, text, size)
        top, left = 12 + int(2.4 * size * k), 10
        share = ink[:, :, None] / 255
        part = page[top : top + ink.shape[0], left : left + ink.shape[1]]
        part[:] = np.round(part * (1 - share) + pen * share)
        rows, columns = np.flatnonzero((ink > 90).any(axis=1)), np.flatnonzero((ink > 90).any(axis=0))
        boxes.append((left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
    return page, boxes


def read(page, boxes):
    ink = writing(page)
    return read_digits([strip(ink, box) for box in boxes])


def read_or_doubted(found, texts, *, most=1):
    """All but `most` of the counts are read, and the others are far from sure."""
    wrong = [r for r, t in zip(map(as_count, found), texts, strict=True) if r.text != t]
    return len(wrong) <= most and all(r.probability < 0.97 < SURE for r in wrong)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("size", [14, 22])
def test_counts_are_read_in_many_faces(face, size):
    page, boxes = sheet(face, TEXTS, size)
    found = read(page, boxes)
    assert read_or_doubted(found, TEXTS)
    assert np.median([r.probability for r in found]) > 0.9


@pytest.mark.parametrize("face", FACES)
def test_tiny_counts_are_read_or_doubted(face):
    page, boxes = sheet(face, TEXTS, 8)
    assert max(b[3] - b[1] for b in boxes) <= 7
    assert read_or_doubted(read(page, boxes), TEXTS, most=3)


def test_light_letters_on_dark_paper_are_read():
    page, boxes = sheet("DejaVuSans", TEXTS, 13, paper=30, pen=240)
    assert [r.text for r in read(page, boxes)] == list(TEXTS)


@pytest.mark.parametrize("how", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
def test_enlarged_letters_are_read_or_doubted(how):
    page, boxes = sheet("DejaVuSans", TEXTS, 8)
    large = cv2.resize(page, None, fx=2, fy=2, interpolation=how)
    assert read_or_doubted(read(large, [tuple(2 * v for v in b) for b in boxes]), TEXTS)


def test_digits_that_touch_are_read_though_they_are_one_piece():
    ink = np.zeros((40, 120), np.float32)
    left = 20
    for sign in "4806":
        drawn = glyphs("DejaVuSans", sign, 18) / 255
        columns = np.flatnonzero(drawn.max(axis=0) > 0.2)
        drawn = drawn[:, columns[0] : columns[-1] + 1]
        high, wide = drawn.shape
        ink[10 : 10 + high, left : left + wide] = np.maximum(ink[10 : 10 + high, left : left + wide], drawn)
        left += wide - 1
    (box,) = [b for b in text_boxes(ink) if b.angle == 0]
    assert len(box.pieces) < 4
    (found,) = read_digits([strip(ink, box.box)])
    assert found.text == "4806"


def test_a_word_that_reads_upwards_is_cut_upright():
    page, (box,) = sheet("DejaVuSans", ["268"], 16)
    level = strip(writing(page), box)
    turned = np.ascontiguousarray(np.rot90(page))
    left, top, right, bottom = box
    across = page.shape[1]
    upward = strip(writing(turned), (top, across - right, bottom, across - left), 90)
    assert level.shape == upward.shape
    assert np.abs(level.astype(int) - upward.astype(int)).mean() < 3
    assert read_digits([upward])[0].text == "268"


def test_the_same_strips_give_the_same_numbers_in_any_company():
    page, boxes = sheet("STIXGeneral", TEXTS, 12)
    together = read(page, boxes)
    alone = [read(page, [b])[0] for b in boxes]
    assert [r.text for r in together] == [r.text for r in alone]
    assert together == read(page, boxes)


def test_probabilities_are_of_different_texts_and_sum_to_one_at_most():
    rng = np.random.default_rng(3)
    noise = [rng.integers(0, 255, (TALL, 40)).astype(np.uint8) for _ in range(5)]
    for reading in [*read_digits(noise), *read_digits([np.zeros((TALL, 30), np.uint8)])]:
        texts, chances = zip(*reading.texts, strict=True)
        assert len(set(texts)) == len(texts)
        assert sorted(chances, reverse=True) == list(chances)
        assert sum(chances) <= 1 + 1e-9
    assert read_digits([]) == []


def test_two_readers_together_are_surer_and_one_that_disagrees_makes_doubt():
    (own,) = read(*sheet("DejaVuSans", ["268"], 16))
    assert own.text == "268"
    alone, agreed = dict(own.texts)["268"], dict(weighed(own, "268"))["268"]
    against = dict(weighed(own, "208"))
    assert 1 >= agreed >= alone > against["268"]
    assert sum(against.values()) <= 1
    assert weighed(own, "") == own.texts


def test_a_count_beside_a_speck_is_that_count():
    (own,) = read(*sheet("DejaVuSans", ["1,323"], 16))
    assert own.text == "1,323"
    assert as_count(own).text == "1323"


AXIS = Axis(
    tuple(100.0 + 80 * k for k in range(5)),
    tuple(12.0 * k for k in range(5)),
    12 / 80,
    -15.0,
    0.0,
    on_ticks=5,
    band=(400.0, 410.0),
)


def row(counts, sure):
    cells = tuple(
        Cell(12.0 * k, n, None, s, (90.0 + 80 * k, 440.0, 110.0 + 80 * k, 452.0), str(n))
        for k, (n, s) in enumerate(zip(counts, sure, strict=True))
        if n is not None
    )
    return RiskRow("A", None, cells, 446.0)


def seen_as(*values):
    def find(across, down, size):
        return Sight(values, (across - 10, down - 6, across + 10, down + 6))

    return find


def test_the_neighbours_decide_between_two_readings():
    doubtful = row((90, 60, 70, 30, 10), (True, True, False, True, True))
    (settled,) = recounted([doubtful], AXIS, seen_as((70, 0.6), (40, 0.39)))
    assert [c.n for c in settled.cells] == [90, 60, 40, 30, 10]
    assert not settled.cells[2].sure  # a hundredth is left for others
    (settled,) = recounted([doubtful], AXIS, seen_as((70, 0.6), (40, 0.3999)))
    assert settled.cells[2].sure


def test_a_count_that_two_values_fit_stays_unsure():
    (settled,) = recounted(
        [row((90, 60, 41, 30, 10), (True, True, False, True, True))], AXIS, seen_as((41, 0.7), (47, 0.3))
    )
    assert (settled.cells[2].n, settled.cells[2].sure) == (41, False)


def test_counts_seen_together_are_chosen_together():
    both = row((90, None, None, 30, 10), (True, True, True, True, True))

    def find(across, down, size):
        values = ((50, 0.9), (80, 0.0999)) if across < 220 else ((56, 0.99995),)
        return Sight(values, (across - 10, down - 6, across + 10, down + 6))

    (settled,) = recounted([both], AXIS, find)
    assert [c.n for c in settled.cells] == [90, 80, 56, 30, 10]
