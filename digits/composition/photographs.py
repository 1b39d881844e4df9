"""Photographs and scans of composed pages: paper, light, camera."""

import math

import cv2
import numpy as np

from digits.composition import papers
from digits.composition.pages import Page
from digits.composition.papers import PaperPool

# The numbers within the functions belong to the family of pages: see digits/composition/__init__.py. Grey levels are 0 to 255.


def scan(page: Page, box: tuple[int, int, int, int]) -> np.ndarray:
    """Return a part of the page as MNIST shows digits, without paper or noise, but dark on light: (h, w) uint8.

    box: (left, right, top, bottom) in pixels of the page.
    """
    covered = np.maximum(_layer(page.ink, box), _layer(page.printed_lines, box))
    return 255 - (covered * 255).astype(np.uint8)


def photograph(page: Page, box: tuple[int, int, int, int], pool: PaperPool, rng: np.random.Generator) -> np.ndarray:
    """Return a random photograph of a part of the page, (h, w) uint8, dark on light.

    box: (left, right, top, bottom) in pixels of the page.
    """
    ink, printed_lines = _layer(page.ink, box), _layer(page.printed_lines, box)
    h, w = ink.shape
    contrast = math.exp(rng.uniform(math.log(22), math.log(200)))
    level = rng.uniform(max(90, contrast), 250)
    paper = np.full((h, w), level, np.float32)
    if rng.random() < 0.65:  # in proportion to the ink's contrast: how strong a pattern is against the writing matters
        paper += pool.cut(rng, h, w) * contrast * rng.uniform(0.02, 0.3)
        if rng.random() < 0.25:
            paper += pool.cut(rng, h, w) * contrast * rng.uniform(0.02, 0.2)
    paper += _light(rng, h, w) * min(1.0, contrast / 70)
    ink = _uneven(ink, rng)
    strength = rng.choice([rng.uniform(0.1, 0.6), rng.uniform(0.4, 1.15)])
    if rng.random() < 0.08:
        strength = -strength * 0.5  # lines lighter than the paper
    image = paper - printed_lines * contrast * strength
    if rng.random() < 0.5:
        image = image * (1 - ink) + ink * (level - contrast)
    else:
        image = image - ink * contrast
    return _camera(image, contrast, rng)


def _layer(layer: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Return a part of one layer of a page as float32, 0 to 1."""
    left, right, top, bottom = box
    return layer[top:bottom, left:right].astype(np.float32) / 255


def _light(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Return grey levels to add to an (h, w) paper: uneven light, shadows with an edge, folds, strips at the border, a desk."""
    light = np.zeros((h, w), np.float32)
    if rng.random() < 0.3:
        light += np.linspace(-1, 1, w, dtype=np.float32) * rng.uniform(-35, 35)
        light += np.linspace(-1, 1, h, dtype=np.float32)[:, None] * rng.uniform(-25, 25)
    if rng.random() < 0.2:
        light += papers.smooth(rng, h, w, 50) * rng.uniform(3, 18)
    if rng.random() < 0.14:  # a shadow with an edge, or a fold
        angle, position = rng.uniform(0, math.pi), rng.uniform(0.1, 0.9)
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        across = math.cos(angle) * (x - position * w) + math.sin(angle) * (y - position * h)
        softness = rng.uniform(0.5, 15)
        if rng.random() < 0.7:
            light -= rng.uniform(10, 70) / (1 + np.exp(np.clip(-across / softness, -30, 30)))
        else:
            light += rng.uniform(-40, 40) * np.exp(-((across / (softness * 0.5)) ** 2))
    for side in range(4):  # a darker or lighter strip at the border: a shadow, the desk, the cell beside it
        if rng.random() < 0.05:
            depth = int(rng.integers(1, 14))
            change = rng.uniform(-120, 30)
            strip = (light[:depth], light[-depth:], light[:, :depth], light[:, -depth:])[side]
            strip += change
    return light


def _uneven(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the ink, (h, w) float32, 0 to 1, with the gaps that a pencil leaves, and paler in places."""
    h, w = ink.shape
    if rng.random() < 0.3:  # pencils and dry pens leave out the paper's grain
        grain = papers.smooth(rng, h, w, rng.uniform(1, 3))
        ink = ink * np.clip(1 + rng.uniform(0.1, 0.5) * (grain - 0.3), 0, 1)
    if rng.random() < 0.2:
        ink = ink * np.clip(0.8 + 0.3 * papers.smooth(rng, h, w, 20), 0.35, 1)
    return ink


def _camera(image: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image, (h, w) float32, blurred, enlarged from few pixels, noisy and compressed, each at random: uint8."""
    h, w = image.shape
    if rng.random() < 0.55:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < 0.12:
        factor = rng.uniform(0.45, 0.9)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        interpolation = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST]))
        image = cv2.resize(small, (w, h), interpolation=interpolation)
    noise_std = rng.choice([0.5, 2, 5, 10], p=[0.35, 0.35, 0.22, 0.08]) * min(1.0, contrast / 60)
    image = image + rng.standard_normal((h, w), dtype=np.float32) * noise_std
    image = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        _, coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))))
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    return image
