"""A file of one or several images -> one of them. PDF and TIFF files have pages; the third of scan.pdf is named scan.pdf#3.

Of an animation the first frame is its only page.
"""

import io
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError

from digits.common.config import CORES
from digits.common.errors import UserError
from digits.common.formatting import counted
from digits.reading import pdf_process
from digits.reading.decoding import checked_size, load_pixels, open_image

SUFFIXES_WITH_PAGES = (".pdf", ".tif", ".tiff")
MAX_PAGES = 200  # that are read of a file
PAGE_NAME = re.compile("(.+)#([1-9][0-9]{0,8})", re.DOTALL)  # a file's path and a page's number
PDF_START = b"%PDF-"  # within MAX_PDF_OFFSET bytes from the start of the file, as PDFium takes it
MAX_PDF_OFFSET = 1024
MAX_WAIT = 60  # seconds for a page of a PDF file, on a machine with other work; its processor time has a limit of its own
# TIFF's tag NewSubfileType, and its bits for a smaller version of another image and for a mask (TIFF 6.0, section 8).
NEW_SUBFILE_TYPE, NO_PAGE_BITS = 254, 0b101
MAX_FRAMES = 3 * MAX_PAGES  # of a TIFF file that are looked at: each page with a smaller version and a mask


class Page(NamedTuple):
    """One page of a file that is open. number: from 1."""

    file: BinaryIO
    number: int


def split_name(path: str | bytes | os.PathLike) -> tuple[str | bytes | os.PathLike, int | None]:
    """Return (the file's path, the page's number) of the name of a page, (path, None) of the name of a file.

    A file that has the very name of a page has precedence.
    """
    match = PAGE_NAME.fullmatch(os.fsdecode(path))
    return (path, None) if match is None or os.path.exists(path) else (match[1], int(match[2]))


def open_ordinary_file(path: str) -> BinaryIO:
    """Return an open binary file; a pipe or a device might never end. Raises OSError."""
    if not os.path.isfile(path):
        raise FileNotFoundError(path)
    return open(path, "rb")


def page_names(paths: Sequence[str], open_file: Callable[[str], BinaryIO] = open_ordinary_file) -> list[str]:
    """Return the names of all images in files: each file's own, or, of a PDF or TIFF file with several pages, those of its pages.

    Where it has more than MAX_PAGES, the last name is of a page beyond them: reading it says so. A file that can't be read has
    one name: reading it says why. open_file: returns an open binary file, or raises OSError or UserError.
    """
    with_pages = [path for path in paths if path.lower().endswith(SUFFIXES_WITH_PAGES)]
    with ThreadPoolExecutor(CORES) as threads:  # they wait for processes, which count the pages of PDF files
        counts = dict(zip(with_pages, threads.map(_page_count_of, with_pages, itertools.repeat(open_file)), strict=True))
    return [name for path in paths for name in _numbered(path, counts.get(path, 1))]


def _numbered(path: str, count: int) -> list[str]:
    return [path] if count == 1 else [f"{path}#{number}" for number in range(1, min(count, MAX_PAGES + 1) + 1)]


def _page_count_of(path: str, open_file: Callable[[str], BinaryIO]) -> int:
    try:
        with open_file(path) as file:
            return page_count(file)
    except (OSError, UserError):
        return 1


def page_count(file: BinaryIO) -> int:
    """Return the number of pages in a binary file; where there are more than MAX_PAGES, a number above that.

    A file that can't be read has one: reading it says why.
    """
    try:
        image = _open(file)
        return _run_pdf_process(file, 0)[0]["pages"] if image is None else len(_page_frames(image))
    except Exception:  # decoders fail in as many ways as there are formats
        return 1


def decode_page(file: Any, number: int | None, min_side: int) -> tuple[Image.Image, tuple[int, int]]:
    """Return a page of a binary file, decoded, and its (width, height) in pixels.

    number: of the page, from 1; None: the file must have one page alone. min_side: as in decoding.load_pixels. Raises UserError
    where there is no such page or it would take too much time or memory, or what Pillow raises.
    """
    image = _open(file)
    if image is None:
        header, pixels = _run_pdf_process(file, 1 if number is None else max(number, 0))
        _check_number(number, header["pages"])
        size = tuple(header["size"])
        return Image.frombytes("RGB", size, pixels, "raw", header["mode"], header["row_bytes"], 1), size
    frames = _page_frames(image)
    _check_number(number, len(frames))
    if image.format == "TIFF":
        image = open_image(file)  # anew: asked a second time for a frame that it could not find, Pillow gives the one before it
    image.seek(frames[0 if number is None else number - 1])
    size = checked_size(image)
    load_pixels(image, min_side)
    return image, size


def _check_number(number: int | None, count: int) -> None:
    """Raise UserError where a file of this many pages has no such page, or where one must be chosen."""
    if number is None and count > 1:
        pages = f"more than {MAX_PAGES}" if count > MAX_PAGES else str(count)
        raise UserError(f'it has {pages} pages; add the number of one to its name, as in "scan.pdf#1"')
    if number is not None and number < 1:
        raise UserError(f"it has no page {number}: pages are counted from 1")
    if number is not None and number > MAX_PAGES and count > MAX_PAGES:
        raise UserError(f"only the first {MAX_PAGES} pages of a file are read; divide it into several files")
    if number is not None and number > count:
        raise UserError(f"it has {counted(count, 'page')}, and no page {number}")


def _open(file: BinaryIO) -> Any:
    """Return the Pillow image in a binary file, not yet decoded; None for a PDF file. Raises UserError, or what Pillow raises."""
    try:
        return open_image(file)
    except UnidentifiedImageError:
        file.seek(0)
        if PDF_START in file.read(MAX_PDF_OFFSET):
            return None
        raise


def _page_frames(image: Any) -> list[int]:
    """Return the indices of the frames of a Pillow image that are pages; of a TIFF image at most MAX_PAGES + 1 of them.

    A frame that can't be found, as in a file that was cut off, is the last page: reading it says so.
    """
    if image.format != "TIFF":
        return [0]
    pages: list[int] = []
    for frame in range(MAX_FRAMES):
        try:
            image.seek(frame)
            is_page = not image.tag_v2.get(NEW_SUBFILE_TYPE, 0) & NO_PAGE_BITS
        except EOFError:
            break
        except Exception:
            return [*pages, frame]
        if is_page:
            pages.append(frame)
        if len(pages) > MAX_PAGES:
            break
    return pages or [0]


def _run_pdf_process(file: BinaryIO, number: int) -> tuple[dict[str, Any], memoryview]:
    """Return (the header, the pixels) that pdf_process gives for a page of a PDF file. Raises UserError if it can't be read."""
    file.seek(0)
    is_on_disk = isinstance(getattr(file, "raw", None), io.FileIO)
    source: dict[str, Any] = {"stdin": file} if is_on_disk else {"input": file.read()}
    command = [sys.executable, "-P", str(Path(pdf_process.__file__)), str(number)]
    try:
        output = subprocess.run(command, **source, capture_output=True, check=True, timeout=MAX_WAIT).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        limits = f"{pdf_process.MAX_SECONDS} seconds or {pdf_process.MAX_MIB:,} MiB"
        raise UserError(f"its decoder failed, or would take more than {limits}") from None
    header, _, _ = output.partition(b"\n")
    result = json.loads(header)
    if "error" in result:
        raise UserError(result["error"])
    return result, memoryview(output)[len(header) + 1 :]
