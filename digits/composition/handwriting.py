"""How a person writes a line: pen, slant, sizes, gaps.

The tables belong to the family of pages: see digits/composition/__init__.py.
"""

import math
from dataclasses import dataclass

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition import signs
from digits.composition.chance import log_uniform, pick

# Of a person: the pen and how it is held.
MNIST_PEN_PROBABILITY = 0.35  # that strokes stay as wide as they were drawn; else a pen draws them anew
HAND_PEN_WIDTH = (0.035, 0.2)  # heights, logarithm drawn evenly: from a hairline to a felt pen
MARKER_WIDTH = (0.15, 0.3)  # heights
COMMON_SLANT_PROBABILITY, COMMON_SLANT = 0.6, (0.05, 0.1)  # pixels to the right per pixel up: mean, standard deviation; else ...
ANY_SLANT = (-0.15, 0.55)  # ... this range
LOG_ASPECT = (-0.05, 0.2)  # mean and standard deviation of the logarithm of the factor on the width
EDGE_WIDTH = (0.7, 2.0)  # pixels over which a stroke's edge fades
WEIGHT = (-1.0, 1.0)  # see Handwriting
TURN_STD = (0.02, 0.06, 0.1)  # radians, one of these

# Of a line: gaps and sizes.
# Heights between neighbours, with probability: overlapping, touching, apart, far apart.
GAP_PROBABILITIES = {(-0.22, 0.0): 0.32, (-0.03, 0.2): 0.38, (0.1, 0.8): 0.24, (0.8, 2.2): 0.06}
NESTED_PROBABILITY = 0.5
NESTED_OVERLAP_SCALE = 0.6  # on a nested gap below 0, where each row of ink overlaps, not only the boxes
CELLS_PROBABILITY, CELL_WIDTH = 0.22, (0.8, 2.2)  # heights
SLOPE_STD = 0.03  # pixels down per pixel to the right
JITTER = (0.02, 0.05, 0.1)  # heights, one of these

# ---- single digits within the line ----
SMALL_ZEROS_PROBABILITY, SMALL_ZERO_SCALE = 0.25, (0.45, 0.85)  # factor on the height
TALL_ONES_PROBABILITY, TALL_ONE_SCALE = 0.25, (1.05, 1.5)
TALL_FIRST_PROBABILITY, TALL_FIRST_SCALE = 0.12, (1.15, 1.8)  # of the first digit of a number
SLANTED_ONES_PROBABILITY, ONE_SLANT = 0.2, (0.05, 0.4)  # on top of the hand's slant
UNEVEN_SIZE_PROBABILITY, UNEVEN_SIZE_STD, EVEN_SIZE_STD = 0.2, 0.12, 0.04  # of the logarithm of a digit's height
SIZE_STD_PER_JITTER = 0.6  # who leaves the base line varies the size, too
# Fraction of a line's digits in letterforms that MNIST lacks: its probability.
FORM_PROBABILITIES = {0.0: 0.35, 0.3: 0.3, 0.9: 0.35}
FORM_PEN_WIDTH = (0.06, 0.13)  # heights: pen of those letterforms beside digits as MNIST drew them
SAME_FORM_PROBABILITY = 0.8  # that a digit has the same of these letterforms as before in its line
RAISED_STD = 0.5  # jitters: standard deviation of a token's place above or below the base line
LOG_SIZE_MEAN = -0.03  # of the logarithm of a digit's height: a little lower than the line's
TAIL_DIGITS, TAIL_PROBABILITY = (4, 7, 9), 0.15  # that one of these hangs below the base line, as a written tail does
TALL_DESCENT_PROBABILITY = 0.5  # that a digit that is taller than the others does
DESCENT = (0.7, 1.0)  # fraction of such a digit that is above the base line
CELL_OFFSET_STD = (0.05, 0.1, 0.25)  # heights, one of these
MIN_SIGN_PEN, MNIST_SIGN_PEN = 0.05, 0.09  # heights: pen of marks and signs, the second beside digits as MNIST drew them

# ---- lines as MNIST shows digits ----
MNIST_SLANT_STD, MNIST_ASPECT_STD = 0.08, 0.1  # pixels to the right per pixel up; of the logarithm of the factor on the width
MNIST_WEIGHT = (-0.3, 0.3)
MNIST_GAP, MNIST_JITTER = (-0.25, 0.25), 0.05  # heights


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


@dataclass(frozen=True)
class LineLayout:
    """How a line is laid out.

    height: of its digits, in pixels. The rest but the slope is in units of this height. gap: between the boxes of two digits
    or, nested, between their ink where it is nearest; below 0 they overlap. slope: pixels down per pixel to the right. jitter:
    standard deviation of digits from the base line, about. cell: width of a cell, 0 for none.
    """

    height: float
    gap: float
    nested: bool
    slope: float
    jitter: float
    cell: float


