"""What stands among digits: points, commas, minus signs, slashes and colons, and other signs and letters.

Drawings are lists of strokes, as strokes.py has them. The points and ranges of a drawing stand in its function.
"""

import string
from collections.abc import Callable

import cv2
import numpy as np

from digits.composition.strokes import Ink, Stroke, curve, dot, ink_box, polyline
from digits.model.heat_map import COLON, COMMA, MINUS, POINT, SLASH

SHAPES_PER_MARK = 4
HELD_BACK_SHAPE = 3  # the shape of each mark that is never learned: for validation
CENTS = "cents"  # the token for small figures above a stroke
EQUALS = "equals"  # the token for the double stroke that closes an amount
SIGN_WOBBLE_STD = 0.02  # heights, standard deviation of a sign's control points

# ---- letters ----
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
PRINT_FONTS = FONTS[:5]  # the last two are scripts
DIGIT_LIKE_LETTERS = "OoIlSsZzBgqbQDiGPprhy"  # some people write digits like these, so they are not learned as other ink
UNMISTAKABLE_LETTERS = [c for c in string.ascii_uppercase + string.ascii_lowercase if c not in DIGIT_LIKE_LETTERS]
FONT_SCALE = 2.0  # at which characters are drawn before they are reduced: capitals are 43 pixels high, in the small font 20
CAPITAL_HEIGHT, SMALL_CAPITAL_HEIGHT = 43, 20  # pixels
CHARACTER_MARGIN = 20, 15  # pixels to the left of a character and above it: room to bend and slant it
MAX_CHARACTER_PEN = 12  # pixels at FONT_SCALE: with more, letters fill up
BEND_NODES = 4  # control points of the smooth displacement along each side of a character
CHARACTER_EDGE_LEVEL = 90  # grey levels: where a character's bounding box begins; reduced from large ones, their edges fade


