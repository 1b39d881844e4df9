"""MNIST's digits as glyphs that can be written again: in any size, with any slant and pen."""

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from digits.augmentation import augment, letterforms
from digits.common.config import IMAGE_SIZE, NUM_CLASSES
from digits.composition.handwriting import Handwriting
from digits.composition.strokes import INK_EDGE_LEVEL, MIN_PEN_WIDTH, ink_box

SKELETON_SUPERSAMPLING = 2  # a skeleton is found at this many times MNIST's resolution: at MNIST's own, strokes become stairs
SKELETON_BLUR_STD = 0.8  # pixels at that resolution: rounds the stairs that are left
FRAME_WIDTH = 4  # pixels of MNIST around a glyph: room for a pen that is wider than its own
MAX_STROKE_DISTANCE = 14.0  # pixels of MNIST: half of its frame; no pen reaches farther from its skeleton
MNIST_PEN_WIDTH = 2.5  # pixels of MNIST, about: by this much a skeleton is lower than its digit
MIN_GLYPH_ROWS = 4  # pixels of MNIST; what is lower is no digit
MIN_INK_ROWS = 3  # pixels of a page; what is lower is hardly there
# A pen follows a skeleton only where this still draws the digit: thinning makes a filled 6 a "(". MAX_STROKE_RATIO: the widest
# part of the stroke, in median widths; with more, a loop is filled. MIN_OVERLAP: of the digit and the best that a pen makes of
# its skeleton, intersection over union. Set by hand on 495 of MNIST's digits, of which 23 % are below or broken.
MAX_STROKE_RATIO, MIN_OVERLAP = 1.6, 0.77
PEN_WIDTHS = np.arange(1, 6, 0.5)  # pixels of MNIST, that are tried

# ---- variation: the family of pages, see digits/composition/__init__.py ----
GLYPHS_KEPT = 3000  # 300 of each digit: 70 MB
FIRST_RENEWAL = 500  # glyphs that are made at a time until there are enough
VARIATION_SCALE, WARP_SCALE = 0.8, 0.7  # factors on the probabilities of augmentation, a little milder than in a training
GLYPH_ASPECT_STD = 0.06  # of the logarithm of the width, from digit to digit
GLYPH_SLANT_STD = 0.04  # pixels to the right per pixel up, from digit to digit
BLACK_LEVEL = 70  # grey levels of MNIST: twice the level that becomes paper where Handwriting.weight is 0
BLACK_LEVEL_REACH = 60  # grey levels by which a weight of 1 lowers BLACK_LEVEL and a weight of -1 raises it


@dataclass(frozen=True)
class Glyph:
    """A digit that can be written again.

    label: 0 to 9. grey: (36, 36) uint8, white on black, as it was drawn. distance: (72, 72) float32,
    each pixel's distance from the stroke's skeleton, in pixels of MNIST. traceable: whether a pen that follows the skeleton draws
    the digit. box: (left, top, right, bottom) of its ink in grey.
    """

    label: int
    grey: np.ndarray
    distance: np.ndarray
    traceable: bool
    box: tuple[int, int, int, int]


def write(glyph: Glyph, height: float, handwriting: Handwriting, rng: np.random.Generator) -> np.ndarray | None:
    """Return the glyph's ink, cut out at its bounding box, (h, w) uint8, 0 to 255; None where hardly anything of it is left.

    height: of the ink in pixels, about. With a pen, the stroke is drawn anew around the glyph's skeleton, if it is traceable.
    """
    left, top, right, bottom = glyph.box
    own_height = bottom - top
    pen = max(handwriting.pen * height, MIN_PEN_WIDTH) if handwriting.pen and glyph.traceable else 0.0
    if pen:
        scale = max(height - pen, height / 2) / max(own_height - MNIST_PEN_WIDTH, MIN_GLYPH_ROWS)
    else:
        scale = height / max(own_height, MIN_GLYPH_ROWS)
    aspect = handwriting.aspect * math.exp(rng.normal(0, GLYPH_ASPECT_STD))
    matrix = _affine_map(scale, aspect, rng.normal(0, handwriting.turn), handwriting.slant + rng.normal(0, GLYPH_SLANT_STD))
    half = np.abs(matrix) @ np.array([(right - left) / 2, own_height / 2]) + (pen / 2 + 2)
    size = int(2 * half[0]) + 2, int(2 * half[1]) + 2
    shift = np.array(size) / 2 - matrix @ np.array([(left + right) / 2, (top + bottom) / 2])
    if pen:
        ink = _drawn_anew(glyph, matrix, shift, size, pen, scale * math.sqrt(aspect), handwriting.edge)
    else:
        ink = _as_drawn(glyph, matrix, shift, size, handwriting.weight)
    box = ink_box(ink, INK_EDGE_LEVEL, MIN_INK_ROWS)
    if box is None:
        return None
    left, top, right, bottom = box
    return ink[top:bottom, left:right]


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
    skeletons = thin(fine > INK_EDGE_LEVEL)
    made = []
    for label, grey, shape, skeleton in zip(labels, framed, fine > INK_EDGE_LEVEL, skeletons, strict=True):
        box = ink_box(grey, INK_EDGE_LEVEL, MIN_GLYPH_ROWS)
        if box is None or not skeleton.any():
            continue
        distance = cv2.distanceTransform((~skeleton).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) / SKELETON_SUPERSAMPLING
        distance = np.minimum(cv2.GaussianBlur(distance, (0, 0), SKELETON_BLUR_STD), MAX_STROKE_DISTANCE)
        made.append(Glyph(int(label), grey, distance, _is_traceable(shape, skeleton, distance), box))
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
            self.renew(FIRST_RENEWAL)

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


