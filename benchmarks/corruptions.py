"""MNIST's images as bad light, bad lenses and bad paper would show them, one function for each corruption.

In the manner of MNIST-C (Mu and Gilmer, "MNIST-C: A robustness benchmark for computer vision", 2019), written anew. Every
function takes images (N, 28, 28) uint8, white ink on black, and a NumPy Generator, and returns such images. Each has one
strength. It was set so that the 225k-parameter CNN of classic_networks.py reads about 86 % of the training set's last 6,000
images, on which that CNN is only validated.
"""

import itertools
from collections.abc import Callable

import cv2
import numpy as np
import record  # noqa: F401  first: it puts the project on the path

from digits.common.config import IMAGE_SIZE

CENTRE = (IMAGE_SIZE - 1) / 2


# ---- noise --------------------------------------------------------------------------------------------------------


def shot_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Few photons: every pixel is a Poisson count in proportion to its brightness."""
    photons = 1.0  # counted on average in a white pixel
    return _levels(rng.poisson(images / 255 * photons) / photons * 255)


def gaussian_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A warm sensor: normal noise on every pixel."""
    return _levels(images + rng.normal(0, 97, images.shape))


def impulse_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dead and hot pixels: a share of all is black or white."""
    chance = rng.random(images.shape)
    return np.where(chance < 0.09, 0, np.where(chance < 0.18, 255, images)).astype(np.uint8)


# ---- blur ---------------------------------------------------------------------------------------------------------


def gaussian_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, as a Gaussian."""
    return _each(images, lambda image: cv2.GaussianBlur(image, (0, 0), 1.9))


def motion_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A shaking hand: the mean along a line in a random direction."""
    length, middle, reach = 6.5, 13, 7  # pixels

    def blurred(image):
        angle = rng.uniform(0, np.pi)
        half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
        window = slice(middle - reach, middle + reach + 1)
        kernel = _line(middle - half, middle + half, width=1.0)[window, window]
        return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_CONSTANT)

    return _each(images, blurred)


def defocus_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, as a lens does it: the mean over a disc."""
    radius = 3.2  # pixels
    y, x = np.mgrid[-4:5, -4:5]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return _each(images, lambda image: cv2.filter2D(image, -1, disc / disc.sum(), borderType=cv2.BORDER_CONSTANT))


def glass_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Frosted glass: every pixel shows one up to 2.4 pixels away, across and down, then all is slightly blurred."""
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE].astype(np.float32)

    def scattered(image):
        away_x, away_y = rng.uniform(-2.4, 2.4, (2, IMAGE_SIZE, IMAGE_SIZE)).astype(np.float32)
        return cv2.GaussianBlur(cv2.remap(image, x + away_x, y + away_y, cv2.INTER_LINEAR), (0, 0), 0.7)

    return _each(images, scattered)


# ---- light --------------------------------------------------------------------------------------------------------


def fog(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A bright, cloudy veil: smooth noise of several sizes is laid over an image that fades."""
    veil = np.zeros(images.shape, np.float32)
    for nodes in (2, 3, 5, 9, 15):  # ever finer and fainter, as clouds are
        coarse = rng.random((len(images), nodes, nodes)).astype(np.float32)
        veil += np.stack([cv2.resize(field, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_CUBIC) for field in coarse]) / nodes
    low, high = veil.min(axis=(1, 2), keepdims=True), veil.max(axis=(1, 2), keepdims=True)
    veil = (veil - low) / (high - low)
    return _levels(0.3 * images + 175 * veil)


