import base64
import hashlib
import io
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from known import reference
from metagrove.core.errors import DataError
from metagrove.figures.digitizing import figures_in
from metagrove.figures.files.image import bitmaps
from metagrove.figures.hints import read_hints

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


def saved(array, kind, **options):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind, **options)
    return out.getvalue()


def encrypted_pdf(password=b"secret"):
    """A one-page PDF under the standard 40-bit handler: opening it asks for the user password."""
    pad = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
    name = bytes(range(16))

    def rc4(key, data):
        box, j, out = list(range(256)), 0, bytearray()
        for i in range(256):
            j = (j + box[i] + key[i % len(key)]) % 256
            box[i], box[j] = box[j], box[i]
        i = j = 0
        for byte in data:
            i = (i + 1) % 256
            j = (j + box[i]) % 256
            box[i], box[j] = box[j], box[i]
            out.append(byte ^ box[(box[i] + box[j]) % 256])
        return bytes(out)

    user = (password + pad)[:32]
    owner = rc4(hashlib.md5((b"owner" + pad)[:32]).digest()[:5], user)
    key = hashlib.md5(user + owner + struct.pack("<i", -4) + name).digest()[:5]
    check = rc4(key, pad)
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O<" + owner.hex().encode() + b">/U<" + check.hex().encode() + b">>>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + body + b"endobj\n"
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in places)
    ident = name.hex().encode()
    out += b"trailer<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<" + ident + b"><" + ident + b">]>>\n"
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def blank_pdf(pages):
    pypdfium2 = pytest.importorskip("pypdfium2")
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(100, 100)
    out = io.BytesIO()
    document.save(out)
    document.close()
    return out.getvalue()


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
    "half a jpeg": (saved(PHOTO, "JPEG")[:4000], "cut short|broken"),
    "half a tiff": (saved(PHOTO, "TIFF", compression="tiff_lzw")[:9000], "cut short|broken"),
    "half a gif": (saved(PHOTO, "GIF")[:9000], "cut short|broken"),
    "half a webp": (saved(PHOTO, "WEBP")[:900], "cut short|broken"),
    "a head alone": (b"\x89PNG\r\n\x1a\n", "cut short|broken|not a picture"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit\n", "not a picture"),
    "encrypted pdf": (encrypted_pdf(), "encrypted"),
    "picture elsewhere": (
        SVG.format('<image href="http://localhost:9/fig.png" width="99" height="99"/>').encode(),
        "nothing is fetched",
    ),
    "picture on the disk": (
        SVG.format('<image href="file:///etc/hostname" width="99" height="99"/>').encode(),
        "nothing is fetched",
    ),
    "broken picture inside": (
        SVG.format('<image href="data:image/png;base64,AAAA" width="99" height="99"/>').encode(),
        "a picture inside the SVG",
    ),
    "no shape": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9e5" height="0.001"/>', "no figure has such a shape"),
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


def test_five_thousand_pages_are_refused_at_once():
    content = blank_pdf(5000)
    began = time.process_time()
    with pytest.raises(DataError, match="5,000 pages; at most 400 are read, so name the page"):
        figures_in(content, threads=1)
    with pytest.raises(DataError, match=r"no Kaplan-Meier figure|extra 'ocr'"):
        figures_in(content, read_hints({"page": 4321}), threads=1)
    assert time.process_time() - began < 5
    with pytest.raises(DataError, match="5,000 pages; the hints ask for page 5,001"):
        figures_in(content, read_hints({"page": 5001}), threads=1)


def test_tiff_of_endless_pages_is_refused():
    pages = [Image.new("1", (100, 100), 1) for _ in range(70)]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="more than 60 pages"):
        figures_in(out.getvalue(), threads=1)


