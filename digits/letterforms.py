"""Ways to write a digit that MNIST hardly holds: barred sevens, hooked and based ones, closed fours, curled nines.

MNIST was written by Americans (LeCun et al. 1998); much of the world writes these four digits otherwise. A missing stroke
is drawn as the picture's own hand would have drawn it: with the width and the slant of the strokes that are there.
"""

import math
import statistics

import cv2
import numpy as np

from digits.config import IMAGE_SIZE

# All chosen, as are the few numbers within the functions; benchmarks/ingredients.py can train with SHARE 0. Pairs are ranges.
SHARE = 0.5  # of the ones, fours, sevens and nines; the others stay as they are
INKED = 80  # of 255: a row with a pixel above this belongs to the digit
SUPERSAMPLING = 8  # strokes are drawn so many times larger, then reduced: as finely anti-aliased as MNIST's
PEN_WIDTH = (0.8, 1.1)  # times the stem's width: the width of a stroke that is added
WIDEST_STEM = 5.0  # pixels; what is wider is no stem
PLAIN_STEM = 2.0  # times its width; a stem with a row wider than this has a bar, a hook or a base already
STEEPEST_SLANT = 0.7  # pixels to the right per row down; a one that leans farther is left as it is
BAR_PLACE = (0.38, 0.62)  # of a seven's height, from its top
BAR_REACH = (2.5, 5.5)  # pixels to either side of the stem
BAR_SLOPE = (-0.45, 0.15)  # pixels down per pixel to the right, on an upright stem: most hands draw it level or rising
BAR_TILT = 0.3  # on a slanted stem, of the tilt that would bring the bar to a right angle with it
HOOK_LENGTH = (0.2, 0.6)  # of a one's height
HOOK_ANGLE = (25.0, 55.0)  # degrees between stem and hook; at 90 it would be a seven
BASED_SHARE = 0.35  # of the hooked ones
BASE_REACH = (0.15, 0.4)  # of a one's height, to either side
TOP_WIDTH = (0.15, 1.3)  # of a four's own: far below 1 its two uprights lean together and close it
RIGHT_UPRIGHT = 0.8  # share of the ink in a four's upper half, counted from the left, at which its right upright stands
CURL_LENGTH = (3.0, 8.0)  # pixels that a nine's tail reaches to the left
CURL_RISE = (0.0, 5.0)  # pixels that it rises there


def vary(images, labels, rng, probability_scale=1.0):
    """Return the pictures, (N, 28, 28) uint8, with half of the ones, fours, sevens and nines written in the other way.

    images: (N, 28, 28) uint8, white on black. labels: (N,) integers. rng: numpy Generator. probability_scale: 0 to 1,
    multiplies the probability of one half.
    """
    varied = images.copy()
    for digit, rewrite in {1: hook, 4: lean, 7: bar, 9: curl}.items():
        for i in np.flatnonzero((labels == digit) & (rng.random(len(labels)) < probability_scale * SHARE)):
            if images[i].any():
                varied[i] = rewrite(images[i], rng)
    return varied


def bar(seven, rng):
    """Return the seven, (28, 28) uint8, with a bar through its stem; unchanged where no plain stem is found."""
    top, bottom = _rows(seven)
    y = top + rng.uniform(*BAR_PLACE) * (bottom - top)
    x, slant, width = _stem(seven, y, reach=3)
    if width == 0:
        return seven
    left, right = rng.uniform(*BAR_REACH, 2)
    slope = rng.uniform(*BAR_SLOPE) - BAR_TILT * slant
    return _draw(seven, [(x - left, y - left * slope), (x + right, y + right * slope)], width * rng.uniform(*PEN_WIDTH))


def hook(one, rng):
    """Return the one, (28, 28) uint8, with a stroke that leads up to its top, and sometimes a line to stand on.

    It is unchanged where no plain stem is found, or one that leans too far.
    """
    top, bottom = _rows(one)
    height = bottom - top
    x, slant, width = _stem(one, (top + bottom) / 2, reach=height / 2)
    if width == 0 or abs(slant) > STEEPEST_SLANT:
        return one
    stem_top = np.array([x - slant * height / 2, top + width / 2])
    angle = np.arctan2(slant, 1) - np.deg2rad(rng.uniform(*HOOK_ANGLE))
    end = stem_top + rng.uniform(*HOOK_LENGTH) * height * np.array([np.sin(angle), np.cos(angle)])
    hooked = _draw(one, [stem_top, end], width * rng.uniform(*PEN_WIDTH))
    if rng.random() < BASED_SHARE:
        left, right = rng.uniform(*BASE_REACH, 2) * height
        foot, y = x + slant * height / 2, bottom - width / 2
        hooked = _draw(hooked, [(foot - left, y), (foot + right, y + rng.uniform(-1, 1))], width)
    return hooked


def lean(four, rng):
    """Return the four, (28, 28) uint8, with its uprights closer together at the top, or farther apart.

    MNIST's fours are open, with two uprights; in print and in many hands they meet at the top.
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


def curl(nine, rng):
    """Return the nine, (28, 28) uint8, with its tail drawn on to the left and up; unchanged where no plain stem is found."""
    top, bottom = _rows(nine)
    x, slant, width = _stem(nine, bottom - 3, reach=2)
    if width == 0:
        return nine
    start = np.array([x + 2 * slant, bottom - width / 2])
    end = start - (rng.uniform(*CURL_LENGTH), rng.uniform(*CURL_RISE))
    bend = np.array([(start[0] + end[0]) / 2 + 1, start[1] + 1.5])
    t = np.linspace(0, 1, 9)[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end  # a quadratic Bézier curve
    return _draw(nine, curve, width * rng.uniform(*PEN_WIDTH))


def _rows(image):
    """Return the first and the last row that holds ink, (0, 0) where none does."""
    rows = np.flatnonzero(image.max(axis=1) > INKED)
    return (rows[0], rows[-1]) if len(rows) else (0, 0)


def _stem(image, y, reach):
    """Return the stem's x at row y, its slant (pixels to the right per row down) and its width, in pixels.

    The stem is the straight line through the ink of the rows from y - reach to y + reach. Width 0: there is no plain one.
    """
    rows = np.arange(max(round(y - reach), 0), min(round(y + reach) + 1, IMAGE_SIZE))
    ink = image[rows] / 255.0
    mass = ink.sum(axis=1)
    rows, ink, mass = rows[mass > 0], ink[mass > 0], mass[mass > 0]
    if len(rows) < 2:
        return 0.0, 0.0, 0.0
    width = statistics.median(mass.tolist())  # NumPy's takes over twenty times as long for a dozen numbers (measured)
    if mass.max() > PLAIN_STEM * width or width > WIDEST_STEM:
        return 0.0, 0.0, 0.0
    centres = ink @ np.arange(IMAGE_SIZE) / mass
    down = rows - rows.mean()
    slant = down @ centres / (down @ down)  # least squares
    x = centres.mean() + slant * (y - rows.mean())
    return x, slant, width / math.hypot(1, slant)


def _draw(image, points, width):
    """Return the picture, (28, 28) uint8, with a white stroke of this width through the points (x, y), both in pixels."""
    path = np.round((np.asarray(points) + 0.5) * SUPERSAMPLING).astype(np.int32)
    canvas = np.zeros((IMAGE_SIZE * SUPERSAMPLING,) * 2, np.uint8)
    cv2.polylines(canvas, [path], False, 255, max(1, round(width * SUPERSAMPLING)))
    return np.maximum(image, cv2.resize(canvas, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA))
