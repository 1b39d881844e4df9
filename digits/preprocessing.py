"""Any picture -> digit crops in MNIST's form.

    open_picture   file or Pillow image -> upright RGB pixels
    find_ink       pixels -> how strongly each one is inked, whatever the paper, the light and the colours
    find_digits    ink -> one mask and box a digit, in reading order
    digit_crop     one digit's ink -> (28, 28) uint8, the way MNIST was made
    prepare        all of that
"""

import os
import stat
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from digits.config import DIGIT_SIZE, IMAGE_SIZE, UserError
from digits.mnist_form import fit_into_box, place_by_mass

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit only warns at first; MAX_PIXELS below refuses

WORKING_SIDE = 800  # pixels; a larger picture is reduced to this before ink is looked for. chosen
# What is opened: pictures as people have them, and nothing for which Pillow starts another program, as for PostScript.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "ICO", "TGA", "JPEG2000", "PCX")
MOST_PIECES = 200  # pieces of ink that are looked at, the largest; a page of dots is no number. chosen
THUMBNAIL_SIDE = 300  # pixels
MAX_PIXELS = 100_000_000  # refused from the header, before anything is decoded
FIT_SIDE = 64  # pixels; the paper's light is fitted on a reduction to this
FAINTEST_INK = 10.0  # grey levels between ink and paper below which there is no ink. chosen
NOISE_FACTOR = 5.0  # ink stands out by so many standard deviations of the paper's grain. chosen
THINNEST_STROKE = 2.2  # pixels in the 20x20 box: near the median of MNIST's, 2.35 (3,000 pictures enlarged 8 times)
SPECK = 0.22  # of the tallest piece's longer side; smaller pieces are no strokes. chosen
SMALL_PIECE = 0.4  # of the tallest piece's height; lower ones are a part of a digit, not one. chosen
ATTACHED = 0.4  # of a digit's height: a small piece farther away does not belong to it. chosen


class Picture(NamedTuple):
    """A picture as a person sees it. pixels: (height, width, 3) uint8 RGB, possibly reduced; size: before that."""

    pixels: np.ndarray
    size: tuple[int, int]  # width, height

    def thumbnail(self):
        """Return the pixels with the longer side at most 300, for figures."""
        return _reduce(self.pixels, THUMBNAIL_SIDE)


class Prepared(NamedTuple):
    """crops: (N, 28, 28) uint8. boxes: [[x, y, width, height]] in pixels of the full picture. rows: N row numbers."""

    crops: np.ndarray
    boxes: list
    rows: list


def prepare(picture):
    """Return what is written in the Picture, as Prepared; with no crops where it holds no ink."""
    ink = find_ink(picture.pixels)
    masks, rows = find_digits(ink)
    if not masks:
        return Prepared(np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8), [], [])
    scale = np.array(picture.size) / picture.pixels.shape[1::-1]  # across and down; they differ in very thin pictures
    boxes = []
    for mask in masks:
        x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
        boxes.append([round(side) for side in (x * scale[0], y * scale[1], width * scale[0], height * scale[1])])
    return Prepared(np.stack([digit_crop(ink * mask) for mask in masks]), boxes, rows)


# ---- file -> pixels -------------------------------------------------------------------------------------------


