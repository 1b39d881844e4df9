"""An image -> upright RGB pixels, whatever the depth, the colours and the transparency."""

import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from digits.common.errors import UserError
from digits.reading.decoding import MAX_PIXELS, checked_size
from digits.reading.page_images import Page, decode_page, split_name
from digits.reading.results import Box

WORKING_SIDE = 800  # pixels of the longer side, to which larger images are reduced; room for 40 digits of 20 pixels, as MNIST's
THUMBNAIL_SIDE = 300  # pixels of the longer side: figures show it about 3 inches wide, with about 100 dots an inch
MIDDLE_GREY = 128  # half of 255: darker ink without paper is laid on white, lighter ink on black
# Mean alpha, 0 to 1, above which an image has paper of its own and is transparent only at its rim. Set by hand; of 157 images
# with an alpha channel, people's and samples, the nearest have 0.973 and 0.991.
MIN_OPAQUE_ALPHA = 0.98
BAND_PIXELS = MAX_PIXELS // 25  # pixels that are brought to RGB at a time: copies of them are small beside the image
SIDEWAYS_ORIENTATIONS = (5, 6, 7, 8)  # EXIF's numbers for turns that exchange width and height

ImageSource = str | bytes | os.PathLike | BinaryIO | Page | Image.Image | np.ndarray  # what can be read


class LoadedImage(NamedTuple):
    """An image as a person sees it.

    pixels: (height, width, 3) uint8 RGB, upright, the longer side reduced to max_side of load_image at most.
    full_size: (width, height) in pixels, before it was reduced.
    """

    pixels: np.ndarray
    full_size: tuple[int, int]

    @property
    def scale(self) -> np.ndarray:
        """The factors, (2,) float64, by which x and y grow from pixels to the full image; they differ in thin images."""
        return np.array(self.full_size) / self.pixels.shape[1::-1]

    def turned(self, quarter_turns: int) -> "LoadedImage":
        """Return the image after this number of quarter turns to the left."""
        full_size = self.full_size[::-1] if quarter_turns % 2 else self.full_size
        return LoadedImage(np.ascontiguousarray(np.rot90(self.pixels, quarter_turns)), full_size)

    def full_box(self, left: float, top: float, width: float, height: float) -> Box:
        """Return the part of a box in the pixels that lies in the full image, in whole pixels of it, at least one a side."""
        size = np.array(self.full_size)
        start = np.clip(np.rint([left, top] * self.scale), 0, size - 1)
        end = np.clip(np.rint([left + width, top + height] * self.scale), start + 1, size)
        x, y, across, down = np.concatenate([start, end - start]).astype(int).tolist()
        return x, y, across, down

    def thumbnail(self) -> np.ndarray:
        """Return the pixels reduced to a longer side of at most 300, (height, width, 3) uint8 RGB, for figures."""
        return reduce(self.pixels, THUMBNAIL_SIDE)


def load_image(source: ImageSource, max_side: int = WORKING_SIDE) -> LoadedImage:
    """Return the image in a source: a path, a binary file, one of its pages, a Pillow image, or an array.

    A file with several pages is refused; "scan.pdf#3" is the path of its third page.
    An array is (height, width) or (height, width, 3) uint8, grey or RGB. An image is turned as its EXIF data says; what is
    transparent is laid on paper from which its ink differs; any depth and colour model becomes 8-bit RGB; the longer side is
    reduced to max_side pixels at most. Raises UserError where no image can be read.
    """
    try:
        if isinstance(source, np.ndarray):
            source = _from_array(source)
        if isinstance(source, Image.Image):
            return _upright(source, checked_size(source), max_side)
        if isinstance(source, io.TextIOBase):
            raise UserError('the file was opened as text; expected open(path, "rb")')
        if isinstance(source, Page):
            return _upright(*decode_page(*source, max_side), max_side)
        if hasattr(source, "read"):
            return _upright(*decode_page(source, None, max_side), max_side)
        if not isinstance(source, (str, bytes, os.PathLike)):
            found = f"it is of the type {type(source).__name__}"
            raise UserError(f"{found}; expected one image: a path, a binary file, a Pillow image or an array")
        if not os.fspath(source):
            raise UserError("its path is empty")
        if isinstance(source, bytes) and b"\0" in source:  # of no path, but of most images
            raise UserError("bytes are taken for a path; expected the content of an image as io.BytesIO(content)")
        path, number = split_name(source)
        if not Path(os.fsdecode(path)).is_file():
            mode = os.stat(path).st_mode  # raises what is wrong with the path; a pipe or a device might never end
            raise UserError("it is a folder, not an image" if stat.S_ISDIR(mode) else "it is not an ordinary file")
        with open(path, "rb") as file:
            return _upright(*decode_page(file, number, max_side), max_side)
    except FileNotFoundError:
        raise UserError("there is no such file") from None
    except PermissionError:
        raise UserError("it may not be read (permission denied)") from None
    except MemoryError:
        raise UserError("it needs more memory than there is") from None
    except Image.DecompressionBombError:
        raise UserError(f"it has too many pixels; at most {MAX_PIXELS // 10**6} million are read") from None
    except UnidentifiedImageError:
        raise UserError("it is not an image that can be read (in none of the known formats)") from None
    except UserError:
        raise
    except Exception as error:  # decoders fail in as many ways as there are formats
        what = " ".join(str(error).split()) or type(error).__name__  # libheif's messages have several lines
        raise UserError(f"it is not an image that can be read ({what})") from error


