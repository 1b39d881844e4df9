"""Augmentation of training images: other letterforms, random warps, other stroke widths, corruptions.

Images are (N, 28, 28) uint8, 0 to 255, white ink on black. The variants depend on the given numpy Generator alone: the same
state gives the same variants. No function changes the arrays that it is given.
"""

import cv2
import numpy as np

from digits.augmentation import letterforms
from digits.augmentation.corruptions import corrupt, smooth_fields
from digits.common.config import IMAGE_SIZE

# These values were set by hand, to stay within what a person writes, and measured as a whole: the row "no augmentation" in
# benchmarks/results/ingredients.json. benchmarks/ingredients.py can also train without the strong warps, the elastic distortion
# or the change of the stroke width alone. Each value is drawn evenly from minus to plus its maximum.
MAX_ROTATION = 10.0  # degrees
MAX_SHEAR = 0.15  # pixels to the side per pixel down: slanted handwriting
MAX_LOG_SCALE = 0.12  # natural logarithm of the factor, separate for width and height: 0.89 to 1.13
MAX_SHIFT = 1.5  # pixels
STRONG_PROBABILITY = 0.2  # that an image's affine map is strong: all its values are multiplied by ...
STRONG_FACTOR = 2.8  # ... this
ELASTIC_STD = 0.7  # pixels, standard deviation of the elastic displacement
MAX_DILATION = 0.5  # weight of the dilated image in the blend, 0 to 1
MAX_EROSION = 0.3  # weight of the eroded image in the blend, 0 to 1


def augment(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, probability_scale: float = 1.0) -> np.ndarray:
    """Return a new random variant of each image, (N, 28, 28) uint8: its letterform, shape, stroke width and quality change.

    images: (N, 28, 28) uint8. labels: (N,) integers, 0 to 9, or OUTLIER_LABEL for images whose letterform does not change.
    probability_scale: 0 to 1, multiplies the probabilities of another letterform, a strong warp and each corruption.
    """
    images = letterforms.vary(images, labels, rng, probability_scale)
    images = warp(images, rng, probability_scale)
    images = change_stroke_width(images, rng.uniform(-1.0, 1.0, len(images)))
    return corrupt(images, rng, probability_scale)


def warp(images: np.ndarray, rng: np.random.Generator, probability_scale: float = 1.0) -> np.ndarray:
    """Return each image with a random affine map and elastic distortion, (N, 28, 28) uint8.

    images, rng, probability_scale: as in augment.
    """
    map_x, map_y = random_sampling_grid(len(images), rng, probability_scale)
    warped = np.empty_like(images)
    for i in range(len(images)):
        # Cubic, because bilinear interpolation would blur every training image and no test image.
        warped[i] = cv2.remap(images[i], map_x[i], map_y[i], cv2.INTER_CUBIC)
    return warped


def random_sampling_grid(count: int, rng: np.random.Generator, probability_scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return (x, y), each (count, 28, 28) float32: the pixel coordinates from which each pixel of a warped image is sampled.

    For each image a random affine map (rotation, shear, scale, shift) plus a smooth elastic displacement (Simard, Steinkraus
    and Platt 2003). Coordinates may lie outside of the image. count: 0 or more. rng, probability_scale: as in augment.
    """
    strength = np.where(rng.random(count) < probability_scale * STRONG_PROBABILITY, STRONG_FACTOR, 1.0)
    angle = np.deg2rad(strength * rng.uniform(-MAX_ROTATION, MAX_ROTATION, count))
    shear = strength * rng.uniform(-MAX_SHEAR, MAX_SHEAR, count)
    scale_x, scale_y = np.exp(strength * rng.uniform(-MAX_LOG_SCALE, MAX_LOG_SCALE, (2, count)))
    shift_x, shift_y = strength * rng.uniform(-MAX_SHIFT, MAX_SHIFT, (2, count))

    centre = (IMAGE_SIZE - 1) / 2
    y, x = (np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE] - centre).astype(np.float32)
    cosine, sine = _per_image(np.cos(angle)), _per_image(np.sin(angle))
    rotated_x = cosine * x + sine * y
    rotated_y = cosine * y - sine * x
    map_x = (rotated_x + _per_image(shear) * rotated_y) * _per_image(scale_x) + _per_image(shift_x)
    map_y = rotated_y * _per_image(scale_y) + _per_image(shift_y)
    displacement_x, displacement_y = ELASTIC_STD * smooth_fields((2, count), rng)
    return map_x + displacement_x + centre, map_y + displacement_y + centre


def change_stroke_width(images: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the images with thicker (change > 0) or thinner (change < 0) strokes, (N, 28, 28) uint8.

    images: (N, 28, 28) uint8. change: (N,) float, -1 (MAX_EROSION) to 1 (MAX_DILATION). A blend with the dilated or the
    eroded image moves a stroke's edge by a fraction of a pixel, as another pen would.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    result = np.empty_like(images)
    for i in range(len(images)):
        if change[i] > 0:
            other, weight = cv2.dilate(images[i], cross), MAX_DILATION * change[i]
        else:
            other, weight = cv2.erode(images[i], cross), MAX_EROSION * -change[i]
        result[i] = cv2.addWeighted(images[i], 1 - weight, other, weight, 0)
    return result


def _per_image(values: np.ndarray) -> np.ndarray:
    """Return (N,) values as (N, 1, 1), to be combined with (N, 28, 28) or (28, 28) arrays."""
    return values.astype(np.float32)[:, None, None]