def open_picture(source):
    """Return the Picture in a file, a file object or a Pillow image.

    Turned as its EXIF data says, transparency laid on the paper that its ink needs, any depth and colour model brought
    to 8-bit RGB, reduced to at most 800 pixels a side. Raises UserError where there is no picture to be read.
    """
    try:
        if not isinstance(source, Image.Image) and not hasattr(source, "read") and not Path(os.fsdecode(source)).is_file():
            mode = os.stat(source).st_mode  # raises what is amiss; a pipe or a device would never end
            raise UserError("it is a folder, not a picture" if stat.S_ISDIR(mode) else "it is not an ordinary file")
        image = source if isinstance(source, Image.Image) else Image.open(source, formats=FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise UserError(f"it has {width} x {height} pixels; at most {MAX_PIXELS // 10**6} million are read")
        image.draft("RGB", (2 * WORKING_SIDE, 2 * WORKING_SIDE))  # a large JPEG decodes reduced; others ignore it
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
        if str(source).lower().endswith((".heic", ".heif")):
            raise UserError("HEIC photographs can't be read yet; save it as JPEG") from error
        raise UserError(f"it is not a picture that can be read ({error or type(error).__name__})") from error
    return Picture(pixels, (width, height) if upright.size == image.size else (height, width))


def _upright(image):
    """Return a Pillow image turned as its EXIF data says. Damaged EXIF data says nothing, the pixels are still good."""
    try:
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
    return np.asarray(image.convert("RGB"))


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


# ---- pixels -> ink --------------------------------------------------------------------------------------------


def find_ink(pixels):
    """Return the ink's strength, (height, width) uint8: 0 paper, 255 fully inked, in between at a stroke's edge.

    The paper is what most of the picture is. Its brightness is fitted without any filter that would have to be wider
    than a stroke, and ink is what differs from it on one side, so dark and light ink are the same.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    difference = grey - paper_brightness(grey)
    noise = max(1.4826 * float(np.median(np.abs(difference))), 0.5)
    outside = np.where(np.abs(difference) > 4 * noise, difference, 0)
    if np.sum(outside**3) < 0:  # the third power: few strong pixels count for more than many weak ones
        difference = -difference
    strength = np.maximum(difference, 0)

    strong = strength[strength > max(FAINTEST_INK, NOISE_FACTOR * noise)]
    if strong.size == 0:
        return np.zeros(grey.shape, np.uint8)
    # Of several things that differ from the paper, such as a grey patch under the writing, ink is the strongest.
    contrast = np.median(strong[strong > 0.5 * np.percentile(strong, 99)])
    paper_level = np.clip(2.5 * noise, 0.15 * contrast, 0.3 * contrast)
    return (np.clip((strength - paper_level) / (0.9 * contrast - paper_level), 0, 1) * 255).astype(np.uint8)


def paper_brightness(grey):
    """Return the paper's brightness under the ink, (height, width) float32, in grey levels.

    A quadratic surface is fitted by iteratively reweighted least squares (Tukey's biweight, Beaton and Tukey 1974):
    whatever is far from it, ink or desk, loses its say. What light remains, such as a shadow's edge, is a Gaussian
    average over the pixels that count as paper.
    """
    height, width = grey.shape
    reduction = min(1.0, FIT_SIDE / max(height, width))
    size = (max(1, round(width * reduction)), max(1, round(height * reduction)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = small.ravel()
    surface = np.full_like(values, np.median(values))
    for _ in range(8):
        difference = values - surface
        reach = max(4.7 * 1.4826 * np.median(np.abs(difference)), 12.0)
        weights = np.clip(1 - (difference / reach) ** 2, 0, None) ** 2
        root = np.sqrt(weights)[:, None]
        surface = terms @ np.linalg.lstsq(terms * root, values * root[:, 0], rcond=None)[0]

    surface = surface.reshape(small.shape).astype(np.float32)
    rest = small - surface
    paper = (np.abs(rest) < max(3 * 1.4826 * float(np.median(np.abs(rest))), 8.0)).astype(np.float32)
    sigma = max(size) / 10
    share = cv2.GaussianBlur(paper, (0, 0), sigma)
    surface += cv2.GaussianBlur(rest * paper, (0, 0), sigma) / np.maximum(share, 0.05)
    return cv2.resize(surface, (width, height), interpolation=cv2.INTER_CUBIC)


# ---- ink -> digits --------------------------------------------------------------------------------------------


def find_digits(ink):
    """Return (masks, rows): one (height, width) bool mask a digit, in reading order, and the row of each from 0.

    ink: (height, width) uint8. Connected pieces of ink are digits or parts of one: a low piece joins the nearest tall
    one, tall ones that stand above each other are one broken digit.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > 80).astype(np.uint8), connectivity=8)
    boxes = stats[:, :4].astype(int)
    largest = sorted(range(1, count), key=lambda label: -max(boxes[label, 2:]))[:MOST_PIECES]
    pieces = _without_frame_and_specks([(label, *boxes[label]) for label in sorted(largest)], ink.shape)
    if not pieces:
        return [], []

    tallest = max(height for *_, height in pieces)
    widest = max(max(width, height) for *_, width, height in pieces)
    tall = [piece for piece in pieces if max(piece[4], piece[3] * 0.5) >= SMALL_PIECE * min(tallest, widest)]
    tall = tall or [max(pieces, key=lambda piece: max(piece[3:]))]
    digits = _join_stacked([[piece] for piece in sorted(tall, key=lambda piece: piece[1])])
    for piece in pieces:
        if piece not in tall:
            gaps = [min(_gap(piece, member) for member in digit) for digit in digits]
            nearest = int(np.argmin(gaps))
            if gaps[nearest] <= ATTACHED * tallest:
                digits[nearest].append(piece)

    masks, rows = [], []
    for row, members in enumerate(_rows(digits)):
        for digit in members:
            # The mask is grown a little, so that the soft edge of the strokes is kept.
            mask = np.isin(labels, [piece[0] for piece in digit]).astype(np.uint8)
            masks.append(cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(bool))
            rows.append(row)
    return masks, rows


