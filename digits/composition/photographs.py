"""Photographs and scans of composed pages: paper, light, camera."""

import math
from collections.abc import Callable

import cv2
import numpy as np

from digits.composition import papers
from digits.composition.chance import log_uniform
from digits.composition.pages import Borders, Page
from digits.composition.papers import PaperPool

# The family of pages: see digits/composition/__init__.py. Levels are grey levels, 0 to 255, or fractions of the ink's contrast,
# which is how much darker it is than the paper: how strong a pattern or a line is against the writing matters.
# ---- paper and ink ----
CONTRAST = (22, 200)  # grey levels, logarithm drawn evenly: from faint pencil to black ink
MIN_PAPER_LEVEL, MAX_PAPER_LEVEL = 90, 250
PATTERN_PROBABILITY, PATTERN_STRENGTH = 0.65, (0.02, 0.3)  # contrasts
SECOND_PATTERN_PROBABILITY, SECOND_PATTERN_STRENGTH = 0.25, (0.02, 0.2)  # of papers with a pattern
LINE_STRENGTH = ((0.1, 0.6), (0.4, 1.15))  # contrasts of printed lines: faint and strong ones, equally often
LIGHT_LINES_PROBABILITY, LIGHT_LINES_SCALE = 0.08, 0.5  # that lines are lighter than the paper, and factor on their strength
OPAQUE_PROBABILITY = 0.5  # that ink covers the paper; else it darkens it
GRAIN_PROBABILITY, GRAIN_SIZE = 0.3, (1, 3)  # that a pencil or dry pen leaves out the paper's grain; pixels
GRAIN_STRENGTH, GRAIN_THRESHOLD = (0.1, 0.5), 0.3  # fraction of ink lost per standard deviation of the grain; standard deviations
PALE_PROBABILITY, PALE_SIZE = 0.2, 20  # that ink is paler in places; pixels
PALE_MEAN, PALE_STD, MIN_PALE = 0.8, 0.3, 0.35  # fraction of the ink that is left there

# ---- light, in grey levels ----
FULL_LIGHT_CONTRAST = 70  # grey levels: on ink with less contrast, light is weaker in proportion
GRADIENT_X, GRADIENT_Y = (-35, 35), (-25, 25)  # from the middle to the border
CLOUD_SIZE, CLOUD_STRENGTH = 50, (3, 18)  # pixels; standard deviation
EDGE_POSITION = (0.1, 0.9)  # fraction of the width and the height at which a shadow or fold lies
EDGE_SOFTNESS = (0.5, 15)  # pixels
SHADOW_PROBABILITY, SHADOW_DEPTH = 0.7, (10, 70)  # else a fold
FOLD_STRENGTH, FOLD_WIDTH = (-40, 40), 0.5  # its width in softnesses
STRIP_PROBABILITY, STRIP_WIDTH, STRIP_STRENGTH = 0.05, (1, 14), (-120, 30)  # at each border; pixels

# ---- camera ----
BLUR_PROBABILITY, CAMERA_BLUR_STD = 0.55, (0.4, 1.4)  # pixels
LOW_RESOLUTION_PROBABILITY, CAMERA_SCALE = 0.12, (0.45, 0.9)  # factor on the side, before it is enlarged again
ENLARGED_BY = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
NOISE_STD, NOISE_STD_PROBABILITIES = (0.5, 2, 5, 10), (0.35, 0.35, 0.22, 0.08)  # grey levels, one of these
FULL_NOISE_CONTRAST = 60  # grey levels: on ink with less contrast, noise is weaker in proportion
JPEG_PROBABILITY, JPEG_QUALITY = 0.25, (25, 90)


def scan(page: Page, borders: Borders) -> np.ndarray:
    """Return a part of the page as MNIST shows digits, without paper or noise, but dark on light: (h, w) uint8.

    borders: in pixels of the page.
    """
    covered = np.maximum(_layer(page.ink, borders), _layer(page.printed_lines, borders))
    return 255 - (covered * 255).astype(np.uint8)


def photograph(page: Page, borders: Borders, pool: PaperPool, rng: np.random.Generator) -> np.ndarray:
    """Return a random photograph of a part of the page, (h, w) uint8, dark on light.

    borders: in pixels of the page.
    """
    ink, printed_lines = _layer(page.ink, borders), _layer(page.printed_lines, borders)
    contrast = log_uniform(rng, *CONTRAST)
    level = rng.uniform(max(MIN_PAPER_LEVEL, contrast), MAX_PAPER_LEVEL)
    paper = _paper(level, contrast, ink.shape, pool, rng)
    ink = _uneven(ink, rng)
    image = paper - printed_lines * contrast * _line_strength(rng)
    if rng.random() < OPAQUE_PROBABILITY:
        image = image * (1 - ink) + ink * (level - contrast)
    else:
        image = image - ink * contrast
    return _camera(image, contrast, rng)


