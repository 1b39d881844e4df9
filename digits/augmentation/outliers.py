"""Outliers: images without a digit, on which the network learns to answer with low confidence.

Outlier exposure (Hendrycks, Mazeika and Dietterich 2019): a network that is trained to give all ten digits the same
probability on some out-of-distribution images does so on others, too. Everything here is drawn by code or composed from
MNIST's training images. No letter that looks like a digit is among them (not O, I, l, S, Z, B, G, q, ...).
"""

from collections.abc import Callable

import cv2
import numpy as np

from digits.common.config import DIGIT_SIZE, IMAGE_SIZE, NUM_CLASSES
from digits.data.mnist_format import centre_by_mass, size_normalise

OUTLIER_LABEL = NUM_CLASSES  # one past the digits

# These values, the few numbers within the functions, and OUTLIER_PROBABILITIES were set by hand and measured as a whole:
# benchmarks/results/not_digits.json has what the network makes of other outliers; benchmarks/ingredients.py can also train
# without outliers.
CANVAS_SIZE = 4 * DIGIT_SIZE  # pixels; strokes are drawn at this size, then reduced as MNIST's digits were
STROKE_WIDTH = (4, 13)  # whole pixels on the canvas, the last excluded: 1 to 3 in the 20x20 box
POINT_JITTER_STD = 0.06  # in heights of the character, across and down
SLANT_STD = 0.25  # pixels to the right per pixel up
DIGITS_TO_ROTATE_90 = (2, 3, 4, 5, 7)  # that are no digits when they lie on their side; 0, 1, 6, 8 and 9 may be others
DIGITS_TO_ROTATE_180 = (3, 4, 7)  # those of them that are no digits upside down
MAX_ATTEMPTS = 1000  # random images to find a digit to rotate: where one in 100 is such a digit, all but 1 in 20,000 calls do

# The weights of the four surrounding points at 8 steps from one point of a smooth curve to the next (Catmull and Rom 1974).
_T = np.linspace(0, 1, 8, endpoint=False)
CATMULL_ROM = np.array([-_T + 2 * _T**2 - _T**3, 2 - 5 * _T**2 + 3 * _T**3, _T + 4 * _T**2 - 3 * _T**3, _T**3 - _T**2]) / 2

# Letters, signs and shapes as pen strokes: points "x,y" in percent of the height, y downwards; " / " separates strokes. A stroke
# with "~" is a smooth curve through its points, the others are straight from point to point.
LETTERS_AND_SIGNS = """
A 0,100 35,0 70,100 / 14,62 56,62
A 5,100 5,40 / ~5,40 12,8 35,0 58,8 65,40 / 65,40 65,100 / 5,58 65,58
C ~62,15 40,0 12,18 0,50 12,84 40,100 64,84
E 60,0 0,0 0,100 62,100 / 0,48 50,48
E ~58,12 34,0 10,18 34,46 / ~34,46 4,66 12,92 40,100 62,86
F 0,100 0,0 60,0 / 0,46 46,46
H 0,0 0,100 / 62,0 62,100 / 0,50 62,50
K 0,0 0,100 / 60,0 0,55 62,100
M 0,100 6,0 42,70 78,0 86,100
M 0,100 0,0 40,50 80,0 80,100
N 0,100 0,0 62,100 62,0
P 0,100 0,0 / ~0,0 40,0 58,24 40,50 0,52
R 0,100 0,0 / ~0,0 42,0 58,24 42,48 0,50 / 20,50 60,100
T 0,0 76,0 / 38,0 38,100
U ~0,0 2,62 14,94 32,100 50,94 62,62 64,0
V 0,0 34,100 68,0
W 0,0 22,100 44,30 66,100 88,0
X 0,0 64,100 / 64,0 0,100
f ~56,10 40,0 26,16 26,100 / 4,44 52,44
k 0,0 0,100 / 46,40 0,74 50,100
m 0,40 0,100 / ~0,58 18,42 34,54 36,100 / ~36,58 54,42 70,54 72,100
n 0,40 0,100 / ~0,60 24,40 48,54 50,100
r 0,40 0,100 / ~0,62 16,44 42,42
t 26,10 26,84 / ~26,84 34,100 56,92 / 2,38 54,38
u ~0,40 2,84 24,100 46,80 / 48,40 48,100
w 0,40 18,100 36,54 54,100 72,40
x 0,40 52,100 / 52,40 0,100
square 0,0 90,0 90,90 0,90 0,0
triangle 45,0 95,90 0,90 45,0
star 50,0 80,98 0,36 100,36 20,98 50,0
arrow 0,40 100,40 / 66,8 100,40 66,72
arrow 50,100 50,0 / 18,34 50,0 82,34
plus 40,0 40,80 / 0,40 80,40
hash 25,0 20,90 / 65,0 60,90 / 0,28 90,28 / 0,62 90,62
check 0,55 32,95 92,0
heart ~50,95 10,50 4,18 26,2 50,24 / ~50,24 74,2 96,18 90,50 50,95
equals 0,30 80,30 / 0,62 80,62
question ~4,22 24,2 54,8 58,34 34,50 30,68 / 30,92 31,97
percent 60,0 4,100 / ~16,6 4,18 16,30 28,18 16,6 / ~52,70 40,82 52,94 64,82 52,70
ampersand ~70,98 16,34 22,6 42,6 44,26 8,62 10,92 34,98 66,60
at ~56,60 40,30 26,56 44,70 60,36 / ~60,36 66,74 92,60 88,20 50,0 10,16 0,56 20,96 74,98
house 0,100 0,45 45,0 90,45 90,100 0,100 / 34,100 34,62 56,62 56,100
face ~50,0 85,15 100,50 85,85 50,100 15,85 0,50 15,15 50,0 / 32,34 33,40 / 68,34 67,40 / ~28,66 50,80 72,66
zigzag 0,100 12,0 24,100 36,0 48,100 60,0 72,100
wave ~0,50 12,10 26,50 40,90 54,50 68,10 82,50 96,90
spiral ~50,50 60,42 62,60 44,66 34,46 52,26 78,40 76,76 44,88 14,66 18,22 54,4
kana ~10,20 80,14 / ~44,0 40,60 60,96 / ~78,36 60,84 18,92 10,66 48,48 88,66 80,98
cross-bars 10,20 90,20 / 50,0 50,100 / 0,58 100,58 / 50,58 8,100 / 50,58 92,100
gate 8,0 8,100 / 8,10 88,10 88,100 / 8,48 88,48
roof 0,30 50,0 100,30 / 20,44 80,44 / 50,44 50,100 / 14,72 86,72
""".strip().splitlines()


