"""A file -> upright RGB pixels, whatever the format, the depth, the colours and the transparency."""

import os
import stat
import warnings
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from digits.config import UserError

WORKING_SIDE = 800  # pixels; a larger picture is reduced to this before ink is looked for. chosen
# What is opened: pictures as people have them, and nothing for which Pillow starts another program, as for PostScript.
# The reader of JPEG opens MPO too.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "ICO", "TGA", "JPEG2000", "PCX")
THUMBNAIL_SIDE = 300  # pixels of the longer side. chosen
MAX_PIXELS = 100_000_000  # more are refused by the file's header, before anything is decoded. chosen
HELD_TWICE = {"WEBP": 50_000_000, "HEIF": 50_000_000}  # the same, where decoders take 12 to 16 bytes a pixel. chosen
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice as many, also in pictures inside of a file, as in icons
warnings.filterwarnings("ignore", module="PIL")  # of large pictures, and of damaged EXIF data, 65,000 times for one file
MOST_STEPS = 300_000  # reads of a file; so many of the smallest ones take a second. chosen
MOST_PLAIN = 500_000  # pixels of a PPM file written as text; each takes 2.5 microseconds. chosen
MOST_SCANS = 100  # of a JPEG, as libtiff allows; one of 12 megapixels takes up to 13 milliseconds for each, however empty
MOST_JPEG2000 = 6_000_000  # pixels of a JPEG 2000 that are decoded; a million takes 0.3 s. chosen
START_OF_SCAN = b"\xff\xda"  # JPEG's marker (ISO/IEC 10918-1, table B.1)
JPEG2000_STYLE = b"\xff\x52"  # JPEG 2000's marker before the style of coding
HALVINGS_AT = 9  # bytes from there to the number of smaller versions inside, each half as large (its standard, table A.15)
SIDEWAYS = (5, 6, 7, 8)  # EXIF's orientations that exchange width and height
BAND_PIXELS = 4_000_000  # pixels that are brought to RGB at a time. chosen
MIDDLE_GREY = 128  # of 255: darker ink without paper is laid on white, lighter ink on black. chosen
OPAQUE = 0.98  # mean alpha above which hardly anything is transparent, and the picture has paper of its own. chosen


class Picture(NamedTuple):
    """A picture as a person sees it. pixels: (height, width, 3) uint8 RGB, perhaps reduced. size: before that, in pixels."""

    pixels: np.ndarray
    size: tuple[int, int]  # width, height

    def thumbnail(self):
        """Return the pixels reduced to a longer side of at most 300, (height, width, 3) uint8, for figures."""
        return _reduce(self.pixels, THUMBNAIL_SIDE)


def open_picture(source):
    """Return the Picture in a source: a path, a binary file object or a Pillow image.

    It is turned as its EXIF data says; what is transparent is laid on paper from which its ink differs; any depth and colour
    model becomes 8-bit RGB; the longer side is reduced to 800 pixels at most. Raises UserError where no picture can be read.
    """
    try:
        if isinstance(source, Image.Image):
            return _read(source)
        if hasattr(source, "read"):
            return _read(_open(source))
        if not Path(os.fsdecode(source)).is_file():
            mode = os.stat(source).st_mode  # raises what is wrong with the path; a pipe or a device might never end
            raise UserError("it is a folder, not a picture" if stat.S_ISDIR(mode) else "it is not an ordinary file")
        with open(source, "rb") as file:
            return _read(_open(file))
    except FileNotFoundError:
        raise UserError("there is no such file") from None
    except PermissionError:
        raise UserError("it may not be read (permission denied)") from None
    except MemoryError:
        raise UserError("it needs more memory than there is") from None
    except Image.DecompressionBombError:
        raise UserError(f"it has too many pixels; at most {MAX_PIXELS // 10**6} million are read") from None
    except UnidentifiedImageError:
        raise UserError("it is not a picture that can be read (in none of the known formats)") from None
    except UserError:
        raise
    except Exception as error:  # decoders fail in as many ways as there are formats
        what = " ".join(str(error).split()) or type(error).__name__  # libheif's messages have several lines
        raise UserError(f"it is not a picture that can be read ({what})") from error


class _InSteps:
    """A file object that can be read MOST_STEPS times. One read more raises UserError.

    Pillow takes the smallest parts of a file, such as comments, chunks and runs of one colour, one by one in Python, and
    a small file may hold millions of them.
    """

    def __init__(self, file):
        self.file = file
        self.left = MOST_STEPS

    def read(self, *size):
        self.left -= 1
        if self.left < 0:
            raise UserError("it is made of too many small parts; a copy saved as PNG or JPEG may be read")
        return self.file.read(*size)

    def __getattr__(self, name):
        return getattr(self.file, name)


