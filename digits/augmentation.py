"""The handwriting that MNIST lacks, made from the handwriting it has.

Pictures are in the project's one form: (N, 28, 28) uint8, 0 to 255, white ink on black. A picture's variant depends on the
numpy Generator alone: the same state gives the same variants. No function changes the arrays that it is given.
"""

import cv2
import numpy as np

from digits import letterforms
from digits.config import IMAGE_SIZE
from digits.disturbances import disturb, smooth_fields

# All chosen. What all of it together gives stands in benchmarks/results/ingredients.json; benchmarks/ingredients.py can also
# train without the strong maps, the elastic bending and the change of strokes alone, which is not measured yet.
ROTATION = 10.0  # degrees, either way
SHEAR = 0.15  # pixels across per pixel down, either way: slanted hands
SCALE = 0.12  # logarithm of the factor, either way, width and height apart: 0.89 to 1.13
SHIFT = 1.5  # pixels, either way
STRONG_SHARE = 0.2  # of the pictures, whose affine maps reach ...
STRONG = 2.8  # ... so many times as far
ELASTIC = 0.7  # pixels, standard deviation of the displacement; the method is that of Simard et al. 2003
THICKER = 0.5  # largest share of the dilated picture in the blend
THINNER = 0.3  # largest share of the eroded picture in the blend


def augment(images, labels, rng, probability_scale=1.0):
    """Return a new random variant of each picture: written otherwise, warped, with another pen, disturbed.

    images: (N, 28, 28) uint8. labels: (N,) integers: 0 to 9, or another number for what is no digit and is not rewritten.
    rng: numpy Generator. probability_scale: 0 to 1, multiplies the probabilities that a picture is rewritten, warped
    strongly or disturbed. Returns (N, 28, 28) uint8.
    """
    images = letterforms.vary(images, labels, rng, probability_scale)
    images = warp(images, rng, probability_scale)
    images = change_stroke_width(images, rng.uniform(-1.0, 1.0, len(images)))
    return disturb(images, rng, probability_scale)


def warp(images, rng, probability_scale=1.0):
    """Return each picture turned, slanted, scaled, moved and bent at random, some strongly: (N, 28, 28) uint8.

    images, rng, probability_scale: as in augment.
    """
    map_x, map_y = random_coordinates(len(images), rng, probability_scale)
    warped = np.empty_like(images)
    for i in range(len(images)):
        # Cubic, because bilinear interpolation would blur every training picture and no test picture.
        warped[i] = cv2.remap(images[i], map_x[i], map_y[i], cv2.INTER_CUBIC)
    return warped


def random_coordinates(count, rng, probability_scale=1.0):
    """Return where each pixel of a variant comes from: x and y, each (count, 28, 28) float32, in pixels.

    For each picture one affine map (rotation, shear, scale, shift) and a smooth elastic displacement on top of it. They may
    lie outside of the picture. count: 0 or more. rng, probability_scale: as in augment.
    """
    strength = np.where(rng.random(count) < probability_scale * STRONG_SHARE, STRONG, 1.0)
    angle = np.deg2rad(strength * rng.uniform(-ROTATION, ROTATION, count))
    shear = strength * rng.uniform(-SHEAR, SHEAR, count)
    scale_x, scale_y = np.exp(strength * rng.uniform(-SCALE, SCALE, (2, count)))
    shift_x, shift_y = strength * rng.uniform(-SHIFT, SHIFT, (2, count))

    centre = (IMAGE_SIZE - 1) / 2
    y, x = (np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE] - centre).astype(np.float32)
    cosine, sine = _per_picture(np.cos(angle)), _per_picture(np.sin(angle))
    rotated_x = cosine * x + sine * y
    rotated_y = cosine * y - sine * x
    map_x = (rotated_x + _per_picture(shear) * rotated_y) * _per_picture(scale_x) + _per_picture(shift_x)
    map_y = rotated_y * _per_picture(scale_y) + _per_picture(shift_y)
    displacement_x, displacement_y = ELASTIC * smooth_fields((2, count), rng)
    return map_x + displacement_x + centre, map_y + displacement_y + centre


def change_stroke_width(images, change):
    """Return the pictures with thicker (change > 0) or thinner (change < 0) strokes: (N, 28, 28) uint8.

    images: (N, 28, 28) uint8. change: (N,) float, -1 to 1: the share of the largest change, either way. A blend with the
    dilated or the eroded picture moves a stroke's edge by a fraction of a pixel, as another pen would.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    result = np.empty_like(images)
    for i in range(len(images)):
        if change[i] > 0:
            other, share = cv2.dilate(images[i], cross), THICKER * change[i]
        else:
            other, share = cv2.erode(images[i], cross), THINNER * -change[i]
        result[i] = cv2.addWeighted(images[i], 1 - share, other, share, 0)
    return result


def _per_picture(values):
    """Return (N,) values as (N, 1, 1), to be combined with (N, 28, 28) or (28, 28) arrays."""
    return values.astype(np.float32)[:, None, None]
