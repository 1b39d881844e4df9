"""Letterforms that are rare in MNIST: sevens with a bar, ones with a hook and a base, closed fours, nines with a long tail.

MNIST was written by Americans (LeCun et al. 1998); much of the world writes these four digits in another way. An added stroke
gets the width and the slant of the strokes that the image has.
"""

import math
import statistics

import cv2
import numpy as np
import numpy.typing as npt

from digits.common.config import IMAGE_SIZE

# These values, and the few numbers within the functions, were set by hand to look like people's own digits, and measured as a
# whole: the row "no augmentation" in benchmarks/results/ingredients.json; benchmarks/ingredients.py can also train without
# letterforms alone. Pairs are ranges, from which each image draws its own value. "Stem" is the upright stroke of a digit.
CHANGED_FRACTION = 0.5  # of the ones, fours, sevens and nines
ROW_INK_LEVEL = 80  # grey levels: a row with a pixel above this belongs to the digit
STROKE_SUPERSAMPLING = 8  # strokes are drawn this many times larger, then reduced: 64 samples a pixel for anti-aliasing
PEN_WIDTH = (0.8, 1.1)  # width of an added stroke, in stem widths
MAX_STEM_WIDTH = 5.0  # pixels; a wider one is no single stroke
MAX_PLAIN_ROW = 2.0  # stem widths; a stem with a wider row has a bar, a hook or a base already
MAX_STEM_SLANT = 0.7  # pixels to the right per row down; a one that is more slanted is not changed
BAR_POSITION = (0.38, 0.62)  # in heights of the seven, from its top
BAR_REACH = (2.5, 5.5)  # pixels to either side of the stem
BAR_SLOPE = (-0.45, 0.15)  # pixels down per pixel to the right, on an upright stem: most people draw it level or rising
BAR_TILT = 0.3  # on a slanted stem, fraction of the tilt that would bring the bar to a right angle with it
HOOK_LENGTH = (0.2, 0.6)  # in heights of the one
HOOK_ANGLE = (25.0, 55.0)  # degrees between stem and hook; at 90 it would be a seven
BASE_PROBABILITY = 0.35  # that a one with a hook gets a base
BASE_REACH = (0.15, 0.4)  # in heights of the one, to either side
TOP_WIDTH = (0.15, 1.3)  # in widths of the four's own top: far below 1 its two uprights meet and close it
RIGHT_UPRIGHT = 0.8  # fraction of the ink in a four's upper half that lies to the left of its right upright
TAIL_LENGTH = (3.0, 8.0)  # pixels by which a nine's tail is extended to the left
TAIL_RISE = (0.0, 5.0)  # pixels by which it rises there


def vary(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, probability_scale: float = 1.0) -> np.ndarray:
    """Return the images, (N, 28, 28) uint8, half of the ones, fours, sevens and nines with the other letterform.

    images: (N, 28, 28) uint8, white on black. labels: (N,) integers. probability_scale: 0 to 1, multiplies CHANGED_FRACTION.
    """
    varied = images.copy()
    for digit, rewrite in {1: add_hook, 4: narrow_or_widen_top, 7: add_bar, 9: extend_tail}.items():
        for i in np.flatnonzero((labels == digit) & (rng.random(len(labels)) < probability_scale * CHANGED_FRACTION)):
            if images[i].any():
                varied[i] = rewrite(images[i], rng)
    return varied


