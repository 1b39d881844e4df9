"""A file of an image -> a Pillow image, with limits against files that want much time or memory."""

import math
import warnings
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from digits.common.errors import UserError

# Formats that people's images have, and none for which Pillow starts another program, as for PostScript. The reader of JPEG
# opens MPO too.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "ICO", "TGA", "JPEG2000", "PCX")
START_OF_SCAN = b"\xff\xda"  # JPEG's marker (ISO/IEC 10918-1, table B.1)
JPEG2000_START = b"\xff\x4f\xff\x51"  # JPEG 2000's first markers (the same table); the boxes before them may hold any bytes
JPEG2000_STYLE = b"\xff\x52"  # JPEG 2000's marker before the style of coding (ISO/IEC 15444-1, table A.15)
HALVINGS_OFFSET = 9  # bytes from there to the number of smaller versions inside, each half as large (the same table)

# Limits against files that want much time or memory: 2 seconds an image of up to 12 megapixels, and 1,000 MiB a process.
# benchmarks/results/hostile_pictures.json holds what was measured.
MAX_PIXELS = 100_000_000  # 300 MB as RGB; more are refused by the file's header, before anything is decoded
MAX_PIXELS_BY_FORMAT = {"WEBP": MAX_PIXELS // 2, "HEIF": MAX_PIXELS // 2}  # their decoders take 12 to 16 bytes a pixel
MAX_READS = 300_000  # calls of a file's read(); the smallest parts of a file take 3 microseconds each, together a second
MAX_TEXT_PIXELS = 500_000  # of a PPM file written as text; each takes 2.5 microseconds, together more than a second
MAX_JPEG_SCANS = 100  # as libtiff allows; each takes up to 13 milliseconds at 12 megapixels, however empty it is
MAX_JPEG2000_PIXELS = 6_000_000  # that are decoded; a million takes 0.3 s, together nearly two seconds

# Pillow's own settings, which hold for the whole process.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice as many, also in images inside of a file, as in icons
warnings.filterwarnings("ignore", module="PIL")  # of large images, and of damaged EXIF data, 65,000 times for one file


def open_image(file: Any) -> Image.Image:
    """Return the Pillow image in a binary file, not yet decoded. Raises UserError, or what Pillow raises."""
    file = _LimitedFile(file)
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        start = file.read(12)
        file.seek(0)
        if start[4:8] != b"ftyp":  # HEIC photographs have it there, and AVIF images (ISO/IEC 14496-12, 4.3)
            raise
        if start[8:12] in (b"avif", b"avis"):
            raise UserError("AVIF images are not read; save it as PNG or JPEG") from None
    try:
        import pillow_heif  # here: importing it takes a tenth of a second, and few images need it
    except ImportError:
        raise UserError("HEIC photographs need one more package: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()
    return Image.open(file, formats=("HEIF",))


def checked_size(image: Image.Image) -> tuple[int, int]:
    """Return (width, height) of a Pillow image that need not be decoded yet. Raises UserError where it is too large."""
    width, height = image.size
    if width * height == 0:
        raise UserError("it has no pixels")
    max_pixels = MAX_PIXELS_BY_FORMAT.get(image.format or "", MAX_PIXELS)
    if width * height > max_pixels:
        raise UserError(f"it has {width} x {height} pixels; at most {max_pixels // 10**6} million are read")
    return width, height


def load_pixels(image: Any, min_side: int) -> None:
    """Decode a Pillow image from its file. Raises UserError where that would take too long, or what Pillow raises.

    min_side: pixels that the longer side needs at least; a large JPEG or JPEG 2000 is decoded in a smaller version that has them,
    a JPEG 2000 of too many pixels in one that has fewer.
    """
    width, height = image.size
    if image.format in ("JPEG", "MPO") and _content(image).count(START_OF_SCAN) > MAX_JPEG_SCANS:
        raise UserError(f"it is a JPEG of more than {MAX_JPEG_SCANS} scans, which take too long")
    if image.format == "PPM" and image.tile[0][0] == "ppm_plain" and width * height > MAX_TEXT_PIXELS:
        raise UserError(
            f"pixels written as text are read up to {MAX_TEXT_PIXELS:,}, and it has {width} x {height}; save it as PNG"
        )
    if image.format == "JPEG2000":
        content = _content(image)
        style = content.find(JPEG2000_STYLE, content.find(JPEG2000_START))
        halvings_inside = content[style + HALVINGS_OFFSET]
        enough = int(np.log2(max(width, height) / min_side))
        needed = math.ceil(math.log(width * height / MAX_JPEG2000_PIXELS, 4))
        halvings = min(halvings_inside, max(enough, needed, 0))
        if width * height >> 2 * halvings > MAX_JPEG2000_PIXELS:
            raise UserError(f"it has {width} x {height} pixels and no smaller version of them inside; save it as PNG or JPEG")
        image.reduce = halvings
        # Pillow rounds the reduced size to the nearest, the decoder rounds it up; a multiple comes out the same.
        image._size = tuple(-(-side >> halvings) << halvings for side in image.size)
    image.draft("RGB", (min_side, min_side))  # reduces a JPEG; other formats ignore it
    image.load()


class _LimitedFile:
    """A file object that can be read MAX_READS times. One read more raises UserError.

    Pillow takes the smallest parts of a file, such as comments, chunks and runs of one colour, one by one in Python, and
    a small file may hold millions of them.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.reads_left = MAX_READS

    def read(self, *size: int) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise UserError("it is made of too many small parts; a copy saved as PNG or JPEG may be read")
        return self.file.read(*size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def _content(image: Any) -> bytes:
    """Return all bytes of the file behind a Pillow image that is not decoded yet."""
    position = image.fp.tell()
    image.fp.seek(0)
    content = image.fp.read()
    image.fp.seek(position)
    return content