def _is_traceable(shape: np.ndarray, skeleton: np.ndarray, distance: np.ndarray) -> bool:
    """Return whether a pen that follows the skeleton draws the shape.

    All (72, 72). shape, skeleton: bool. distance: as in Glyph.
    """
    half_widths = cv2.distanceTransform(shape.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[skeleton]
    if np.percentile(half_widths, 98) >= MAX_STROKE_RATIO * np.median(half_widths):
        return False
    drawn = distance <= PEN_WIDTHS[:, None, None] / 2
    overlaps = np.sum(drawn & shape, axis=(1, 2)) / np.sum(drawn | shape, axis=(1, 2))
    return bool(overlaps.max() >= MIN_OVERLAP)


def _affine_map(scale: float, aspect: float, angle: float, slant: float) -> np.ndarray:
    """Return the (2, 2) matrix that scales, widens, slants and then turns a glyph. angle: in radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    a, b = scale * aspect, -scale * slant
    return np.array([[cosine * a, cosine * b - sine * scale], [sine * a, sine * b + cosine * scale]])


def _drawn_anew(
    glyph: Glyph, matrix: np.ndarray, shift: np.ndarray, size: tuple[int, int], pen: float, scale: float, edge: float
) -> np.ndarray:
    """Return the ink that a pen leaves along the glyph's skeleton, (h, w) uint8.

    matrix, shift: from pixels of MNIST to pixels of the ink. size: (w, h). pen, edge: in pixels. scale: pixels per pixel of
    MNIST.
    """
    middle = np.full(2, 0.5 / SKELETON_SUPERSAMPLING - 0.5)  # of the first small pixel, from that of the first large one
    to_ink = np.hstack([matrix / SKELETON_SUPERSAMPLING, (shift + matrix @ middle)[:, None]])
    distance = cv2.warpAffine(glyph.distance, to_ink, size, flags=cv2.INTER_LINEAR, borderValue=MAX_STROKE_DISTANCE)
    covered = (pen / 2 - distance * scale) / edge + 0.5
    return np.clip(covered * 255, 0, 255).astype(np.uint8)


def _as_drawn(glyph: Glyph, matrix: np.ndarray, shift: np.ndarray, size: tuple[int, int], weight: float) -> np.ndarray:
    """Return the glyph's own ink, its strokes thinner or thicker by the weight, (h, w) uint8. The rest as in _drawn_anew."""
    ink = cv2.warpAffine(glyph.grey, np.hstack([matrix, shift[:, None]]), size, flags=cv2.INTER_CUBIC)
    black = BLACK_LEVEL - BLACK_LEVEL_REACH * weight
    return np.clip((ink.astype(np.float32) - black / 2) * (255 / (255 - black)), 0, 255).astype(np.uint8)


def _neighbours(shapes: np.ndarray) -> list[np.ndarray]:
    """Return each inner pixel's eight neighbours, clockwise from the north, each (N, h - 2, w - 2) bool."""
    h, w = shapes.shape[1:]
    steps = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    return [shapes[:, 1 + y : h - 1 + y, 1 + x : w - 1 + x] for y, x in steps]
