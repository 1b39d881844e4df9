"""The handwriting that MNIST lacks, made from the handwriting it has.

Every function takes and returns pictures in the project's one form, (N, 28, 28) uint8, white ink on black.
"""

import cv2
import numpy as np

from digits.config import IMAGE_SIZE

ROTATION = 10.0  # degrees either way
SHEAR = 0.15  # horizontal pixels per vertical pixel, either way: slanted hands
SCALE = 0.12  # either way, width and height apart
SHIFT = 2.0  # pixels either way
ELASTIC = 0.7  # pixels, standard deviation of the displacement (Simard et al. 2003)
ELASTIC_NODES = 5  # control points a side of the displacement field
THICKER = 0.5  # largest share of the way to the dilated picture
THINNER = 0.3  # largest share of the way to the eroded picture


def augment(images, rng):
    """Return a new random variant of each picture.

    images: (N, 28, 28) uint8, white on black. rng: numpy Generator; the same state gives the same pictures.
    """
    map_x, map_y = random_coordinates(len(images), rng)
    warped = np.empty_like(images)
    for i in range(len(images)):
        # Cubic, because bilinear interpolation would blur every training picture and no test picture.
        warped[i] = cv2.remap(images[i], map_x[i], map_y[i], cv2.INTER_CUBIC)
    return change_stroke_width(warped, rng.uniform(-1.0, 1.0, len(images)))


def random_coordinates(count, rng):
    """Return where each pixel of a variant comes from: x and y, each (count, 28, 28) float32, in pixels.

    One affine map a picture (rotation, shear, scale, shift) and a smooth elastic displacement on top of it.
    """
    angle = np.deg2rad(rng.uniform(-ROTATION, ROTATION, count))
    shear = rng.uniform(-SHEAR, SHEAR, count)
    scale_x, scale_y = np.exp(rng.uniform(-SCALE, SCALE, (2, count)))
    shift_x, shift_y = rng.uniform(-SHIFT, SHIFT, (2, count))

    centre = (IMAGE_SIZE - 1) / 2
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE] - centre
    cosine, sine = _per_picture(np.cos(angle)), _per_picture(np.sin(angle))
    rotated_x = cosine * x + sine * y
    rotated_y = cosine * y - sine * x
    map_x = (rotated_x + _per_picture(shear) * rotated_y) * _per_picture(scale_x) + _per_picture(shift_x)
    map_y = rotated_y * _per_picture(scale_y) + _per_picture(shift_y)
    displacement_x, displacement_y = ELASTIC * smooth_fields((2, count), rng)
    return (
        (map_x + displacement_x + centre).astype(np.float32),
        (map_y + displacement_y + centre).astype(np.float32),
    )


def smooth_fields(shape, rng):
    """Return random smooth fields, shape + (28, 28) float64, mean 0, standard deviation near 1.

    Each is a normal variable at every node of a coarse grid, blended by normalised Gaussians between them.
    """
    nodes = np.linspace(0, IMAGE_SIZE - 1, ELASTIC_NODES)
    distance = (np.arange(IMAGE_SIZE)[:, None] - nodes) / (nodes[1] - nodes[0])
    blend = np.exp(-2.0 * distance**2)
    blend /= np.linalg.norm(blend, axis=1, keepdims=True)  # keeps the variance at 1 everywhere
    return blend @ rng.standard_normal((*shape, ELASTIC_NODES, ELASTIC_NODES)) @ blend.T


def change_stroke_width(images, change):
    """Return the pictures with thicker (change > 0) or thinner (change < 0) strokes.

    images: (N, 28, 28) uint8. change: (N,) in -1 to 1, the share of the largest change either way. Blending with
    the dilated or eroded picture moves a stroke's edge by a fraction of a pixel, as a different pen does.
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
    return values[:, None, None]
