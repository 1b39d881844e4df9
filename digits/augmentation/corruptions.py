"""Corruptions of training images: outlines, pencil, blur, noise, backgrounds, stray lines, parts of neighbouring digits.

Corruptions that leave a digit readable for a person cost networks much of their accuracy on MNIST (MNIST-C, Mu and Gilmer
2019), and random warps do not prepare a network for them.

A corruption takes images, (N, 28, 28) uint8, white ink on black, and a numpy Generator, and returns new images of the
same shape and type; the given images are not changed.
"""

import itertools
from collections.abc import Callable

import cv2
import numpy as np

from digits.common.config import IMAGE_SIZE
from digits.data.mnist_format import centre_by_mass, size_normalise

# These ranges, and the few numbers within the functions, were set by hand so that a person still reads the digit, and measured
# as a whole: the row "no augmentation" in benchmarks/results/ingredients.json; benchmarks/ingredients.py can also train without
# groups of corruptions. Each image draws its own value from (lowest, highest); of whole pixels the highest is never drawn.
OUTLINE_SUPERSAMPLING = 4  # outlines are found in an image enlarged by this factor
OUTLINE_BOLDNESS = (0, 8)  # whole pixels of the enlarged image, by which each edge is moved outwards before the outline is found
OUTLINE_WIDTH = (3, 7)  # whole pixels of the enlarged image
INK_EDGE = 100  # grey levels, where a stroke's edge is taken to be
FIELD_NODES = 5  # control points along each side of a smooth random field, 6.75 pixels apart
PENCIL_TEXTURE = (0.2, 0.8)  # fraction of the ink that is missing where the paper is roughest
BLUR_STD = (0.5, 1.9)  # pixels, standard deviation of a Gaussian
MOTION_BLUR_REACH = (1, 4)  # whole pixels to either side
LOW_RESOLUTION = (11, 20)  # whole pixels of the side to which an image is reduced before it is enlarged again
PAPER_LEVEL = (15, 170)  # grey levels of a background that is not black
INK_CONTRAST = (70, 240)  # grey levels between the background and the ink
BAND_HALF_WIDTH = (2, 12)  # pixels: half of a negative band's width, or half of the distance between stripes
LINE_WIDTH = (1, 3)  # whole pixels
NEIGHBOUR_DISTANCE = (14, 22)  # whole pixels between the centres of a digit and its neighbour; the frame ends at 14
BLOT_THRESHOLD = (0.7, 1.6)  # standard deviations of a smooth field above which there is a blot
MAX_SCATTER = 2  # whole pixels by which frosted glass moves a pixel, either way
PHOTONS = (1.0, 12.0)  # mean number that is counted in a white pixel
GAUSSIAN_NOISE_STD = (10, 110)  # grey levels
IMPULSE_NOISE_RATE = (0.02, 0.25)  # fraction of the pixels that turn black or white


def corrupt(images: np.ndarray, rng: np.random.Generator, probability_scale: float = 1.0) -> np.ndarray:
    """Return the images, 58 % of them, at probability_scale 1, with one or more random corruptions, (N, 28, 28) uint8.

    images: (N, 28, 28) uint8, white on black. probability_scale: 0 to 1, multiplies CORRUPTION_PROBABILITIES.
    """
    corrupted = images.copy()
    for corruption, probability in CORRUPTION_PROBABILITIES.items():
        selected = np.flatnonzero(rng.random(len(images)) < probability_scale * probability)
        if len(selected):
            corrupted[selected] = corruption(corrupted[selected], rng)
    return corrupted