def _open(file):
    """Return the Pillow image in a binary file object, not yet decoded. Raises UserError, or what Pillow raises."""
    file = _InSteps(file)
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        start = file.read(12)
        file.seek(0)
        if start[4:8] != b"ftyp":  # HEIC photographs have it there
            raise
    try:
        import pillow_heif  # here: importing it takes a tenth of a second, and few pictures need it
    except ImportError:
        raise UserError("HEIC photographs need one more package: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()
    return Image.open(file, formats=("HEIF",))


def _read(image):
    """Return the Picture in a Pillow image that need not be decoded yet. Raises UserError where it is too large."""
    width, height = image.size
    if width * height == 0:
        raise UserError("it has no pixels")
    most = HELD_TWICE.get(image.format, MAX_PIXELS)
    if width * height > most:
        raise UserError(f"it has {width} x {height} pixels; at most {most // 10**6} million are read")
    _decode(image)
    pixels = _reduce(_to_rgb(image), WORKING_SIDE)
    orientation = _orientation(image)
    if orientation == 1:
        return Picture(pixels, (width, height))
    upright = Image.fromarray(pixels)
    upright.getexif()[ExifTags.Base.Orientation] = orientation
    upright = np.asarray(ImageOps.exif_transpose(upright))
    return Picture(upright, (height, width) if orientation in SIDEWAYS else (width, height))


def _decode(image):
    """Decode a Pillow image, a large JPEG or JPEG 2000 in a smaller version, no smaller than WORKING_SIDE.

    Raises UserError where that would take too long.
    """
    width, height = image.size
    if image.format in ("JPEG", "MPO") and _content(image).count(START_OF_SCAN) > MOST_SCANS:
        raise UserError(f"it is a JPEG of more than {MOST_SCANS} scans, which take too long")
    if image.format == "PPM" and image.tile[0][0] == "ppm_plain" and width * height > MOST_PLAIN:
        raise UserError(f"pixels written as text are read up to {MOST_PLAIN:,}, and it has {width} x {height}; save it as PNG")
    if image.format == "JPEG2000":
        codestream = _content(image)
        halvings = codestream[codestream.find(JPEG2000_STYLE) + HALVINGS_AT]
        halvings = min(halvings, max(int(np.log2(max(width, height) / WORKING_SIDE)), 0))
        if width * height >> 2 * halvings > MOST_JPEG2000:
            raise UserError(f"it has {width} x {height} pixels and no smaller version of them inside; save it as PNG or JPEG")
        image.reduce = halvings
        # Pillow rounds the reduced size to the nearest, the decoder rounds it up; a multiple comes out the same.
        image._size = tuple(-(-side >> halvings) << halvings for side in image.size)
    image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))  # reduces a JPEG; other formats ignore it
    image.load()


def _content(image):
    """Return all bytes of the file behind a Pillow image that is not decoded yet."""
    position = image.fp.tell()
    image.fp.seek(0)
    content = image.fp.read()
    image.fp.seek(position)
    return content


def _orientation(image):
    """Return EXIF's number for how a Pillow image must be turned, 1 to 8; 1, for not at all, where EXIF data is damaged.

    A HEIC photograph is upright as decoded, and its EXIF data, as pillow-heif gives it, says so.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in range(1, 9) else 1
    except Exception:  # Pillow's EXIF reader fails in many ways
        return 1


def _to_rgb(image):
    """Return a Pillow image of any mode as (height, width, 3) uint8, reduced where it is transparent."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        lowest, highest = np.inf, -np.inf
        for _, band in _bands(image):
            levels = _levels(band)
            lowest, highest = min(lowest, levels.min()), max(highest, levels.max())
        scale = 255 / ((highest - lowest) or 1.0)
        return _joined(image, 3, lambda band: ((_levels(band) - lowest) * scale).astype(np.uint8)[..., None])
    if image.has_transparency_data:
        # Multiplied by alpha, else what is transparent would blend in.
        premultiplied = _joined(image, 4, lambda band: np.asarray(band.convert("RGBA").convert("RGBa")))
        return _on_paper(_reduce(premultiplied, WORKING_SIDE))
    return _joined(image, 3, lambda band: np.asarray(band if band.mode == "RGB" else band.convert("RGB")))


def _levels(image):
    """Return the grey levels of a Pillow image of more than 8 bits, (height, width) float64; what is not finite is 0."""
    return np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)


def _bands(image):
    """Yield a Pillow image as (number of the first row, image of some rows): a large one as a whole takes much memory."""
    width, height = image.size
    rows = max(BAND_PIXELS // width, 1)
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _joined(image, channels, convert):
    """Return (height, width, channels) uint8 of a Pillow image. convert: makes such an array of each of its bands."""
    pixels = np.empty((image.height, image.width, channels), np.uint8)
    for top, band in _bands(image):
        pixels[top : top + band.height] = convert(band)
    return pixels


def _on_paper(rgba):
    """Return a transparent picture on paper, (height, width, 3) uint8: on white, or on black where its ink is light.

    rgba: (height, width, 4) uint8, the colours multiplied by alpha.
    """
    alpha = rgba[..., 3:].astype(np.float32) / 255
    brightness = rgba[..., :3].mean(axis=2).sum() / max(alpha.sum(), 1.0)
    paper = 255.0 if brightness < MIDDLE_GREY else 0.0
    if alpha.mean() > OPAQUE:
        paper = 255.0
    return np.clip(rgba[..., :3] + paper * (1 - alpha), 0, 255).astype(np.uint8)


def _reduce(pixels, longest):
    """Return the pixels, (height, width, channels) uint8, reduced to a longer side of at most longest pixels."""
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