def name_of(image: ImageSource) -> str:
    """Return the name of an image: its path, or what a Pillow image or an open file knows of one, or ""."""
    if isinstance(image, bytes) and b"\0" in image:  # an image's content, which load_image refuses
        return ""
    if isinstance(image, (str, bytes, os.PathLike)):
        return os.fsdecode(image)
    name = getattr(image, "filename", None) or getattr(image, "name", None)  # of Pillow; of an open file
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""


def _from_array(array: np.ndarray) -> Image.Image:
    """Return an array as a Pillow image. Raises UserError where it is not uint8, (height, width) or (height, width, 3)."""
    if array.dtype != np.uint8 or array.shape[2:] not in ((), (3,)) or array.ndim < 2:
        raise UserError(
            f"it is an array of {array.dtype} and shape {array.shape}; "
            "expected uint8, 0 to 255, and (height, width) or (height, width, 3), grey or RGB"
        )
    if array.size == 0:
        raise UserError("it has no pixels")
    return Image.fromarray(np.ascontiguousarray(array))


def _upright(image: Image.Image, full_size: tuple[int, int], max_side: int) -> LoadedImage:
    """Return a Pillow image, turned as its EXIF data says. full_size: its width and height before it was decoded."""
    pixels = reduce(_to_rgb(image, max_side), max_side)
    orientation = _orientation(image)
    if orientation == 1:
        return LoadedImage(pixels, full_size)
    stored = Image.fromarray(pixels)
    stored.getexif()[ExifTags.Base.Orientation] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored))
    return LoadedImage(upright, full_size[::-1] if orientation in SIDEWAYS_ORIENTATIONS else full_size)


def _orientation(image: Image.Image) -> int:
    """Return EXIF's number for how a Pillow image must be turned, 1 to 8; 1, for not at all, where EXIF data is damaged.

    A HEIC photograph is upright as decoded, and its EXIF data, as pillow-heif gives it, says so.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in range(1, 9) else 1
    except Exception:  # Pillow's EXIF reader fails in many ways
        return 1


def _to_rgb(image: Image.Image, max_side: int) -> np.ndarray:
    """Return a Pillow image of any mode as (height, width, 3) uint8, reduced to max_side where it is transparent."""
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
        return _on_paper(reduce(premultiplied, max_side))
    return _joined(image, 3, lambda band: np.asarray(band if band.mode == "RGB" else band.convert("RGB")))


def _levels(image: Image.Image) -> np.ndarray:
    """Return the grey levels of a Pillow image of more than 8 bits, (height, width) float64; what is not finite is 0."""
    return np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield a Pillow image as (number of the first row, image of some rows): a large one as a whole takes much memory."""
    width, height = image.size
    rows = max(BAND_PIXELS // width, 1)
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _joined(image: Image.Image, channels: int, convert: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """Return (height, width, channels) uint8 of a Pillow image. convert: makes such an array of each of its bands."""
    pixels = np.empty((image.height, image.width, channels), np.uint8)
    for top, band in _bands(image):
        pixels[top : top + band.height] = convert(band)
    return pixels


def _on_paper(rgba: np.ndarray) -> np.ndarray:
    """Return a transparent image on paper, (height, width, 3) uint8: on white, or on black where its ink is light.

    rgba: (height, width, 4) uint8, the colours multiplied by alpha.
    """
    alpha = rgba[..., 3:].astype(np.float32) / 255
    brightness = rgba[..., :3].mean(axis=2).sum() / max(alpha.sum(), 1.0)
    paper = 255.0 if brightness < MIDDLE_GREY else 0.0
    if alpha.mean() > MIN_OPAQUE_ALPHA:
        paper = 255.0
    return np.clip(rgba[..., :3] + paper * (1 - alpha), 0, 255).astype(np.uint8)


def reduce(pixels: np.ndarray, max_side: int) -> np.ndarray:
    """Return the pixels, (height, width) or (height, width, channels), with a longer side of at most max_side pixels."""
    scale = max_side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
