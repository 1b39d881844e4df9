"""What happens to a digit on its way into a picture: pencils, blur, backgrounds, noise, stray lines, neighbours.

A network that has only seen black backgrounds misreads digits on others: corruptions that leave a digit readable for a
person cost networks much of their accuracy on MNIST (MNIST-C, Mu and Gilmer 2019). Turning and bending don't prepare for that.

A disturbance takes pictures, (N, 28, 28) uint8, white ink on black, and a numpy Generator, and returns new pictures of the
same shape and type; it leaves the given ones as they are.
"""

import cv2
import numpy as np

from digits.config import IMAGE_SIZE

# All chosen, as are the few numbers within the functions; benchmarks/ingredients.py can train without groups of disturbances.
# Pairs are ranges, from which each picture draws a number; of whole pixels the upper end is never drawn.
NODES = 5  # control points a side of a smooth random field
TEXTURE = (0.2, 0.8)  # share of the ink that a pencil leaves out where the paper is roughest
BLUR = (0.5, 1.9)  # pixels, standard deviation
MOTION = (1, 4)  # whole pixels to either side over which a moving hand smears
COARSE_SIDE = (11, 20)  # whole pixels of the side to which a picture is reduced before it is enlarged again
PAPER = (15, 170)  # grey levels of a background that is not black
CONTRAST = (70, 240)  # grey levels between it and the ink
BAND_WIDTH = (2, 12)  # pixels: half of a negative band's width, half of the distance between stripes
LINE_WIDTH = (1, 3)  # whole pixels
NEIGHBOUR_DISTANCE = (14, 22)  # whole pixels between the middles of a digit and its neighbour; the frame ends at 14
BLOTS = (0.7, 1.6)  # standard deviations of a smooth field above which it is a blot
SCATTER = 2  # whole pixels that frosted glass moves each pixel at most, either way
PHOTONS = (1.0, 12.0)  # that are counted where a picture is white
GAUSSIAN_NOISE = (10, 110)  # grey levels, standard deviation
IMPULSE_NOISE = (0.02, 0.25)  # share of the pixels that turn black or white


def disturb(images, rng, probability_scale=1.0):
    """Return the pictures, about half of them disturbed in one way or in several.

    images: (N, 28, 28) uint8, white on black. rng: numpy Generator. probability_scale: 0 to 1, multiplies the probabilities
    in DISTURBANCES. Returns (N, 28, 28) uint8.
    """
    disturbed = images.copy()
    for disturbance, share in DISTURBANCES.items():
        chosen = np.flatnonzero(rng.random(len(images)) < probability_scale * share)
        if len(chosen):
            disturbed[chosen] = disturbance(disturbed[chosen], rng)
    return disturbed


def pencil(images, rng):
    """Let the paper's roughness show through the ink, and the pressure vary along the stroke."""
    amount = _uniform(rng, TEXTURE, len(images))
    roughness = rng.random(images.shape, np.float32) ** 2
    pressure = np.clip(0.85 + 0.25 * smooth_fields((len(images),), rng), 0.3, 1)
    return _grey_levels(images * (1 - amount * roughness) * pressure)


def blur(images, rng):
    """Blur half of the pictures like a lens out of focus, half like a hand that moves."""
    blurred = np.empty_like(images)
    for i, image in enumerate(images):
        if rng.random() < 0.5:
            blurred[i] = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR))
        else:
            reach, angle = rng.integers(*MOTION), rng.uniform(0, np.pi)
            kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
            x, y = round(reach * np.cos(angle)), round(reach * np.sin(angle))
            cv2.line(kernel, (reach - x, reach - y), (reach + x, reach + y), 1.0)
            blurred[i] = cv2.filter2D(image, -1, kernel / kernel.sum())
    return blurred


def coarse(images, rng):
    """Reduce and enlarge again, as where somebody's picture was a miniature."""
    result = np.empty_like(images)
    for i, image in enumerate(images):
        side = rng.integers(*COARSE_SIDE)
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        enlargement = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
        result[i] = cv2.resize(small, (IMAGE_SIZE, IMAGE_SIZE), interpolation=enlargement)
    return result


def scatter(images, rng):
    """Show each pixel from a random place nearby, as through frosted glass, and soften that a little."""
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE]
    reach = rng.integers(1, SCATTER + 1, (2, len(images), 1, 1))
    down, across = rng.integers(-reach, reach + 1, (2, *images.shape))
    rows, columns = np.clip(y + down, 0, IMAGE_SIZE - 1), np.clip(x + across, 0, IMAGE_SIZE - 1)
    scattered = images[np.arange(len(images))[:, None, None], rows, columns]
    return np.stack([cv2.GaussianBlur(image, (3, 3), 0.6) for image in scattered])


def blots(images, rng):
    """Splash drops of ink and of water, which takes the ink away."""
    noise = np.stack([cv2.GaussianBlur(field, (0, 0), 1.3) for field in rng.standard_normal(images.shape, np.float32)])
    noise /= noise.std(axis=(1, 2), keepdims=True)
    threshold = _uniform(rng, BLOTS, len(images))
    ink, water = (np.clip(2 * (sign * noise - threshold), 0, 1) for sign in (1, -1))
    return _grey_levels(np.maximum(images * (1 - water), 255 * ink))


