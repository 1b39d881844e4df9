"""Digits drawn by control points, in letterforms that MNIST hardly holds: they are learned beside MNIST's."""

import numpy as np

from digits.common.config import DIGIT_SIZE, IMAGE_SIZE
from digits.composition import forms
from digits.data.mnist_format import centre_by_mass, size_normalise

# Set by hand, so that a person still reads the digit; benchmarks/ingredients.py can also train without drawn digits. Pairs are a
# range, from which each digit draws its own value, or a mean and a standard deviation.
DRAWING_HEIGHT = 3.0 * DIGIT_SIZE  # pixels: drawn larger, because OpenCV's pens have whole pixels
PEN_WIDTH = (0.06, 0.18)  # heights, logarithm drawn evenly
SLANT = (0.12, 0.15)  # pixels to the right per pixel up
LOG_ASPECT = (0.05, 0.15)  # of the logarithm of the factor on the width


def draw(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a drawn digit for each label, (N, 28, 28) uint8, white on black, in MNIST's form.

    labels: (N,) integers, 0 to 9. rng: the digits depend on it alone.
    """
    images = np.empty((len(labels), IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for i, label in enumerate(labels.tolist()):
        images[i] = _draw_one(label, rng)
    return images


def _draw_one(label: int, rng: np.random.Generator) -> np.ndarray:
    """Return a digit of this label in one of its letterforms, (28, 28) uint8."""
    pen = DRAWING_HEIGHT * float(np.exp(rng.uniform(*np.log(PEN_WIDTH))))
    slant, aspect = rng.normal(*SLANT), float(np.exp(rng.normal(*LOG_ASPECT)))
    ink = forms.draw_digit(label, rng.random(), DRAWING_HEIGHT, pen, slant, aspect, rng)
    if ink is None:  # never seen with these pens
        return _draw_one(label, rng)
    return centre_by_mass(size_normalise(ink))
