import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from metagrove.core.errors import DataError
from metagrove.figures.digitizing import figures_in

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">{}</svg>'


def png(array):
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def bomb():
    """A valid PNG header that promises 30,000 x 30,000 pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def bars():
    page = np.full((400, 600, 3), 255, np.uint8)
    page[40:360, 58:60] = page[358:360, 58:560] = 0
    for place, height in enumerate((200, 120, 260, 90)):
        page[358 - height : 358, 100 + 110 * place : 170 + 110 * place] = (40, 90, 200)
    return page


NOISE = np.random.default_rng(7).integers(0, 255, (300, 400, 3), dtype=np.uint8)
PHOTO = np.asarray(Image.fromarray(NOISE).resize((40, 30)).resize((900, 700), Image.Resampling.BICUBIC))
HOSTILE = {
    "empty": (b"", "empty"),
    "text": (b"hello, this is no figure at all", "not a picture"),
    "truncated": (png(PHOTO)[:5000], "cut short|broken"),
    "bomb": (bomb(), "at most 130 million"),
    "tiny": (png(NOISE[:20, :20]), "too small"),
    "photo": (png(PHOTO), "no Kaplan-Meier figure|extra 'ocr'"),
    "bars": (png(bars()), "no Kaplan-Meier figure|extra 'ocr'"),
    "broken pdf": (b"%PDF-1.7\n1 0 obj\n<<", "not a readable PDF"),
    "entities": (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>',
        "entities",
    ),
    "script": (SVG.format("<script>alert(1)</script>").encode(), "script"),
    "handler": (SVG.format('<rect onload="alert(1)" width="3" height="3"/>').encode(), "script"),
    "half an svg": (SVG.format("<g>").encode()[:60], "cut short|broken"),
    "no curve": (SVG.format('<rect width="50" height="50"/>').encode(), "no Kaplan-Meier figure|extra 'ocr'"),
    "other xml": (b"<?xml version='1.0'?><html><body/></html>", "not an SVG"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_gets_one_clear_line(name):
    content, message = HOSTILE[name]
    with pytest.raises(DataError, match=message) as caught:
        figures_in(content, threads=1)
    assert "\n" not in str(caught.value)


def test_use_that_points_at_itself_ends():
    loop = '<g id="a"><use href="#a"/><use href="#a"/></g>'
    with pytest.raises(DataError):
        figures_in(SVG.format(loop).encode(), threads=1)


def test_many_pages_are_refused():
    pypdfium2 = pytest.importorskip("pypdfium2")
    document = pypdfium2.PdfDocument.new()
    for _ in range(401):
        document.new_page(100, 100)
    out = io.BytesIO()
    document.save(out)
    document.close()
    with pytest.raises(DataError, match="401 pages"):
        figures_in(out.getvalue(), threads=1)
