"""Strokes of a pen: straight, curved or dots, and the ink of a drawing, which is a list of them.

Points are (x, y) in heights of a digit, x to the right, y downwards: 0 is the base line.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

SUBPIXEL_BITS = 4  # strokes are drawn to a sixteenth of a pixel, OpenCV's shift
CURVE_STEPS = 7  # points of each piece of a curve: at 39 pixels of height the corners are not visible
MIN_PEN_WIDTH = 1.2  # pixels; a thinner stroke fades between pixels
INK_EDGE_LEVEL = 96  # grey levels: about half ink, where MNIST's anti-aliased strokes have their edge
DRAWING_EDGE_LEVEL = 60  # grey levels: where a drawing's bounding box begins: its thin strokes are nowhere black
DOT_REACH = (0.0, 0.5)  # diameters by which a dot is longer than wide

Ink = tuple[np.ndarray, tuple[float, float]]  # (h, w) uint8, and (left, top) from the base line, in pixels


class Stroke(NamedTuple):
    """points: (n, 2) float. width: a factor on the pen's width or, below 0, a width in heights of a digit."""

    points: np.ndarray
    width: float = 1.0


def curve(rng: np.random.Generator, points: npt.ArrayLike, wobble: float) -> np.ndarray:
    """Return a smooth curve, (m, 2) float32, of quadratic Bézier pieces between the control points.

    points: (n, 2), two or more. wobble: standard deviation by which the control points are moved, in the same unit.
    """
    points = np.array(points, np.float32)
    points = points + rng.normal(0, wobble, points.shape)
    if len(points) == 2:
        points = np.array([points[0], points.mean(0) + rng.normal(0, wobble, 2), points[1]])
    t = np.linspace(0, 1, CURVE_STEPS)[:, None]
    pieces = []
    for i in range(len(points) - 2):
        start = points[i] if i == 0 else (points[i] + points[i + 1]) / 2
        end = points[i + 2] if i == len(points) - 3 else (points[i + 1] + points[i + 2]) / 2
        pieces.append((1 - t) ** 2 * start + 2 * t * (1 - t) * points[i + 1] + t**2 * end)
    return np.concatenate(pieces).astype(np.float32)


def polyline(*points: tuple[float, float], width: float = 1.0) -> Stroke:
    """Return a stroke of straight pieces."""
    return Stroke(np.array(points, np.float32), width)


def dot(rng: np.random.Generator, x: float, y: float, size: float) -> Stroke:
    """Return a dot, a little longer than wide. size: its diameter, in heights of a digit."""
    angle = rng.uniform(0, np.pi)
    reach = size * rng.uniform(*DOT_REACH)
    return polyline((x, y), (x + reach * np.cos(angle), y + reach * np.sin(angle)), width=-size)


def rasterise(strokes: list[Stroke], height: float, pen: float, slant: float) -> Ink | None:
    """Return a drawing's ink, cut out at its bounding box; None where there is none.

    height: of a digit beside it, in pixels. pen: in pixels. slant: pixels to the right per pixel up.
    """
    paths, widths = [], []
    for stroke, width in strokes:
        path = stroke * height
        path[:, 0] -= slant * path[:, 1]
        paths.append(path)
        widths.append(max(1, round(-width * height if width < 0 else width * pen)))
    points = np.concatenate(paths)
    reach = max(widths) / 2 + 2
    low, high = points.min(0) - reach, points.max(0) + reach
    w, h = int(high[0] - low[0]) + 2, int(high[1] - low[1]) + 2
    canvas = np.zeros((h, w), np.uint8)
    for path, width in zip(paths, widths, strict=True):
        cv2.polylines(canvas, [fixed_point(path - low)], False, 255, width, cv2.LINE_AA, SUBPIXEL_BITS)
    box = ink_box(canvas, DRAWING_EDGE_LEVEL)
    if box is None:
        return None
    left, top, right, bottom = box
    x, y = low + np.array([left, top])
    return canvas[top:bottom, left:right], (x, y)


def fixed_point(points: np.ndarray) -> np.ndarray:
    """Return points in pixels as OpenCV takes them with SUBPIXEL_BITS as its shift, int32."""
    return np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)


def ink_box(ink: np.ndarray, level: float, min_rows: int = 1) -> tuple[int, int, int, int] | None:
    """Return (left, top, right, bottom) of the ink above a grey level; None where fewer than min_rows rows have any.

    ink: (h, w) uint8, 0 to 255.
    """
    rows, columns = np.flatnonzero(ink.max(1) > level), np.flatnonzero(ink.max(0) > level)
    if len(rows) < min_rows:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