def add_bar(seven: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the seven, (28, 28) uint8, with a bar through its stem; unchanged where no plain stem is found."""
    top, bottom = _rows(seven)
    y = top + rng.uniform(*BAR_POSITION) * (bottom - top)
    x, slant, width = _stem(seven, y, reach=3)
    if width == 0:
        return seven
    left, right = rng.uniform(*BAR_REACH, 2)
    slope = rng.uniform(*BAR_SLOPE) - BAR_TILT * slant
    return _draw(seven, [(x - left, y - left * slope), (x + right, y + right * slope)], width * rng.uniform(*PEN_WIDTH))


def add_hook(one: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the one, (28, 28) uint8, with a stroke that leads up to its top, and sometimes a base line at its foot.

    It is unchanged where no plain stem is found, or a stem that is too slanted.
    """
    top, bottom = _rows(one)
    height = bottom - top
    x, slant, width = _stem(one, (top + bottom) / 2, reach=height / 2)
    if width == 0 or abs(slant) > MAX_STEM_SLANT:
        return one
    stem_top = np.array([x - slant * height / 2, top + width / 2])
    angle = np.arctan2(slant, 1) - np.deg2rad(rng.uniform(*HOOK_ANGLE))
    end = stem_top + rng.uniform(*HOOK_LENGTH) * height * np.array([np.sin(angle), np.cos(angle)])
    hooked = _draw(one, [stem_top, end], width * rng.uniform(*PEN_WIDTH))
    if rng.random() < BASE_PROBABILITY:
        left, right = rng.uniform(*BASE_REACH, 2) * height
        foot, y = x + slant * height / 2, bottom - width / 2
        hooked = _draw(hooked, [(foot - left, y), (foot + right, y + rng.uniform(-1, 1))], width)
    return hooked


def narrow_or_widen_top(four: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the four, (28, 28) uint8, with its uprights closer together at the top, or farther apart.

    MNIST's fours are open, with two uprights; in print and in many people's writing these meet at the top.
    """
    top, bottom = _rows(four)
    y = np.arange(IMAGE_SIZE, dtype=np.float32)[:, None]
    down = np.clip((y - top) / max(0.5 * (bottom - top), 1), 0, 1)  # 0 at the top, 1 from the middle on
    width = rng.uniform(*TOP_WIDTH)
    width = width + (1 - width) * down
    upper = four[: (top + bottom) // 2].sum(axis=0, dtype=np.float32)
    right_upright = np.flatnonzero(np.cumsum(upper) >= RIGHT_UPRIGHT * upper.sum())[0]
    x = np.arange(IMAGE_SIZE, dtype=np.float32)[None, :]
    map_x = right_upright + (x - right_upright) / width
    return cv2.remap(four, map_x.astype(np.float32), np.repeat(y, IMAGE_SIZE, axis=1), cv2.INTER_CUBIC)


def extend_tail(nine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the nine, (28, 28) uint8, with its tail extended to the left and up; unchanged where no plain stem is found."""
    top, bottom = _rows(nine)
    x, slant, width = _stem(nine, bottom - 3, reach=2)
    if width == 0:
        return nine
    start = np.array([x + 2 * slant, bottom - width / 2])
    end = start - (rng.uniform(*TAIL_LENGTH), rng.uniform(*TAIL_RISE))
    bend = np.array([(start[0] + end[0]) / 2 + 1, start[1] + 1.5])
    t = np.linspace(0, 1, 9)[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end  # a quadratic Bézier curve
    return _draw(nine, curve, width * rng.uniform(*PEN_WIDTH))


def _rows(image: np.ndarray) -> tuple[int, int]:
    """Return the first and the last row with ink, (0, 0) where there is none."""
    rows = np.flatnonzero(image.max(axis=1) > ROW_INK_LEVEL)
    return (rows[0], rows[-1]) if len(rows) else (0, 0)


def _stem(image: np.ndarray, y: float, reach: float) -> tuple[float, float, float]:
    """Return the stem's x at row y, its slant (pixels to the right per row down) and its width, in pixels.

    The stem is the straight line through the ink of the rows from y - reach to y + reach. Width 0: there is no plain stem.
    """
    rows = np.arange(max(round(y - reach), 0), min(round(y + reach) + 1, IMAGE_SIZE))
    ink = image[rows] / 255.0
    mass = ink.sum(axis=1)
    rows, ink, mass = rows[mass > 0], ink[mass > 0], mass[mass > 0]
    if len(rows) < 2:
        return 0.0, 0.0, 0.0
    width = statistics.median(mass.tolist())  # for a dozen numbers 20 times faster than NumPy's (measured)
    if mass.max() > MAX_PLAIN_ROW * width or width > MAX_STEM_WIDTH:
        return 0.0, 0.0, 0.0
    centres = ink @ np.arange(IMAGE_SIZE) / mass
    down = rows - rows.mean()
    slant = down @ centres / (down @ down)  # least squares
    x = centres.mean() + slant * (y - rows.mean())
    return x, slant, width / math.hypot(1, slant)


def _draw(image: np.ndarray, points: npt.ArrayLike, width: float) -> np.ndarray:
    """Return the image, (28, 28) uint8, with a white stroke of this width through the points (x, y), both in pixels."""
    path = np.round((np.asarray(points) + 0.5) * STROKE_SUPERSAMPLING).astype(np.int32)
    canvas = np.zeros((IMAGE_SIZE * STROKE_SUPERSAMPLING,) * 2, np.uint8)
    cv2.polylines(canvas, [path], False, 255, max(1, round(width * STROKE_SUPERSAMPLING)))
    return np.maximum(image, cv2.resize(canvas, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA))