def _layer(layer: np.ndarray, borders: Borders) -> np.ndarray:
    """Return a part of one layer of a page as float32, 0 to 1."""
    left, right, top, bottom = borders
    return layer[top:bottom, left:right].astype(np.float32) / 255


def _paper(level: float, contrast: float, shape: tuple[int, int], pool: PaperPool, rng: np.random.Generator) -> np.ndarray:
    """Return paper with patterns and light, (h, w) float32. level: of its grey. shape: (h, w)."""
    paper = np.full(shape, level, np.float32)
    if rng.random() < PATTERN_PROBABILITY:
        paper += pool.cut(rng, *shape) * contrast * rng.uniform(*PATTERN_STRENGTH)
        if rng.random() < SECOND_PATTERN_PROBABILITY:
            paper += pool.cut(rng, *shape) * contrast * rng.uniform(*SECOND_PATTERN_STRENGTH)
    paper += _light(rng, *shape) * min(1.0, contrast / FULL_LIGHT_CONTRAST)
    return paper


def _line_strength(rng: np.random.Generator) -> float:
    """Return how much darker printed lines are than the paper, in contrasts; below 0 they are lighter."""
    strength = rng.choice([rng.uniform(*strengths) for strengths in LINE_STRENGTH])
    return -strength * LIGHT_LINES_SCALE if rng.random() < LIGHT_LINES_PROBABILITY else strength


def _light(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Return grey levels to add to an (h, w) paper: uneven light, shadows with an edge, folds, strips at the border, a desk."""
    light = np.zeros((h, w), np.float32)
    for effect, probability in LIGHT_PROBABILITIES.items():
        if rng.random() < probability:
            light += effect(rng, h, w)
    for side in range(4):  # a strip at a border: a shadow, the desk, the cell beside it
        if rng.random() < STRIP_PROBABILITY:
            width = int(rng.integers(*STRIP_WIDTH))
            strip = (light[:width], light[-width:], light[:, :width], light[:, -width:])[side]
            strip += rng.uniform(*STRIP_STRENGTH)
    return light


def gradient(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Light from one side."""
    across = np.linspace(-1, 1, w, dtype=np.float32) * rng.uniform(*GRADIENT_X)
    return across + np.linspace(-1, 1, h, dtype=np.float32)[:, None] * rng.uniform(*GRADIENT_Y)


def clouds(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Uneven light."""
    return papers.smooth(rng, h, w, CLOUD_SIZE) * rng.uniform(*CLOUD_STRENGTH)


def shadow_or_fold(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """A shadow with an edge, or a fold."""
    angle, position = rng.uniform(0, math.pi), rng.uniform(*EDGE_POSITION)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    across = math.cos(angle) * (x - position * w) + math.sin(angle) * (y - position * h)
    softness = rng.uniform(*EDGE_SOFTNESS)
    if rng.random() < SHADOW_PROBABILITY:
        return -rng.uniform(*SHADOW_DEPTH) / (1 + np.exp(np.clip(-across / softness, -30, 30)))
    return rng.uniform(*FOLD_STRENGTH) * np.exp(-((across / (softness * FOLD_WIDTH)) ** 2))


LIGHT_PROBABILITIES: dict[Callable[[np.random.Generator, int, int], np.ndarray], float] = {
    gradient: 0.3,
    clouds: 0.2,
    shadow_or_fold: 0.14,
}


def _uneven(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the ink, (h, w) float32, 0 to 1, with the gaps that a pencil leaves, and paler in places."""
    h, w = ink.shape
    if rng.random() < GRAIN_PROBABILITY:
        grain = papers.smooth(rng, h, w, rng.uniform(*GRAIN_SIZE))
        ink = ink * np.clip(1 + rng.uniform(*GRAIN_STRENGTH) * (grain - GRAIN_THRESHOLD), 0, 1)
    if rng.random() < PALE_PROBABILITY:
        ink = ink * np.clip(PALE_MEAN + PALE_STD * papers.smooth(rng, h, w, PALE_SIZE), MIN_PALE, 1)
    return ink


def _camera(image: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image, (h, w) float32, blurred, enlarged from few pixels, noisy and compressed, each at random: uint8."""
    h, w = image.shape
    if rng.random() < BLUR_PROBABILITY:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*CAMERA_BLUR_STD))
    if rng.random() < LOW_RESOLUTION_PROBABILITY:
        factor = rng.uniform(*CAMERA_SCALE)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (w, h), interpolation=int(rng.choice(ENLARGED_BY)))
    noise_std = rng.choice(NOISE_STD, p=NOISE_STD_PROBABILITIES) * min(1.0, contrast / FULL_NOISE_CONTRAST)
    image = image + rng.standard_normal((h, w), dtype=np.float32) * noise_std
    image = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < JPEG_PROBABILITY:
        _, coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*JPEG_QUALITY))))
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    return image