def test_hundred_megapixels_are_reduced_in_bounded_memory():
    """The peak of a fresh process stays near the picture itself (100 MB), far from copies in colour (300 MB each)."""
    script = """
import io, resource, struct, sys, zlib
from metagrove.figures.files.image import bitmaps
def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
pack, rows = zlib.compressobj(1), b"\\0" + b"\\xff" * 10000
body = b"".join(pack.compress(rows) for _ in range(10000)) + pack.flush()
head = struct.pack(">IIBBBBB", 10000, 10000, 8, 0, 0, 0, 0)
content = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
import cv2, numpy
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
picture = bitmaps(content)[0].picture()
assert picture.rgb.shape == (2400, 2400, 3) and picture.rgb.min() == 255, picture.rgb.shape
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 250


def test_large_picture_keeps_its_places():
    """A mark stands where it was, in the whole and in a part that is decoded finer."""
    array = np.full((6000, 9000), 255, np.uint8)
    array[3000:3060, 6000:6090] = 0
    for content in (saved(array, "PNG", compress_level=1), saved(array, "TIFF"), saved(array, "JPEG", quality=90)):
        page = bitmaps(content)[0]
        whole, part = page.picture(), page.picture((5500, 2500, 6700, 3500))
        assert max(whole.rgb.shape) == 2400
        assert part.rgb.shape[:2] == (1000, 1200)
        for picture, corner in ((whole, (0, 0)), (part, (5500, 2500))):
            rows, columns = np.nonzero(picture.rgb[:, :, 0] < 128)
            assert corner[0] + (columns.min() / picture.scale) == pytest.approx(6000, abs=3)
            assert corner[1] + ((rows.max() + 1) / picture.scale) == pytest.approx(3060, abs=3)


def test_orientation_and_depth_are_understood():
    array = np.full((300, 500), 255, np.uint8)
    array[:, :50] = 0
    image, out = Image.fromarray(array), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(out, "PNG", exif=exif)
    page = bitmaps(out.getvalue())[0]
    assert (page.width, page.height) == (300, 500)
    assert (page.picture().rgb[:50] == 0).all()
    deep = saved((array.astype(np.uint16) * 257), "PNG")
    assert bitmaps(deep)[0].picture().rgb[0, 400].tolist() == [255, 255, 255]


@pytest.fixture(scope="module")
def known():
    """A figure of the public set, its bytes and its reading as a picture of its own."""
    pytest.importorskip("rapidocr_onnxruntime")
    content = reference("figures/km008_nejm.png").read_bytes()
    return content, figures_in(content, threads=1)[0].reading


def tiff_of(content):
    pages = [Image.new("RGB", (400, 300), "white"), Image.open(io.BytesIO(content)).convert("RGB")]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    return out.getvalue(), 2


def svg_of(content):
    wide, tall = Image.open(io.BytesIO(content)).size
    text = base64.b64encode(content).decode()
    inside = f'<g transform="translate(30 20)"><image href="data:image/png;base64,{text}" width="{wide}" height="{tall}"/></g>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="1000">{inside}</svg>'.encode(), 1


def pdf_of(content):
    pages = [Image.new("RGB", (900, 600), "white"), Image.open(io.BytesIO(content)).convert("RGB")]
    out = io.BytesIO()
    pages[0].save(out, "PDF", save_all=True, append_images=pages[1:], resolution=150)
    return out.getvalue(), 2


@pytest.mark.parametrize("wrapped", [tiff_of, svg_of, pdf_of])
def test_picture_inside_another_file_is_read_as_on_its_own(known, wrapped):
    content, alone = known
    whole, page = wrapped(content)
    found = figures_in(whole, threads=1)
    assert len(found) == 1
    reading = found[0].reading
    assert (reading.page, reading.status, len(reading.arms)) == (page, "ok", len(alone.arms))
    assert [c.n for c in reading.cells] == [c.n for c in alone.cells]
    for one, other in zip(reading.arms, alone.arms, strict=True):
        grid = np.linspace(0, min(one.end, other.end), 300)
        assert np.abs(one.at(grid) - other.at(grid)).mean() < 0.004
    assert found[0].overlay()[:4] == b"\x89PNG"


def test_figure_blown_up_to_a_poster_is_read_as_it_was(known):
    content, alone = known
    image = Image.open(io.BytesIO(content)).convert("RGB")
    out = io.BytesIO()
    image.resize((5 * image.width, 5 * image.height), Image.Resampling.BICUBIC).save(out, "PNG", compress_level=1)
    reading = figures_in(out.getvalue(), threads=1)[0].reading
    assert (reading.status, len(reading.arms)) == ("ok", len(alone.arms))
    assert [c.n for c in reading.cells] == [c.n for c in alone.cells]
    assert reading.axes["x"][-1][0] == pytest.approx(5 * alone.axes["x"][-1][0], rel=0.002)
    for one, other in zip(reading.arms, alone.arms, strict=True):
        grid = np.linspace(0, min(one.end, other.end), 300)
        assert np.abs(one.at(grid) - other.at(grid)).mean() < 0.004


def chart(draw):
    """A chart with numbered axes in which a Kaplan-Meier curve could stand, and none does."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 6), ylim=(0, 1.05), xlabel="Months", ylabel="Share")
    draw(axes)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


@pytest.mark.parametrize(
    "draw",
    [
        lambda axes: axes.bar([1, 2, 3, 4, 5], [0.9, 0.75, 0.5, 0.42, 0.2], width=0.8),
        lambda axes: axes.scatter([1, 2, 3, 4, 5], [0.4, 0.75, 0.5, 0.82, 0.2]),
        lambda axes: None,
    ],
    ids=["columns", "points", "nothing"],
)
def test_numbered_axes_without_a_curve_are_no_figure(draw):
    pytest.importorskip("rapidocr_onnxruntime")
    with pytest.raises(DataError, match="no Kaplan-Meier figure found"):
        figures_in(chart(draw), threads=1)
