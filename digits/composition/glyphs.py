"""MNIST's digits as glyphs that can be written again: in any size, with any slant and pen."""

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from digits.augmentation import augment, letterforms
from digits.common.config import IMAGE_SIZE, NUM_CLASSES

SKELETON_SUPERSAMPLING = 2  # a skeleton is found at this many times MNIST's resolution: at MNIST's own, strokes become stairs
STROKE_EDGE_LEVEL = 96  # grey levels: about half ink, where MNIST's anti-aliased strokes have their edge
FRAME_WIDTH = 4  # pixels of MNIST around a glyph: room for a pen that is wider than its own
MAX_STROKE_DISTANCE = 14.0  # pixels of MNIST: half of its frame; no pen reaches farther from its skeleton
MIN_PEN_WIDTH = 1.2  # pixels; a thinner stroke fades between pixels
MIN_GLYPH_ROWS = 4  # pixels of MNIST; what is lower is no digit
# The numbers within the functions belong to the family of pages: see digits/composition/__init__.py.
GLYPHS_KEPT = 3000  # 300 of each digit: 70 MB
VARIATION_SCALE, WARP_SCALE = 0.8, 0.7  # factors on the probabilities of augmentation, a little milder than in a training


@dataclass(frozen=True)
class Glyph:
    """A digit that can be written again.

    label: 0 to 9. grey: (36, 36) uint8, white on black, as it was drawn. distance: (72, 72) float32,
    each pixel's distance from the stroke's skeleton, in pixels of MNIST. box: (left, top, right, bottom) of its ink in grey.
    """

    label: int
    grey: np.ndarray
    distance: np.ndarray
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Handwriting:
    """How one person writes one number with one pen.

    slant: pixels to the right per pixel up. aspect: factor on each digit's own width. pen: width of the stroke in heights of
    the digit, or 0 for the stroke as it was drawn. edge: pixels over which the stroke's edge fades. weight: -1 to 1, the strokes
    as drawn made thinner or thicker. turn: radians, standard deviation from digit to digit.
    """

    slant: float
    aspect: float
    pen: float
    edge: float
    weight: float
    turn: float


def write(glyph: Glyph, height: float, handwriting: Handwriting, rng: np.random.Generator) -> np.ndarray | None:
    """Return the glyph's ink, cut out at its bounding box, (h, w) uint8, 0 to 255; None where hardly anything of it is left.

    height: of the ink in pixels, about. With a pen, the stroke is drawn anew around the glyph's skeleton.
    """
    left, top, right, bottom = glyph.box
    pen = max(handwriting.pen * height, MIN_PEN_WIDTH) if handwriting.pen else 0.0
    own = bottom - top
    scale = max(height - pen, height * 0.5) / max(own - 2.5, 4) if pen else height / max(own, 4)  # a skeleton is lower by a pen
    aspect = handwriting.aspect * math.exp(rng.normal(0, 0.06))
    angle, slant = rng.normal(0, handwriting.turn), handwriting.slant + rng.normal(0, 0.04)
    cosine, sine = math.cos(angle), math.sin(angle)
    a, b = scale * aspect, -scale * slant
    matrix = np.array([[cosine * a, cosine * b - sine * scale], [sine * a, sine * b + cosine * scale]])
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    reach = pen / 2 + 2
    half = np.abs(matrix) @ np.array([(right - left) / 2, own / 2]) + reach
    width, rows = int(2 * half[0]) + 2, int(2 * half[1]) + 2
    shift = np.array([width / 2, rows / 2]) - matrix @ centre
    ink: np.ndarray
    if pen:
        to_page = np.hstack([matrix / SKELETON_SUPERSAMPLING, (shift + matrix @ np.full(2, -0.25))[:, None]])
        distance = cv2.warpAffine(glyph.distance, to_page, (width, rows), flags=cv2.INTER_LINEAR, borderValue=MAX_STROKE_DISTANCE)
        ink = (pen / 2 - distance * (scale * math.sqrt(aspect))) / handwriting.edge + 0.5
        ink = np.clip(ink * 255, 0, 255).astype(np.uint8)
    else:
        to_page = np.hstack([matrix, shift[:, None]])
        ink = cv2.warpAffine(glyph.grey, to_page, (width, rows), flags=cv2.INTER_CUBIC)
        low = 70 - 60 * handwriting.weight
        ink = np.clip((ink.astype(np.float32) - low * 0.5) * (255 / (255 - low)), 0, 255).astype(np.uint8)
    inked_rows, inked_columns = np.flatnonzero(ink.max(1) > STROKE_EDGE_LEVEL), np.flatnonzero(ink.max(0) > STROKE_EDGE_LEVEL)
    if len(inked_rows) < 3 or len(inked_columns) < 1:
        return None
    return ink[inked_rows[0] : inked_rows[-1] + 1, inked_columns[0] : inked_columns[-1] + 1]