def _without_frame_and_specks(pieces, shape):
    """Return the pieces (label, x, y, width, height) that can be strokes: no printed frame, desk's edge or speck."""
    height, width = shape

    def encloses_another(piece):
        _, x, y, w, h = piece
        return w * h > 0.4 * width * height and any(
            x < other[1] and y < other[2] and x + w > other[1] + other[3] and y + h > other[2] + other[4]
            and max(other[3:]) > 0.25 * max(w, h)
            for other in pieces
        )  # fmt: skip

    def touches_border(piece):
        _, x, y, w, h = piece
        return x == 0 or y == 0 or x + w == width or y + h == height

    pieces = [piece for piece in pieces if not encloses_another(piece)]
    inner = [piece for piece in pieces if not touches_border(piece)]
    if inner:
        largest = max(max(piece[3:]) for piece in inner)
        # Where a good-sized piece lies free, what runs into the border is the neighbourhood's.
        if largest >= 0.2 * min(width, height):
            pieces = inner
    longest = max((max(piece[3:]) for piece in pieces), default=0)
    return [piece for piece in pieces if max(piece[3:]) >= max(SPECK * longest, 3)]


def _join_stacked(digits):
    """Return the digits, lists of pieces from left to right, with those joined that overlap in width and height."""
    joined = []
    for digit in digits:
        x, y, width, height = digit[0][1:]
        for other in joined:
            left, top, right, bottom = _bounds(other)
            across = min(right, x + width) - max(left, x)
            apart = max(top, y) - min(bottom, y + height)
            if across >= 0.6 * min(width, right - left) and apart < 0.1 * height:
                other.extend(digit)
                break
        else:
            joined.append(digit)
    return joined


def _rows(digits):
    """Return the digits in rows, top to bottom, each from left to right. A row may slope: it is a chain of
    neighbours, each of which overlaps the one before it in height."""
    rows = []
    for digit in sorted(digits, key=lambda digit: _bounds(digit)[0]):
        _, top, _, bottom = _bounds(digit)
        overlaps = []
        for row in rows:
            _, row_top, _, row_bottom = _bounds(row[-1])
            overlap = min(bottom, row_bottom) - max(top, row_top)
            overlaps.append(overlap / min(bottom - top, row_bottom - row_top))
        if overlaps and max(overlaps) > 0.3:
            rows[int(np.argmax(overlaps))].append(digit)
        else:
            rows.append([digit])
    return sorted(rows, key=lambda row: np.mean([_bounds(digit)[1::2] for digit in row]))


def _bounds(digit):
    """Return left, top, right, bottom of a list of pieces."""
    return (
        min(x for _, x, _, _, _ in digit),
        min(y for _, _, y, _, _ in digit),
        max(x + width for _, x, _, width, _ in digit),
        max(y + height for _, _, y, _, height in digit),
    )


def _gap(piece, other):
    """Return the distance between the boxes of two pieces, in pixels, the larger of across and down."""
    across = max(piece[1] - other[1] - other[3], other[1] - piece[1] - piece[3], 0)
    down = max(piece[2] - other[2] - other[4], other[2] - piece[2] - piece[4], 0)
    return max(across, down)


# ---- one digit's ink -> MNIST's form --------------------------------------------------------------------------


def digit_crop(ink):
    """Return the digit as MNIST would show it, (28, 28) uint8.

    ink: (height, width) uint8, all zero but for one digit. A stroke that would vanish when it is shrunk is widened
    first, and the strongest pixel becomes white, as it is in MNIST.
    """
    x, y, width, height = cv2.boundingRect((ink > 80).astype(np.uint8))
    thickness = _stroke_width(ink[y : y + height, x : x + width])
    missing = THINNEST_STROKE * max(width, height) / DIGIT_SIZE - thickness
    if missing > 0:
        margin = int(np.ceil(missing / 2)) + 1
        ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, [2 * round(missing / 2) + 1] * 2)
        ink = cv2.dilate(ink, kernel)
    x, y, width, height = cv2.boundingRect((ink > 40).astype(np.uint8))
    box = fit_into_box(ink[y : y + height, x : x + width]).astype(np.float32)
    return place_by_mass((box * (255 / max(box.max(), 1))).astype(np.uint8))


def _stroke_width(ink):
    """Return the mean width of the strokes in pixels: twice the distance from their middle lines to the paper."""
    inside = cv2.copyMakeBorder((ink > 127).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    middle = (distance > 0) & (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)))
    return 2 * float(distance[middle].mean()) - 1 if middle.any() else 1.0