def background(images, rng):
    """Put the digit on paper that is not black: even, shaded or cloudy."""
    count = len(images)
    clouds = smooth_fields((count,), rng) * _uniform(rng, (0, 0.6), count)
    paper = np.clip(_uniform(rng, PAPER, count) * (1 + clouds), 0, 230)
    ink = np.minimum(paper + _uniform(rng, CONTRAST, count), 255)
    return _grey_levels(paper + images / 255 * (ink - paper))


def band(images, rng):
    """Turn one band of the picture into its negative, or lay regular stripes over all of it."""
    count = len(images)
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE] - (IMAGE_SIZE - 1) / 2
    angle = _uniform(rng, (0, np.pi), count)
    across = np.cos(angle) * x + np.sin(angle) * y - _uniform(rng, (-10, 10), count)
    width = _uniform(rng, BAND_WIDTH, count)
    negative = np.where(np.abs(across) < width, 255 - images, images)
    stripes = np.where(across % (2 * width) < width / 2, _uniform(rng, (40, 255), count), 0)
    return np.where(rng.random((count, 1, 1)) < 0.5, negative, np.maximum(images, stripes)).astype(np.uint8)


def stray_lines(images, rng):
    """Draw one to three zigzags across the picture, whole or dotted, as ruled paper and careless pens do."""
    lined = images.copy()
    for image in lined:
        strokes = np.zeros_like(image)
        for _ in range(rng.integers(1, 4)):
            corners = rng.uniform(-4, IMAGE_SIZE + 4, (rng.integers(2, 5), 2))
            level, width = int(rng.integers(90, 256)), int(rng.integers(*LINE_WIDTH))
            if rng.random() < 0.3:
                for x, y in np.concatenate([np.linspace(a, b, 9) for a, b in zip(corners, corners[1:])]):
                    cv2.circle(strokes, (round(x), round(y)), width // 2, level, cv2.FILLED)
            else:
                cv2.polylines(strokes, [np.round(corners).astype(np.int32)], False, level, width, cv2.LINE_AA)
        np.maximum(image, strokes, out=image)
    return lined


def neighbours(images, rng):
    """Let a part of another of the pictures reach into the frame from the left or from the right."""
    result = images.copy()
    for image, other in zip(result, images[rng.permutation(len(images))]):
        distance = rng.integers(*NEIGHBOUR_DISTANCE)
        if rng.random() < 0.5:
            np.maximum(image[:, distance:], other[:, :-distance], out=image[:, distance:])
        else:
            np.maximum(image[:, :-distance], other[:, distance:], out=image[:, :-distance])
    return result


def noise(images, rng):
    """Add the grain of a camera, count too few photons, or turn single pixels black or white."""
    count = len(images)
    grain = images + _uniform(rng, GAUSSIAN_NOISE, count) * rng.standard_normal(images.shape, np.float32)
    photons = _uniform(rng, PHOTONS, count)
    shot = rng.poisson(images / 255 * photons) / photons * 255
    hit = rng.random(images.shape, np.float32) < _uniform(rng, IMPULSE_NOISE, count)
    impulses = np.where(hit, rng.integers(0, 2, images.shape, np.uint8) * 255, images)
    return _grey_levels(np.choose(rng.integers(0, 3, (count, 1, 1)), (grain, shot, impulses)))


# The probability that a picture meets each disturbance, in the order in which they come. All chosen. They are drawn
# independently, so 44 % of the pictures stay as they are. The dictionary stands here because it names the functions above.
DISTURBANCES = {
    pencil: 0.08,
    neighbours: 0.08,
    stray_lines: 0.10,
    blots: 0.04,
    background: 0.12,
    band: 0.05,
    coarse: 0.05,
    blur: 0.10,
    scatter: 0.05,
    noise: 0.12,
}


def smooth_fields(shape, rng):
    """Return random smooth fields, shape + (28, 28) float32, mean 0, standard deviation 1. shape: a tuple of whole numbers.

    Each is a normal variable at every node of a coarse grid, and a sum of these, weighted by Gaussians, between the nodes.
    """
    nodes = np.linspace(0, IMAGE_SIZE - 1, NODES)
    distance = (np.arange(IMAGE_SIZE)[:, None] - nodes) / (nodes[1] - nodes[0])
    blend = np.exp(-2.0 * distance**2)
    blend /= np.linalg.norm(blend, axis=1, keepdims=True)  # keeps the variance at 1 everywhere
    blend = blend.astype(np.float32)
    return blend @ rng.standard_normal((*shape, NODES, NODES), np.float32) @ blend.T


def _uniform(rng, bounds, count):
    """Return a random number between the bounds for each picture, (count, 1, 1) float32."""
    return rng.uniform(*bounds, (count, 1, 1)).astype(np.float32)


def _grey_levels(values):
    """Return the values, limited to 0 to 255, as uint8."""
    return np.clip(values, 0, 255).astype(np.uint8)