def point(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a point. shape: 0 to SHAPES_PER_MARK - 1."""
    size = rng.uniform(0.06, 0.16)
    if shape == 0:
        return [dot(rng, 0, -rng.uniform(0, 0.12), size)]
    if shape == 1:  # a short dash of a point
        return [polyline((0, -0.05), (rng.uniform(0.04, 0.1), -0.05 + rng.uniform(-0.05, 0.05)))]
    if shape == 2:  # drawn as a tiny ring
        t = np.linspace(0, 2 * np.pi, 9)
        return [Stroke(np.stack([0.06 * np.cos(t), -0.06 + 0.06 * np.sin(t)], 1).astype(np.float32), 0.8)]
    return [dot(rng, 0, -rng.uniform(0.1, 0.25), size)]  # above the base line


def comma(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a comma. shape: 0 to SHAPES_PER_MARK - 1."""
    drop = rng.uniform(0.12, 0.3)
    lean = rng.uniform(0.02, 0.16)
    if shape == 0:
        return [polyline((lean, -0.06), (0, drop - 0.06))]
    if shape == 1:  # bent
        return [_curved(rng, (0.02, -0.08), (lean + 0.05, 0.02), (0, drop), wobble=0.01)]
    if shape == 2:  # a dot with a tail
        return [dot(rng, 0.03, -0.05, 0.13), polyline((0.06, -0.03), (0, drop), width=0.8)]
    return [_curved(rng, (lean, -0.14), (lean, 0.1), (-0.03, drop), wobble=0.01)]  # upright, with a hook


def minus(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a minus sign. shape: 0 to SHAPES_PER_MARK - 1."""
    length, y = rng.uniform(0.25, 0.7), -rng.uniform(0.3, 0.65)
    if shape == 0:
        return [polyline((0, y), (length, y + rng.normal(0, 0.03)))]
    if shape == 1:  # wavy
        return [_curved(rng, (0, y), (length * 0.3, y - 0.08), (length * 0.7, y + 0.06), (length, y))]
    if shape == 2:  # rising, a little bent
        return [_curved(rng, (0, y + 0.05), (length / 2, y - 0.04), (length, y - 0.05))]
    return [_curved(rng, (0, y), (length / 2, y + 0.07), (length, y))]  # sagging


def slash(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a slash. shape: 0 to SHAPES_PER_MARK - 1."""
    lean, top, foot = rng.uniform(0.3, 0.8), -rng.uniform(1.08, 1.35), rng.uniform(0.02, 0.35)
    middle = (foot + top) / 2
    if shape == 0:
        return [polyline((0, foot), (lean, top))]
    if shape == 1:  # bent to the left
        return [_curved(rng, (0, foot), (lean * 0.35, middle), (lean, top))]
    if shape == 2:  # bent to the right
        return [_curved(rng, (0, foot), (lean * 0.65, middle), (lean, top))]
    return [_curved(rng, (-0.05, foot - 0.05), (lean * 0.5, middle), (lean + 0.05, top), wobble=0.03)]  # shaky


def colon(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a colon. shape: 0 to SHAPES_PER_MARK - 1."""
    upper = -rng.uniform(0.45, 0.8)
    size = rng.uniform(0.06, 0.15)
    if shape == 0:
        return [dot(rng, 0, -0.06, size), dot(rng, rng.normal(0, 0.03), upper, size)]
    if shape == 1:  # two strokes that fall
        return [polyline((0, -0.1), (0.05, -0.05)), polyline((0, upper), (0.05, upper + 0.05))]
    if shape == 2:  # two strokes that lean
        return [polyline((0.05, -0.12), (0, 0)), polyline((0.05, upper), (0, upper + 0.1))]
    return [polyline((0, -0.06), (0.09, -0.06)), polyline((0, upper), (0.09, upper))]  # two dashes


MARK_DRAWINGS = {POINT: point, COMMA: comma, MINUS: minus, SLASH: slash, COLON: colon}  # by class


def draw_mark(label: int, rng: np.random.Generator, held_back: bool = False) -> list[Stroke]:
    """Return a drawing of a mark, in one of the shapes to learn from or in the one that is held back for validation.

    label: its class, POINT to COLON.
    """
    shape = HELD_BACK_SHAPE if held_back else int(rng.integers(SHAPES_PER_MARK - 1))
    return MARK_DRAWINGS[label](rng, shape)


def number_sign(rng: np.random.Generator) -> list[Stroke]:
    """Number sign."""
    lean = rng.uniform(0, 0.2)
    return [polyline((0.15, 0), (0.15 + lean, -0.9)), polyline((0.45, 0), (0.45 + lean, -0.9)),
            polyline((0, -0.3), (0.7, -0.33)), polyline((0.05, -0.62), (0.75, -0.65))]  # fmt: skip


def asterisk(rng: np.random.Generator) -> list[Stroke]:
    """Asterisk."""
    y, radius, turn = -rng.uniform(0.3, 0.7), rng.uniform(0.12, 0.35), rng.uniform(0, 1)
    reaches = [(radius * np.cos(angle), radius * np.sin(angle)) for angle in turn + np.arange(3) * np.pi / 3]
    return [polyline((radius - dx, y - dy), (radius + dx, y + dy)) for dx, dy in reaches]


def equals(rng: np.random.Generator) -> list[Stroke]:
    """Equals sign."""
    y, length, gap = -rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9), rng.uniform(0.12, 0.3)
    rise = rng.normal(0, 0.06)
    return [_curved(rng, (0, y), (length, y + rise)), _curved(rng, (0, y + gap), (length, y + gap + rise))]


def times(rng: np.random.Generator) -> list[Stroke]:
    """Multiplication sign."""
    size, y = rng.uniform(0.3, 0.7), -rng.uniform(0, 0.3)
    return [polyline((0, y), (size, y - size)), polyline((0, y - size), (size, y))]


def plus(rng: np.random.Generator) -> list[Stroke]:
    """Plus sign."""
    size, y = rng.uniform(0.3, 0.6), -rng.uniform(0.3, 0.6)
    return [polyline((0, y), (size, y)), polyline((size / 2, y - size / 2), (size / 2, y + size / 2))]


def dollar(rng: np.random.Generator) -> list[Stroke]:
    """Dollar sign."""
    s = _curved(rng, (0.5, -0.8), (0.2, -1), (0, -0.7), (0.3, -0.5), (0.55, -0.25), (0.3, 0.05), (0, -0.15))
    return [s, polyline((0.32, 0.15), (0.25, -1.12))]


def percent(rng: np.random.Generator) -> list[Stroke]:
    """Percent sign, or a small fraction of rings."""
    t = np.linspace(0, 2 * np.pi, 10)
    ring = np.stack([0.13 * np.cos(t), 0.13 * np.sin(t)], 1).astype(np.float32)
    return [polyline((0.1, 0.0), (0.6, -1)), Stroke(ring + [0.15, -0.8]), Stroke(ring + [0.6, -0.15])]


def bracket(rng: np.random.Generator) -> list[Stroke]:
    """Bracket, to the left or right."""
    bulge = rng.choice([-0.15, 0.15])
    return [_curved(rng, (0.15, 0.1), (0.15 + bulge, -0.4), (0.15, -1.1))]


def euro(rng: np.random.Generator) -> list[Stroke]:
    """The euro sign, or a C with bars."""
    c = _curved(rng, (0.6, -0.85), (0.25, -1), (0, -0.5), (0.2, 0.02), (0.6, -0.1))
    return [c, polyline((-0.1, -0.58), (0.45, -0.6)), polyline((-0.1, -0.4), (0.4, -0.42))]


def point_and_dash(rng: np.random.Generator) -> list[Stroke]:
    """A point and a long dash, as behind an amount."""
    y = -rng.uniform(0.1, 0.5)
    return [dot(rng, 0, y + 0.05, 0.1), _curved(rng, (0.2, y), (rng.uniform(0.8, 2.2), y))]


def zigzag(rng: np.random.Generator) -> list[Stroke]:
    """A zigzag or flourish."""
    n = rng.integers(4, 9)
    xs, ys = np.cumsum(rng.uniform(0.05, 0.3, n)), -0.5 + rng.uniform(-0.45, 0.45, n)
    return [_curved(rng, *zip(xs, ys, strict=True), wobble=0)]


def scribble(rng: np.random.Generator) -> list[Stroke]:
    """A scribble that may be a letter."""
    n = rng.integers(4, 8)
    return [_curved(rng, *zip(rng.uniform(0, 0.7, n), rng.uniform(-1, 0, n), strict=True), wobble=0)]


def loop(rng: np.random.Generator) -> list[Stroke]:
    """An l or a loop."""
    return [_curved(rng, (0, 0), (0.15, -1.1), (0.35, -0.5), (0.3, 0), (0.6, -0.2), wobble=0.05)]


# Signs that are neither digit nor mark, each as often as the others.
SIGN_DRAWINGS: tuple[Callable[[np.random.Generator], list[Stroke]], ...] = (
    number_sign,
    asterisk,
    equals,
    times,
    plus,
    dollar,
    percent,
    bracket,
    euro,
    point_and_dash,
    zigzag,
    scribble,
    loop,
)


def draw_sign(rng: np.random.Generator) -> list[Stroke]:
    """Return a drawing of a random sign that is neither digit nor mark."""
    return SIGN_DRAWINGS[rng.integers(len(SIGN_DRAWINGS))](rng)


def draw_cents(rng: np.random.Generator) -> list[Stroke]:
    """Return small figures above a stroke, as "xx/100" on cheques: only strokes, because they are too small to be read."""
    length, y = rng.uniform(0.6, 1.3), -rng.uniform(0.3, 0.6)
    strokes = [polyline((0, y), (length, y + rng.normal(0, 0.05)))]
    for x in np.arange(0.1, length - 0.1, 0.3):
        n = rng.integers(3, 6)
        points = np.stack([x + rng.uniform(0, 0.22, n), y - rng.uniform(0.08, 0.4, n)], 1)
        strokes.append(Stroke(curve(rng, points, 0.0), 0.7))
    return strokes


def draw_character(
    text: str, font: int, height: float, pen: float, slant: float, rng: np.random.Generator, bend: float
) -> Ink | None:
    """Return a character's ink in one of OpenCV's Hershey fonts, as rasterise does.

    height: of a capital, in pixels. bend: standard deviation of the smooth displacement, in heights; 0 for print.
    """
    large_height = SMALL_CAPITAL_HEIGHT if font == cv2.FONT_HERSHEY_PLAIN else CAPITAL_HEIGHT
    factor = height / large_height
    large, base = _large_character(text, font, pen / factor)
    if bend:
        large = _bent(large, bend * large_height, rng)
    ink = _reduced(large, base, factor, slant)
    box = ink_box(ink, CHARACTER_EDGE_LEVEL, min_rows=2)
    if box is None:
        return None
    left, top, right, bottom = box
    return ink[top:bottom, left:right], (0.0, top - base * factor)


def _large_character(text: str, font: int, pen: float) -> tuple[np.ndarray, int]:
    """Return a character at FONT_SCALE, (h, w) uint8, with a margin, and the row of its base line. pen: in its pixels."""
    (w, h), _ = cv2.getTextSize(text, font, FONT_SCALE, 1)
    left, above = CHARACTER_MARGIN
    base = h + above
    canvas: np.ndarray = np.zeros((2 * h + 20, w + 2 * left), np.uint8)
    cv2.putText(canvas, text, (left, base), font, FONT_SCALE, 255, int(np.clip(round(pen), 1, MAX_CHARACTER_PEN)), cv2.LINE_AA)
    return canvas, base


def _bent(ink: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """Return the ink displaced by a smooth random field. reach: standard deviation in pixels."""
    y, x = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]].astype(np.float32)
    nodes = rng.normal(0, reach, (2, BEND_NODES, BEND_NODES)).astype(np.float32)
    dx, dy = (cv2.resize(node, ink.shape[::-1], interpolation=cv2.INTER_CUBIC) for node in nodes)
    return cv2.remap(ink, x + dx, y + dy, cv2.INTER_LINEAR)


def _reduced(ink: np.ndarray, base: int, factor: float, slant: float) -> np.ndarray:
    """Return the ink slanted around its base line and reduced by a factor; above 1, it is enlarged."""
    h, w = ink.shape
    rows, columns = max(2, int(h * factor)), int(w * factor + abs(slant) * h * factor) + 2
    matrix = np.array([[factor, -slant * factor, slant * (base * factor) + max(-slant, 0) * rows], [0, factor, 0]])
    if factor < 0.5:  # else strokes would fall between the pixels
        ink = cv2.blur(ink, (2, 2))
    return cv2.warpAffine(ink, matrix, (columns, rows), flags=cv2.INTER_LINEAR if factor > 0.5 else cv2.INTER_AREA)


def _curved(rng: np.random.Generator, *points: tuple[float, float], wobble: float = SIGN_WOBBLE_STD) -> Stroke:
    """Return a smooth stroke through about these control points. wobble: as in curve."""
    return Stroke(curve(rng, points, wobble))
