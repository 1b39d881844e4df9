"""A file -> upright RGB pixels, whatever the format, the depth, the colours and the transparency."""

import os
import stat
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from digits.config import UserError

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit only warns at first; MAX_PIXELS below refuses

WORKING_SIDE = 800  # pixels; a larger picture is reduced to this before ink is looked for. chosen
# What is opened: pictures as people have them, and nothing for which Pillow starts another program, as for PostScript.
# The reader of JPEG opens MPO too.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "ICO", "TGA", "JPEG2000", "PCX")
THUMBNAIL_SIDE = 300  # pixels
MAX_PIXELS = 100_000_000  # refused from the header, before anything is decoded


class Picture(NamedTuple):
    """A picture as a person sees it. pixels: (height, width, 3) uint8 RGB, possibly reduced; size: before that."""

    pixels: np.ndarray
    size: tuple[int, int]  # width, height

    def thumbnail(self):
        """Return the pixels with the longer side at most 300, for figures."""
        return _reduce(self.pixels, THUMBNAIL_SIDE)


def open_picture(source):
    """Return the Picture in a file, a file object or a Pillow image.

    Turned as its EXIF data says, transparency laid on the paper that its ink needs, any depth and colour model brought
    to 8-bit RGB, reduced to at most 800 pixels a side. Raises UserError where there is no picture to be read.
    """
    try:
        if not isinstance(source, Image.Image) and not hasattr(source, "read") and not Path(os.fsdecode(source)).is_file():
            mode = os.stat(source).st_mode  # raises what is amiss; a pipe or a device would never end
            raise UserError("it is a folder, not a picture" if stat.S_ISDIR(mode) else "it is not an ordinary file")
        image = source if isinstance(source, Image.Image) else _open(source)
        width, height = image.size
        if width * height == 0:
            raise UserError("it has no pixels")
        if width * height > MAX_PIXELS:
            raise UserError(f"it has {width} x {height} pixels; at most {MAX_PIXELS // 10**6} million are read")
        image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))  # a large JPEG decodes reduced to no less; others ignore it
        image.load()
        upright = _upright(image)
        pixels = _reduce(_to_rgb(upright), WORKING_SIDE)
    except FileNotFoundError:
        raise UserError("there is no such file") from None
    except PermissionError:
        raise UserError("it may not be read (permission denied)") from None
    except MemoryError:
        raise UserError("it needs more memory than there is") from None
    except UserError:
        raise
    except Exception as error:  # decoders fail in as many ways as there are formats
        raise UserError(f"it is not a picture that can be read ({error or type(error).__name__})") from error
    return Picture(pixels, (width, height) if upright.size == image.size else (height, width))


def _open(source):
    """Return the Pillow image in a file or a file object, not yet decoded."""
    try:
        return Image.open(source, formats=FORMATS)
    except UnidentifiedImageError:
        if hasattr(source, "read"):
            source.seek(0)
            start = source.read(12)
            source.seek(0)
        else:
            with open(source, "rb") as file:
                start = file.read(12)
        if start[4:8] != b"ftyp":  # with which HEIC photographs begin
            raise
    try:
        import pillow_heif  # here: it takes a tenth of a second, and few pictures need it
    except ImportError:
        raise UserError("HEIC photographs need one more package: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()
    return Image.open(source, formats=("HEIF",))


def _upright(image):
    """Return a Pillow image turned as its EXIF data says. Damaged EXIF data says nothing, the pixels are still good.

    A HEIC photograph is upright as decoded, and its EXIF data, as pillow-heif gives it, says so.
    """
    try:
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return image  # as most pictures are; exif_transpose would copy it
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow's EXIF reader fails in many ways
        return image


def _to_rgb(image):
    """Return a Pillow image of any mode as (height, width, 3) uint8, reduced where it is transparent."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        levels = np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)
        spread = np.ptp(levels) or 1.0
        image = Image.fromarray(((levels - levels.min()) * (255 / spread)).astype(np.uint8))
    if image.has_transparency_data:
        premultiplied = np.asarray(image.convert("RGBA").convert("RGBa"))  # else what is transparent would blend in
        return _on_paper(_reduce(premultiplied, WORKING_SIDE))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _on_paper(rgba):
    """Return (height, width, 3) uint8: the ink of a transparent picture on white, or light ink on black.

    rgba: (height, width, 4) uint8, the colours multiplied by alpha.
    """
    alpha = rgba[..., 3:].astype(np.float32) / 255
    brightness = rgba[..., :3].mean(axis=2).sum() / max(alpha.sum(), 1.0)
    paper = 255.0 if brightness < 128 else 0.0
    if alpha.mean() > 0.98:
        paper = 255.0  # hardly anything is transparent: the picture brings its own paper
    return np.clip(rgba[..., :3] + paper * (1 - alpha), 0, 255).astype(np.uint8)


def _reduce(pixels, longest):
    """Return the pixels with the longer side at most so long."""
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