def thin(shapes: np.ndarray) -> np.ndarray:
    """Return the skeletons of (N, h, w) bool shapes whose frame is empty: strokes one pixel wide (Zhang and Suen 1984)."""
    shapes = shapes.copy()
    for _ in range(max(shapes.shape[1:])):
        changed = False
        for step in (0, 1):
            p2, p3, p4, p5, p6, p7, p8, p9 = _neighbours(shapes)
            ring = [p2, p3, p4, p5, p6, p7, p8, p9, p2]
            count = np.zeros(p2.shape, np.uint8)
            rises = np.zeros(p2.shape, np.uint8)
            for before, after in itertools.pairwise(ring):
                count += after
                rises += ~before & after
            if step == 0:
                open_side = ~(p2 & p4 & p6) & ~(p4 & p6 & p8)
            else:
                open_side = ~(p2 & p4 & p8) & ~(p2 & p6 & p8)
            inner = shapes[:, 1:-1, 1:-1]
            removed = inner & (count >= 2) & (count <= 6) & (rises == 1) & open_side
            if removed.any():
                inner &= ~removed
                changed = True
        if not changed:
            break
    return shapes


def make_glyphs(images: np.ndarray, labels: np.ndarray) -> list[Glyph]:
    """Return the Glyphs of images, (N, 28, 28) uint8, white on black, with labels (N,), without those that hold no ink."""
    side = IMAGE_SIZE + 2 * FRAME_WIDTH
    framed = np.zeros((len(images), side, side), np.uint8)
    framed[:, FRAME_WIDTH:-FRAME_WIDTH, FRAME_WIDTH:-FRAME_WIDTH] = images
    size = (side * SKELETON_SUPERSAMPLING, side * SKELETON_SUPERSAMPLING)
    fine = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) for image in framed])
    skeletons = thin(fine > STROKE_EDGE_LEVEL)
    made = []
    for label, grey, skeleton in zip(labels, framed, skeletons, strict=True):
        rows, columns = np.flatnonzero(grey.max(1) > STROKE_EDGE_LEVEL), np.flatnonzero(grey.max(0) > STROKE_EDGE_LEVEL)
        if len(rows) < MIN_GLYPH_ROWS or len(columns) < 1 or not skeleton.any():
            continue
        distance = cv2.distanceTransform((~skeleton).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) / SKELETON_SUPERSAMPLING
        distance = np.minimum(cv2.GaussianBlur(distance, (0, 0), 0.8), MAX_STROKE_DISTANCE)  # rounds the stairs of the skeleton
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        made.append(Glyph(int(label), grey, distance, box))
    return made


class GlyphPool:
    """Glyphs to draw from: varied handwriting, renewed a few at a time, because finding a skeleton takes long.

    images: (N, 28, 28) uint8, white on black, some of every digit. labels: (N,) integers, 0 to 9. size: number of glyphs.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, size: int = GLYPHS_KEPT) -> None:
        self._images, self._labels, self._rng = images, labels, rng
        self._by_digit: list[list[Glyph]] = [[] for _ in range(NUM_CLASSES)]
        self._per_digit = size // NUM_CLASSES
        self._oldest = np.zeros(NUM_CLASSES, int)
        while min(len(glyphs) for glyphs in self._by_digit) < self._per_digit:
            self.renew(500)

    def renew(self, count: int) -> None:
        """Replace the oldest glyphs by this many new variants of random images."""
        indices = self._rng.integers(0, len(self._images), count)
        images, labels = self._images[indices], self._labels[indices]
        images = letterforms.vary(images, labels, self._rng, VARIATION_SCALE)
        images = augment.warp(images, self._rng, WARP_SCALE)
        images = augment.change_stroke_width(images, self._rng.uniform(-1, 1, count))
        for glyph in make_glyphs(images, labels):
            glyphs = self._by_digit[glyph.label]
            if len(glyphs) < self._per_digit:
                glyphs.append(glyph)
            else:
                glyphs[self._oldest[glyph.label] % self._per_digit] = glyph
                self._oldest[glyph.label] += 1

    def draw(self, label: int, rng: np.random.Generator) -> Glyph:
        """Return a random glyph of the digit."""
        glyphs = self._by_digit[label]
        return glyphs[rng.integers(len(glyphs))]


def _neighbours(shapes: np.ndarray) -> list[np.ndarray]:
    """Return each inner pixel's eight neighbours, clockwise from the north, each (N, h - 2, w - 2) bool."""
    h, w = shapes.shape[1:]
    steps = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    return [shapes[:, 1 + y : h - 1 + y, 1 + x : w - 1 + x] for y, x in steps]