def _parse(line: str) -> list[tuple[np.ndarray, bool]]:
    """Return the strokes of one line of LETTERS_AND_SIGNS: [(points (n, 2) float in heights, whether the stroke is smooth)]."""
    strokes = []
    for stroke in line.split(maxsplit=1)[1].split("/"):
        smooth = "~" in stroke
        points = [point.split(",") for point in stroke.replace("~", "").split()]
        strokes.append((np.array(points, float) / 100, smooth))
    return strokes


PEN_STROKES = [_parse(line) for line in LETTERS_AND_SIGNS]


def draw(count: int, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return count outliers, (count, 28, 28) uint8, white on black.

    count: 0 or more. images: (N, 28, 28) uint8 and labels: (N,) integers, N at least 1: digits, some of which are rotated or
    joined to make outliers. The same state of rng gives the same outliers.
    """
    kinds = list(OUTLIER_PROBABILITIES)
    outliers = np.empty((count, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for i, kind in enumerate(rng.choice(len(kinds), count, p=list(OUTLIER_PROBABILITIES.values()))):
        outliers[i] = kinds[kind](images, labels, rng)
    return outliers


# ---- the kinds: each takes images, labels and rng as draw does, and returns one image, (28, 28) uint8 ---------------


def letter_or_sign(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one of LETTERS_AND_SIGNS, its points jittered as in handwriting."""
    strokes = PEN_STROKES[rng.integers(len(PEN_STROKES))]
    width = rng.uniform(0.75, 1.3)
    slant = rng.normal(0, SLANT_STD)
    drawn = []
    for points, smooth in strokes:
        points = points + rng.normal(0, POINT_JITTER_STD, points.shape)
        points = points * (width, 1) + np.outer(0.5 - points[:, 1], (slant, 0))
        drawn.append(_smooth(points) if smooth else points)
    return _written(drawn, rng)


def scribble(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one to three long random strokes, smooth or angular."""
    strokes = []
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(0, 1, (rng.integers(4, 12), 2))
        strokes.append(_smooth(points) if rng.random() < 0.6 else points)
    return _written(strokes, rng)


def invented_character(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an invented character: three to six short strokes, horizontal, vertical, diagonal or bent."""
    strokes = []
    for _ in range(rng.integers(3, 7)):
        start, angle, length = rng.uniform(0, 1, 2), rng.integers(8) * np.pi / 4, rng.uniform(0.3, 1)
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        middle = (start + end) / 2 + rng.normal(0, 0.15, 2) * (rng.random() < 0.5)
        strokes.append(_smooth(np.stack([start, middle, end])))
    return _written(strokes, rng)


def rotated_digit(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a digit rotated by 90, 180 or 270 degrees; a scribble where the data holds hardly any digit to rotate."""
    for _ in range(MAX_ATTEMPTS):
        i = rng.integers(len(images))
        if labels[i] in DIGITS_TO_ROTATE_90:
            quarter_turns = 2 if labels[i] in DIGITS_TO_ROTATE_180 and rng.random() < 0.3 else rng.choice((1, 3))
            return np.rot90(images[i], quarter_turns)
    return scribble(images, labels, rng)


def two_digits(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return two digits side by side in one frame, as where touching digits were not split."""
    left, right = (_trimmed(image) for image in images[rng.integers(len(images), size=2)])
    height = max(len(left), len(right))
    overlap = min(rng.integers(-2, 4), left.shape[1] // 2, right.shape[1] // 2)
    pair = np.zeros((height, left.shape[1] + right.shape[1] - overlap), np.uint8)
    for digit, first in ((left, 0), (right, left.shape[1] - overlap)):
        top = rng.integers(height - len(digit) + 1)
        place = pair[top : top + len(digit), first : first + digit.shape[1]]
        np.maximum(place, digit, out=place)
    return centre_by_mass(size_normalise(pair)) if pair.any() else np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)


def blob(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a filled polygon."""
    count = rng.integers(3, 9)
    angle = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = rng.uniform(4, 14, (count, 1))
    corners = reach * np.stack([np.cos(angle), np.sin(angle)], axis=1) + IMAGE_SIZE / 2
    image = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    return cv2.fillPoly(image, [np.round(corners).astype(np.int32)], int(rng.integers(120, 256)), cv2.LINE_AA)


def texture(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return coarse or fine noise, over all of the image or in its middle; in one case of four a black image."""
    side = rng.integers(2, IMAGE_SIZE + 1)
    levels = rng.random((side, side), np.float32) ** rng.uniform(0.5, 6)
    interpolation = int(rng.choice((cv2.INTER_NEAREST, cv2.INTER_CUBIC)))
    enlarged = cv2.resize(levels, (IMAGE_SIZE, IMAGE_SIZE), interpolation=interpolation)
    image = np.clip(enlarged * rng.choice((0, 120, 255, 400)), 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        framed = np.zeros_like(image)
        framed[4:24, 4:24] = image[4:24, 4:24]
        return framed
    return image


# The probability of each kind; their sum is 1. The dictionary stands here because it names the functions above.
OUTLIER_PROBABILITIES: dict[Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray], float] = {
    letter_or_sign: 0.38,
    invented_character: 0.14,
    scribble: 0.10,
    rotated_digit: 0.13,
    two_digits: 0.15,
    blob: 0.03,
    texture: 0.07,
}


# ---- strokes ----------------------------------------------------------------------------------------------------------


def _smooth(points: np.ndarray) -> np.ndarray:
    """Return a smooth curve through the points (n, 2), n at least 2: a Catmull-Rom spline, (8 n - 7, 2) float."""
    before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    around = np.lib.stride_tricks.sliding_window_view(np.vstack([before, points, after]), 4, axis=0)
    return np.vstack([(around @ CATMULL_ROM).swapaxes(1, 2).reshape(-1, 2), points[-1:]])


def _written(strokes: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return an image, (28, 28) uint8, of strokes drawn with a pen of random width, in MNIST's format.

    strokes: [(n, 2) float], x and y in any unit, because they are scaled to the canvas.
    """
    points = np.concatenate(strokes)
    low, scale = points.min(axis=0), CANVAS_SIZE / max(np.ptp(points, axis=0).max(), 1e-6)
    width = int(rng.integers(*STROKE_WIDTH))
    canvas = np.zeros((CANVAS_SIZE + 2 * width, CANVAS_SIZE + 2 * width), np.uint8)
    for stroke in strokes:
        path = np.round((stroke - low) * scale + width).astype(np.int32)
        cv2.polylines(canvas, [path], False, 255, width)
    return centre_by_mass(size_normalise(_trimmed(canvas)))


def _trimmed(image: np.ndarray) -> np.ndarray:
    """Return the image cropped to its ink, (height, width) uint8; of size 0 where it has no ink."""
    x, y, width, height = cv2.boundingRect(image)
    return image[y : y + height, x : x + width]
