"""Pixels -> how strongly each one is inked, whatever the paper, the light and the colours."""

import cv2
import numpy as np

FIT_SIDE = 64  # pixels; the paper's light is fitted on a reduction to this
FAINTEST_INK = 10.0  # grey levels between ink and paper below which there is no ink. chosen
NOISE_FACTOR = 5.0  # ink stands out by so many standard deviations of the paper's grain. chosen


def find_ink(pixels):
    """Return the ink's strength, (height, width) uint8: 0 paper, 255 fully inked, in between at a stroke's edge.

    The paper is what most of the picture is. Its brightness is fitted without any filter that would have to be wider
    than a stroke, and ink is what differs from it on one side, so dark and light ink are the same.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    difference = grey - paper_brightness(grey)
    noise = max(1.4826 * float(np.median(np.abs(difference))), 0.5)
    outside = np.where(np.abs(difference) > 4 * noise, difference, 0)
    if np.sum(outside**3) < 0:  # the third power: few strong pixels count for more than many weak ones
        difference = -difference
    strength = np.maximum(difference, 0)

    strong = strength[strength > max(FAINTEST_INK, NOISE_FACTOR * noise)]
    if strong.size == 0:
        return np.zeros(grey.shape, np.uint8)
    # Of several things that differ from the paper, such as a grey patch under the writing, ink is the strongest.
    contrast = np.median(strong[strong > 0.5 * np.percentile(strong, 99)])
    paper_level = np.clip(2.5 * noise, 0.15 * contrast, 0.3 * contrast)
    return (np.clip((strength - paper_level) / (0.9 * contrast - paper_level), 0, 1) * 255).astype(np.uint8)


def paper_brightness(grey):
    """Return the paper's brightness under the ink, (height, width) float32, in grey levels.

    A quadratic surface is fitted by iteratively reweighted least squares (Tukey's biweight, Beaton and Tukey 1974):
    whatever is far from it, ink or desk, loses its say. What light remains, such as a shadow's edge, is a Gaussian
    average over the pixels that count as paper.
    """
    height, width = grey.shape
    reduction = min(1.0, FIT_SIDE / max(height, width))
    size = (max(1, round(width * reduction)), max(1, round(height * reduction)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = small.ravel()
    surface = np.full_like(values, np.median(values))
    for _ in range(8):
        difference = values - surface
        reach = max(4.7 * 1.4826 * np.median(np.abs(difference)), 12.0)
        weights = np.clip(1 - (difference / reach) ** 2, 0, None) ** 2
        root = np.sqrt(weights)[:, None]
        surface = terms @ np.linalg.lstsq(terms * root, values * root[:, 0], rcond=None)[0]

    surface = surface.reshape(small.shape).astype(np.float32)
    rest = small - surface
    paper = (np.abs(rest) < max(3 * 1.4826 * float(np.median(np.abs(rest))), 8.0)).astype(np.float32)
    sigma = max(size) / 10
    share = cv2.GaussianBlur(paper, (0, 0), sigma)
    surface += cv2.GaussianBlur(rest * paper, (0, 0), sigma) / np.maximum(share, 0.05)
    return cv2.resize(surface, (width, height), interpolation=cv2.INTER_CUBIC)