def brightness(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stray light: the background is raised and the contrast lowered."""
    return _levels(0.43 * images + 0.57 * 255)


def stripes(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Printed bars: three bands of the image are inverted."""
    result = images.copy()
    for left, right in ((3, 5), (13, 14), (23, 25)):  # columns
        result[:, :, left:right] = 255 - result[:, :, left:right]
    return result


# ---- geometry -----------------------------------------------------------------------------------------------------


def shear(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slanted hand, slanted further, either way."""
    return _each(images, lambda image: _moved(image, np.array([[1, rng.choice([-1, 1]) * 0.8], [0, 1]])))


def rotation(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned by 24 to 34 degrees, either way."""

    def turned(image):
        angle = np.deg2rad(rng.choice([-1, 1]) * rng.uniform(24, 34))
        return _moved(image, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))

    return _each(images, turned)


def scale(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Too small for its frame: five eighths of the size."""
    return _each(images, lambda image: _moved(image, np.eye(2) * 1.6))


def translation(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moved by three pixels in a random direction."""

    def moved(image):
        angle = rng.uniform(0, 2 * np.pi)
        return _moved(image, np.eye(2), (3 * np.cos(angle), 3 * np.sin(angle)))

    return _each(images, moved)


# ---- paper --------------------------------------------------------------------------------------------------------


def dotted_line(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A dotted line of a form runs across the whole image."""

    def crossed(image):
        (x0, y0), (x1, y1) = (0, rng.uniform(4, 23)), (IMAGE_SIZE - 1, rng.uniform(4, 23))
        ends = (x0, y0, x1, y1) if rng.random() < 0.5 else (y0, x0, y1, x1)
        start, stop = np.array(ends[:2]), np.array(ends[2:])
        dots = [start + (stop - start) * share for share in np.linspace(0, 1, 11)]
        ink = np.max([_line(dot, dot, width=2.6) for dot in dots], axis=0)
        return np.maximum(image, ink * 255)

    return _each(images, crossed)


def zigzag(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Somebody crossed the paper with a stray zigzag of thin lines."""

    def crossed(image):
        corners = 6
        along = np.linspace(0, IMAGE_SIZE - 1, corners)
        middle = rng.uniform(8, 19)
        across = middle + rng.uniform(3, 7, corners) * (-1) ** np.arange(corners)
        points = np.stack([along, across] if rng.random() < 0.5 else [across, along], axis=1)
        ink = np.max([_line(*pair, width=1.0) for pair in itertools.pairwise(points)], axis=0)
        return np.maximum(image, ink * 255)

    return _each(images, crossed)


def spatter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drops of ink and of water: small blots, white and black."""

    def blotted(image):
        noise = cv2.GaussianBlur(rng.standard_normal(image.shape), (0, 0), 1.2)
        noise /= noise.std()
        ink, water = np.clip(2 * (noise - 1.2), 0, 1), np.clip(2 * (-noise - 1.2), 0, 1)
        return np.maximum(image * (1 - water), ink * 255)

    return _each(images, blotted)


CORRUPTIONS = {
    function.__name__.replace("_", " "): function
    for function in (
        shot_noise, gaussian_noise, impulse_noise, gaussian_blur, motion_blur, defocus_blur, glass_blur, fog, brightness,
        stripes, shear, rotation, scale, translation, dotted_line, zigzag, spatter,
    )
}  # fmt: skip


# ---- parts --------------------------------------------------------------------------------------------------------


def _levels(values: np.ndarray) -> np.ndarray:
    """Return values as grey levels, uint8."""
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _each(images: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the function's values of each (28, 28) float32 image, as (N, 28, 28) uint8."""
    return _levels(np.stack([function(image) for image in images.astype(np.float32)]))


def _moved(image: np.ndarray, matrix: np.ndarray, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Return the image with each pixel taken from matrix @ (x, y) + shift, counted from the image's centre."""
    offset = CENTRE - matrix @ [CENTRE, CENTRE] + shift
    warp = np.column_stack([matrix, offset]).astype(np.float32)
    return cv2.warpAffine(image, warp, image.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _line(start: np.ndarray, stop: np.ndarray, width: float) -> np.ndarray:
    """Return how far each pixel is covered by a line with round ends, (28, 28) float64, 0 to 1. start, stop: x, y."""
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE]
    along = np.subtract(stop, start)
    share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(along @ along, 1e-9)
    share = np.clip(share, 0, 1)
    distance = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    return np.clip(width / 2 + 0.5 - distance, 0, 1)