def outline(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the digits as outlines alone, hollow, as on posters and signs; in MNIST's form again."""
    outlined = images.copy()
    padding = 2 * OUTLINE_BOLDNESS[1]
    for i, image in enumerate(images):
        boldness, width = int(rng.integers(*OUTLINE_BOLDNESS)), int(rng.integers(*OUTLINE_WIDTH))
        large = cv2.resize(image, None, fx=OUTLINE_SUPERSAMPLING, fy=OUTLINE_SUPERSAMPLING, interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(large, *(padding,) * 4, cv2.BORDER_CONSTANT)
        _, shape = cv2.threshold(cv2.dilate(framed, _disc(2 * boldness + 1)), INK_EDGE, 255, cv2.THRESH_BINARY)
        edges = cv2.morphologyEx(shape, cv2.MORPH_GRADIENT, _disc(width))
        x, y, w, h = cv2.boundingRect(edges)
        if w and h:
            outlined[i] = centre_by_mass(size_normalise(edges[y : y + h, x : x + w]))
    return outlined


def pencil(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Show the paper's roughness through the ink, and vary the pressure along the stroke."""
    amount = _uniform(rng, PENCIL_TEXTURE, len(images))
    roughness = rng.random(images.shape, np.float32) ** 2
    pressure = np.clip(0.85 + 0.25 * smooth_fields((len(images),), rng), 0.3, 1)
    return _grey_levels(images * (1 - amount * roughness) * pressure)


def blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur each image by a Gaussian, like a lens out of focus, or along a line, like a moving camera; both equally often."""
    blurred = np.empty_like(images)
    for i, image in enumerate(images):
        if rng.random() < 0.5:
            blurred[i] = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR_STD))
        else:
            reach, angle = rng.integers(*MOTION_BLUR_REACH), rng.uniform(0, np.pi)
            kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
            x, y = round(reach * np.cos(angle)), round(reach * np.sin(angle))
            cv2.line(kernel, (reach - x, reach - y), (reach + x, reach + y), 1.0)
            blurred[i] = cv2.filter2D(image, -1, kernel / kernel.sum())
    return blurred


def low_resolution(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Reduce each image to a low resolution and enlarge it again, as where the original is very small."""
    result = np.empty_like(images)
    for i, image in enumerate(images):
        side = int(rng.integers(*LOW_RESOLUTION))
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        enlargement = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
        result[i] = cv2.resize(small, (IMAGE_SIZE, IMAGE_SIZE), interpolation=enlargement)
    return result


def glass_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take each pixel from a random place nearby, as through frosted glass, and blur the result a little."""
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE]
    reach = rng.integers(1, MAX_SCATTER + 1, (2, len(images), 1, 1))
    down, across = rng.integers(-reach, reach + 1, (2, *images.shape))
    rows, columns = np.clip(y + down, 0, IMAGE_SIZE - 1), np.clip(x + across, 0, IMAGE_SIZE - 1)
    scattered = images[np.arange(len(images))[:, None, None], rows, columns]
    return np.stack([cv2.GaussianBlur(image, (3, 3), 0.6) for image in scattered])


def blots(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add blots of ink, and blots of water, which remove the ink."""
    noise = np.stack([cv2.GaussianBlur(field, (0, 0), 1.3) for field in rng.standard_normal(images.shape, np.float32)])
    noise /= noise.std(axis=(1, 2), keepdims=True)
    threshold = _uniform(rng, BLOT_THRESHOLD, len(images))
    ink, water = (np.clip(2 * (side * noise - threshold), 0, 1) for side in (1, -1))
    return _grey_levels(np.maximum(images * (1 - water), 255 * ink))


def background(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put the digit on a background that is not black: even, shaded or cloudy."""
    count = len(images)
    clouds = smooth_fields((count,), rng) * _uniform(rng, (0, 0.6), count)
    paper = np.clip(_uniform(rng, PAPER_LEVEL, count) * (1 + clouds), 0, 230)
    ink = np.minimum(paper + _uniform(rng, INK_CONTRAST, count), 255)
    return _grey_levels(paper + images / 255 * (ink - paper))


def band_or_stripes(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Invert one band of the image, or lay regular stripes over all of it; each with probability 0.5."""
    count = len(images)
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE] - (IMAGE_SIZE - 1) / 2
    angle = _uniform(rng, (0, np.pi), count)
    across = np.cos(angle) * x + np.sin(angle) * y - _uniform(rng, (-10, 10), count)
    width = _uniform(rng, BAND_HALF_WIDTH, count)
    negative = np.where(np.abs(across) < width, 255 - images, images)
    stripes = np.where(across % (2 * width) < width / 2, _uniform(rng, (40, 255), count), 0)
    return np.where(rng.random((count, 1, 1)) < 0.5, negative, np.maximum(images, stripes)).astype(np.uint8)


def stray_lines(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one to three zigzag lines across the image, solid or dotted, as ruled paper and stray strokes do."""
    lined = images.copy()
    for image in lined:
        strokes = np.zeros_like(image)
        for _ in range(rng.integers(1, 4)):
            corners = rng.uniform(-4, IMAGE_SIZE + 4, (rng.integers(2, 5), 2))
            level, width = int(rng.integers(90, 256)), int(rng.integers(*LINE_WIDTH))
            if rng.random() < 0.3:
                for x, y in np.concatenate([np.linspace(a, b, 9) for a, b in itertools.pairwise(corners)]):
                    cv2.circle(strokes, (round(x), round(y)), width // 2, level, cv2.FILLED)
            else:
                cv2.polylines(strokes, [np.round(corners).astype(np.int32)], False, level, width, cv2.LINE_AA)
        np.maximum(image, strokes, out=image)
    return lined


def neighbours(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a part of another of the images at the left or the right edge of the frame."""
    result = images.copy()
    for image, other in zip(result, images[rng.permutation(len(images))], strict=True):
        distance = rng.integers(*NEIGHBOUR_DISTANCE)
        if rng.random() < 0.5:
            np.maximum(image[:, distance:], other[:, :-distance], out=image[:, distance:])
        else:
            np.maximum(image[:, :-distance], other[:, distance:], out=image[:, :-distance])
    return result


def noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian, shot (Poisson) or impulse (salt and pepper) noise, one of them to each image."""
    count = len(images)
    grain = images + _uniform(rng, GAUSSIAN_NOISE_STD, count) * rng.standard_normal(images.shape, np.float32)
    photons = _uniform(rng, PHOTONS, count)
    shot = rng.poisson(images / 255 * photons) / photons * 255
    hit = rng.random(images.shape, np.float32) < _uniform(rng, IMPULSE_NOISE_RATE, count)
    impulses = np.where(hit, rng.integers(0, 2, images.shape, np.uint8) * 255, images)
    return _grey_levels(np.choose(rng.integers(0, 3, (count, 1, 1)), (grain, shot, impulses)))


# The probability of each corruption, in the order in which they are applied; set by hand, like the ranges above. They are drawn
# independently, so 42 % of the images are not corrupted. The dictionary stands here because it names the functions above.
CORRUPTION_PROBABILITIES: dict[Callable[[np.ndarray, np.random.Generator], np.ndarray], float] = {
    outline: 0.04,
    pencil: 0.08,
    neighbours: 0.08,
    stray_lines: 0.10,
    blots: 0.04,
    background: 0.12,
    band_or_stripes: 0.05,
    low_resolution: 0.05,
    blur: 0.10,
    glass_blur: 0.05,
    noise: 0.12,
}


def smooth_fields(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return random smooth fields, shape + (28, 28) float32, of mean 0 and standard deviation 1 at every pixel.

    Each field is a sum of Gaussians around the nodes of a coarse grid, with weights from a normal distribution.
    """
    nodes = np.linspace(0, IMAGE_SIZE - 1, FIELD_NODES)
    distance = (np.arange(IMAGE_SIZE)[:, None] - nodes) / (nodes[1] - nodes[0])
    blend = np.exp(-2.0 * distance**2)
    blend /= np.linalg.norm(blend, axis=1, keepdims=True)  # keeps the variance at 1 everywhere
    blend = blend.astype(np.float32)
    return blend @ rng.standard_normal((*shape, FIELD_NODES, FIELD_NODES), np.float32) @ blend.T


def _disc(diameter: int) -> np.ndarray:
    """Return the structuring element of a disc, (diameter, diameter) uint8."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))


def _uniform(rng: np.random.Generator, bounds: tuple[float, float], count: int) -> np.ndarray:
    """Return a random number between the bounds for each image, (count, 1, 1) float32."""
    return rng.uniform(*bounds, (count, 1, 1)).astype(np.float32)


def _grey_levels(values: np.ndarray) -> np.ndarray:
    """Return the values, limited to 0 to 255, as uint8."""
    return np.clip(values, 0, 255).astype(np.uint8)
