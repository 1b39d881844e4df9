"""One page of a PDF file -> its pixels, as a process of its own: python -P pdf_process.py NUMBER < scan.pdf

A PDF file can bring its decoder down, or keep it drawing without end; in a process of its own that costs one page. PDFium has no
threads, either. Nothing of the project is imported, so that the process starts in a tenth of a second.

Standard output is a line of JSON, then the pixels of the page:
{"pages": 3, "size": [1654, 2339], "row_bytes": 4964, "mode": "BGR"};
{"pages": 3} alone, where the file has no such page; or {"error": what is wrong}.
"""

import contextlib
import io
import json
import math
import sys
from typing import BinaryIO

DOTS_PER_INCH = 200
POINTS_PER_INCH = 72  # PDF's unit of length
MAX_PDF_PIXELS = 50_000_000  # of a page, as of a WebP image: 5 times A3; there are four copies of them in two processes
MAX_SECONDS = 10  # of processor time; a scanned page takes less than one
MAX_MIB = 1000  # of address space, as for the process that reads an image


def main() -> None:
    """Read the file, draw the page, write it."""
    limit_resources()
    source = sys.stdin.buffer if sys.stdin.seekable() else io.BytesIO(sys.stdin.buffer.read())
    header, pixels = draw_page(source, int(sys.argv[1]))
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n")
    sys.stdout.buffer.write(pixels)


def limit_resources() -> None:
    """Let the system end this process where it takes too much, also when nobody waits for it any more.

    Windows has no such limits, and macOS refuses that of memory.
    """
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_CORE: 0,  # bytes of what a crash writes to the disk
        resource.RLIMIT_CPU: MAX_SECONDS,
        resource.RLIMIT_AS: MAX_MIB * 2**20,
    }
    for kind, limit in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def draw_page(file: BinaryIO, number: int) -> tuple[dict, bytes]:
    """Return (the header, the pixels) as this module writes them. number: of the page, from 1; 0: only the pages are counted."""
    try:
        import pypdfium2
    except ImportError:
        return {"error": "PDF files need one more package: pip install pypdfium2"}, b""

    part = "the PDF file"
    try:
        document = pypdfium2.PdfDocument(file)
        if not 1 <= number <= len(document):
            return {"pages": len(document)}, b""
        part = "this page of the PDF file"
        page = document[number - 1]
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            return {"error": "it is a PDF file with a password; a copy without one can be read"}, b""
        return {"error": f"{part} is damaged"}, b""
    scale = DOTS_PER_INCH / POINTS_PER_INCH
    width, height = (math.ceil(side * scale) for side in page.get_size())
    if width * height > MAX_PDF_PIXELS:
        found = f"it has {width} x {height} pixels at {DOTS_PER_INCH} dots an inch"
        return {"error": f"{found}; at most {MAX_PDF_PIXELS // 10**6} million are read"}, b""
    bitmap = page.render(scale)
    header = {"pages": len(document), "size": [bitmap.width, bitmap.height], "row_bytes": bitmap.stride, "mode": bitmap.mode}
    return header, bitmap.buffer


if __name__ == "__main__":
    main()
