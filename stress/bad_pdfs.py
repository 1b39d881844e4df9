"""PDF files that would take much memory or time, never end, or are broken. They are written byte by byte: no program would."""

import zlib
from collections.abc import Iterator

SEVEN = b"4 w 22 58 m 50 58 l 29 14 l S"  # as PDF draws it: a stroke on a page of 72 x 72 points, one inch


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """Return a stream, compressed. entries: further ones of its dictionary."""
    compressed = zlib.compress(content)
    return b"<</Length %d/Filter/FlateDecode%s>>stream\n%s\nendstream" % (len(compressed), entries, compressed)


def form(drawing: bytes, following: int) -> bytes:
    """Return a form, which a page or another form may draw. following: the number of the object that it may draw, as /F."""
    return stream(drawing, b"/Subtype/Form/BBox[0 0 72 72]/Resources<</XObject<</F %d 0 R>>>>" % following)


def pdf(
    drawing: bytes = SEVEN,
    *objects: bytes,
    page: bytes = b"",
    resources: bytes = b"",
    kids: bytes = b"3 0 R",
    count: int = 1,
    catalog: bytes = b"",
    trailer: bytes = b"",
) -> bytes:
    """Return a PDF file of one page.

    drawing: its content. objects: from number 5 on. resources: of the page: names of objects. page, catalog, trailer: further
    entries of these dictionaries, the last of equal ones counts. kids, count: of all pages.
    """
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]%s/Contents 4 0 R/Resources<<%s>>>>" % (page, resources)
    objects = (b"<</Pages 2 0 R%s>>" % catalog, b"<</Kids[%s]/Count %d>>" % (kids, count), page, stream(drawing), *objects)
    content, places = b"%PDF-1.7\n", b"0000000000 65535 f \n"
    for number, entry in enumerate(objects, start=1):
        places += b"%010d 00000 n \n" % len(content)
        content += b"%d 0 obj\n%s\nendobj\n" % (number, entry)
    end = b"xref\n0 %d\n%strailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n"
    return content + end % (len(objects) + 1, places, len(objects) + 1, trailer, len(content))


def encrypted() -> bytes:
    """Return a PDF file with a password, which nobody knows."""
    return pdf(trailer=b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (b"ab" * 32, b"cd" * 32))


def pdf_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of bad PDF files."""
    yield "password.pdf", encrypted()
    yield "over 40,000 x 40,000.pdf", pdf(page=b"/MediaBox[0 0 14400 14400]")
    for box in (b"0 0 0 0", b"72 72 0 0", b"0 0 1e38 1e38", b"0 0 0.001 14400", b"0 0 (x) (y)"):
        yield f"box {box.decode()}.pdf", pdf(page=b"/MediaBox[%s]" % box)
    yield "no page.pdf", pdf(kids=b"", count=0)
    yield "100,000 pages.pdf", pdf(kids=b"3 0 R " * 100_000, count=100_000)
    yield "count of a million.pdf", pdf(count=10**6)
    yield "pages in a circle.pdf", pdf(kids=b"2 0 R", count=3)
    yield "tables in a circle.pdf", pdf(trailer=b"/Prev 9")
    yield "script.pdf", pdf(catalog=b"/OpenAction<</S/JavaScript/JS(while(1){})>>")
    draws_form = b"/XObject<</F 5 0 R>>"
    yield "forms of forms.pdf", pdf(b"/F Do", *(form(b"/F Do " * 10, 6 + i) for i in range(12)), resources=draws_form)
    yield "form of itself.pdf", pdf(b"/F Do", form(b"/F Do /F Do", 5), resources=draws_form)
    group = stream(b"0 0 9 9 re f", b"/Subtype/Form/BBox[0 0 1000 1000]/Group<</S/Transparency/I true/K true>>")
    yield "2,000 groups.pdf", pdf(b"/F Do " * 2000, group, page=b"/MediaBox[0 0 1000 1000]", resources=draws_form)
    tile = b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 0.0001/YStep 0.0001/Resources<<>>"
    draws_tiles = b"/Pattern cs /P scn 0 0 72 72 re f"
    yield "tiles.pdf", pdf(draws_tiles, stream(b"0 0 1 1 re f", tile), resources=b"/Pattern<</P 5 0 R>>")
    yield "dashes.pdf", pdf(b"[0.00001 0.00001] 0 d " + SEVEN)
    yield "a million strokes.pdf", pdf(b"1 1 m 71 71 l 30 w S\n" * 1_000_000)
    yield "content of 1 GB.pdf", pdf(b" " * 10**9)
    image = stream(bytes(10**9), b"/Subtype/Image/Width 50000/Height 50000/BitsPerComponent 8/ColorSpace/DeviceRGB")
    yield "image of 50,000 x 50,000.pdf", pdf(b"72 0 0 72 0 0 cm /I Do", image, resources=b"/XObject<</I 5 0 R>>")
    yield "nested states.pdf", pdf(b"q " * 1_000_000)
    yield "nested arrays.pdf", pdf(b"[" * 1_000_000, resources=b"/X " + b"[" * 1_000_000)
    yield "nested dictionaries.pdf", pdf(resources=b"/X " + b"<</A" * 1_000_000)
    yield "header.pdf", b"%PDF-1.7\n"
    yield "text.pdf", b"no PDF"
    yield "empty.pdf", b""