@dataclass(frozen=True)
class LineStyle:
    """What the tokens of one line share. font: of OpenCV, None for writing by hand.

    letter_font: of its letters. pen: pixels. zero_scale, one_scale, first_scale: factors on the height of zeros, of ones and of
    the first digit of a number. one_slant: what ones are slanted more than other digits, in pixels per pixel up. size_std: of the
    logarithm of the digits' heights. form_probability: of a digit in a letterform that MNIST lacks. forms: (10,) from 0 to below
    1, which of its forms each digit has, for a person mostly writes a digit in one form. cell_offset: standard deviation of
    digits from the middle of their cells, in heights.
    """

    layout: LineLayout
    handwriting: Handwriting
    font: int | None
    letter_font: int
    pen: float
    zero_scale: float
    one_scale: float
    first_scale: float
    one_slant: float
    size_std: float
    form_probability: float
    forms: np.ndarray
    cell_offset: float


def random_handwriting(rng: np.random.Generator, thick: bool = False) -> Handwriting:
    """Return how a random person writes with a random pen, from a hairline to a marker. thick: a marker."""
    pen = 0.0 if rng.random() < MNIST_PEN_PROBABILITY else log_uniform(rng, *HAND_PEN_WIDTH)
    if thick:
        pen = rng.uniform(*MARKER_WIDTH)
    slant = rng.normal(*COMMON_SLANT) if rng.random() < COMMON_SLANT_PROBABILITY else rng.uniform(*ANY_SLANT)
    aspect = math.exp(rng.normal(*LOG_ASPECT))
    return Handwriting(slant, aspect, pen, rng.uniform(*EDGE_WIDTH), rng.uniform(*WEIGHT), rng.choice(TURN_STD))


def random_layout(rng: np.random.Generator, height: float) -> LineLayout:
    """Return a random layout of a line whose digits have this height, in pixels."""
    gaps = [rng.uniform(*gap_range) for gap_range in GAP_PROBABILITIES]
    gap = rng.choice(gaps, p=list(GAP_PROBABILITIES.values()))
    nested = rng.random() < NESTED_PROBABILITY
    if nested and gap < 0:
        gap *= NESTED_OVERLAP_SCALE
    cell = rng.uniform(*CELL_WIDTH) if rng.random() < CELLS_PROBABILITY else 0.0
    return LineLayout(height, gap, nested, rng.normal(0, SLOPE_STD), rng.choice(JITTER), cell)


def mnist_handwriting(rng: np.random.Generator) -> Handwriting:
    """Return a random handwriting close to MNIST's own, for pages without paper."""
    slant, aspect = rng.normal(0, MNIST_SLANT_STD), math.exp(rng.normal(0, MNIST_ASPECT_STD))
    return Handwriting(slant, aspect, pen=0.0, edge=1.0, weight=rng.uniform(*MNIST_WEIGHT), turn=min(TURN_STD))


def mnist_layout(rng: np.random.Generator, height: float) -> LineLayout:
    """Return a layout with a random gap. height: as in random_layout."""
    return LineLayout(height, rng.uniform(*MNIST_GAP), nested=False, slope=0, jitter=MNIST_JITTER, cell=0)


def random_style(layout: LineLayout, handwriting: Handwriting, font: int | None, rng: np.random.Generator) -> LineStyle:
    """Return what the tokens of a line share, beside its layout and the handwriting at random. font: as in LineStyle."""
    pen = max(handwriting.pen, MIN_SIGN_PEN) if handwriting.pen else MNIST_SIGN_PEN
    return LineStyle(
        layout=layout,
        handwriting=handwriting,
        font=font,
        letter_font=int(rng.choice(signs.FONTS)) if font is None else font,
        pen=pen * layout.height,
        zero_scale=rng.uniform(*SMALL_ZERO_SCALE) if rng.random() < SMALL_ZEROS_PROBABILITY else 1.0,
        one_scale=rng.uniform(*TALL_ONE_SCALE) if rng.random() < TALL_ONES_PROBABILITY else 1.0,
        first_scale=rng.uniform(*TALL_FIRST_SCALE) if rng.random() < TALL_FIRST_PROBABILITY else 1.0,
        one_slant=rng.uniform(*ONE_SLANT) if rng.random() < SLANTED_ONES_PROBABILITY else 0.0,
        size_std=(UNEVEN_SIZE_STD if rng.random() < UNEVEN_SIZE_PROBABILITY else EVEN_SIZE_STD)
        + layout.jitter * SIZE_STD_PER_JITTER,
        form_probability=pick(rng, FORM_PROBABILITIES),
        forms=rng.random(NUM_CLASSES),
        cell_offset=rng.choice(CELL_OFFSET_STD),
    )
