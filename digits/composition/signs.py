"""What stands among digits: points, commas, minus signs, slashes and colons, and other signs and letters.

A drawing is a list of strokes. Points are (x, y) in heights of a digit, x to the right, y downwards: 0 is the base line.
"""

import string

import cv2
import numpy as np
import numpy.typing as npt

from digits.model.heat_map import COLON, COMMA, MINUS, POINT, SLASH

# A stroke's points, (n, 2) float, and its width: a factor on the pen's, or, below 0, in heights of a digit.
Stroke = tuple[np.ndarray, float]
Ink = tuple[np.ndarray, tuple[float, float]]  # (h, w) uint8, and (left, top) from the base line, in pixels

SUBPIXEL_BITS = 4  # strokes are drawn to a sixteenth of a pixel, OpenCV's shift
CURVE_STEPS = 7  # points of each piece of a curve: at 39 pixels of height the corners are not visible
INK_LEVEL = 60  # grey levels: where a drawing's bounding box begins
FONT_SCALE = 2.0  # at which characters are drawn before they are reduced: capitals are 43 pixels high, in the small font 20
CAPITAL_HEIGHT, SMALL_CAPITAL_HEIGHT = 43, 20

SHAPES_PER_MARK = 4
HELD_BACK_SHAPE = 3  # the shape of each mark that is never learned: for validation
CENTS = "cents"  # the token for small figures above a stroke
EQUALS = "equals"  # the token for the double stroke that closes an amount
EQUALS_KIND = 2  # of draw_sign

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
# The numbers within the functions belong to the family of pages: see digits/composition/__init__.py.


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


def point(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a point. shape: 0 to SHAPES_PER_MARK - 1."""
    size = rng.uniform(0.06, 0.16)
    if shape == 0:
        return [_blob(rng, 0, -rng.uniform(0, 0.12), size)]
    if shape == 1:  # a short dash of a point
        return [_polyline((0, -0.05), (rng.uniform(0.04, 0.1), -0.05 + rng.uniform(-0.05, 0.05)))]
    if shape == 2:  # drawn as a tiny ring
        t = np.linspace(0, 2 * np.pi, 9)
        return [(np.stack([0.06 * np.cos(t), -0.06 + 0.06 * np.sin(t)], 1).astype(np.float32), 0.8)]
    return [_blob(rng, 0, -rng.uniform(0.1, 0.25), size)]


def comma(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a comma. shape: 0 to SHAPES_PER_MARK - 1."""
    drop = rng.uniform(0.12, 0.3)
    lean = rng.uniform(0.02, 0.16)
    if shape == 0:
        return [_polyline((lean, -0.06), (0, drop - 0.06))]
    if shape == 1:
        return [(curve(rng, [(0.02, -0.08), (lean + 0.05, 0.02), (0, drop)], 0.01), 1.0)]
    if shape == 2:
        return [_blob(rng, 0.03, -0.05, 0.13), _polyline((0.06, -0.03), (0, drop), width=0.8)]
    return [(curve(rng, [(lean, -0.14), (lean, 0.1), (-0.03, drop)], 0.01), 1.0)]


def minus(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a minus sign. shape: 0 to SHAPES_PER_MARK - 1."""
    length, y = rng.uniform(0.25, 0.7), -rng.uniform(0.3, 0.65)
    if shape == 0:
        return [_polyline((0, y), (length, y + rng.normal(0, 0.03)))]
    if shape == 1:  # a wavy one
        return [(curve(rng, [(0, y), (length * 0.3, y - 0.08), (length * 0.7, y + 0.06), (length, y)], 0.02), 1.0)]
    if shape == 2:  # rising, a little bent
        return [(curve(rng, [(0, y + 0.05), (length / 2, y - 0.04), (length, y - 0.05)], 0.02), 1.0)]
    return [(curve(rng, [(0, y), (length / 2, y + 0.07), (length, y)], 0.02), 1.0)]


def slash(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a slash. shape: 0 to SHAPES_PER_MARK - 1."""
    lean, top, foot = rng.uniform(0.3, 0.8), -rng.uniform(1.08, 1.35), rng.uniform(0.02, 0.35)
    if shape == 0:
        return [_polyline((0, foot), (lean, top))]
    if shape == 1:
        return [(curve(rng, [(0, foot), (lean * 0.35, (foot + top) / 2), (lean, top)], 0.02), 1.0)]
    if shape == 2:
        return [(curve(rng, [(0, foot), (lean * 0.65, (foot + top) / 2), (lean, top)], 0.02), 1.0)]
    return [(curve(rng, [(-0.05, foot - 0.05), (lean * 0.5, (foot + top) / 2), (lean + 0.05, top)], 0.03), 1.0)]


def colon(rng: np.random.Generator, shape: int) -> list[Stroke]:
    """Return a drawing of a colon. shape: 0 to SHAPES_PER_MARK - 1."""
    upper = -rng.uniform(0.45, 0.8)
    size = rng.uniform(0.06, 0.15)
    if shape == 0:
        return [_blob(rng, 0, -0.06, size), _blob(rng, rng.normal(0, 0.03), upper, size)]
    if shape == 1:
        return [_polyline((0, -0.1), (0.05, -0.05)), _polyline((0, upper), (0.05, upper + 0.05))]
    if shape == 2:
        return [_polyline((0.05, -0.12), (0, 0)), _polyline((0.05, upper), (0, upper + 0.1))]
    return [_polyline((0, -0.06), (0.09, -0.06)), _polyline((0, upper), (0.09, upper))]


_DRAW_BY_CLASS = {POINT: point, COMMA: comma, MINUS: minus, SLASH: slash, COLON: colon}


def draw_mark(label: int, rng: np.random.Generator, held_back: bool = False) -> list[Stroke]:
    """Return a drawing of a mark, in one of the shapes to learn from or in the one that is held back for validation.

    label: its class, POINT to COLON.
    """
    shape = HELD_BACK_SHAPE if held_back else int(rng.integers(SHAPES_PER_MARK - 1))
    return _DRAW_BY_CLASS[label](rng, shape)


def draw_sign(rng: np.random.Generator, kind: int | None = None) -> list[Stroke]:
    """Return a drawing of a sign that is neither digit nor mark: # * = x + $ % ( ) and loops, flourishes, strokes.

    kind: its number, 0 to 12, in this order; None: a random one.
    """
    kind = int(rng.integers(13)) if kind is None else kind
    w = 0.02
    if kind == 0:  # number sign
        lean = rng.uniform(0, 0.2)
        return [_polyline((0.15, 0), (0.15 + lean, -0.9)), _polyline((0.45, 0), (0.45 + lean, -0.9)),
                _polyline((0, -0.3), (0.7, -0.33)), _polyline((0.05, -0.62), (0.75, -0.65))]  # fmt: skip
    if kind == 1:  # asterisk
        y, r, turn = -rng.uniform(0.3, 0.7), rng.uniform(0.12, 0.35), rng.uniform(0, 1)
        return [_polyline((r - r * np.cos(a), y - r * np.sin(a)), (r + r * np.cos(a), y + r * np.sin(a)))
                for a in turn + np.arange(3) * np.pi / 3]  # fmt: skip
    if kind == EQUALS_KIND:
        y, length, gap = -rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9), rng.uniform(0.12, 0.3)
        rise = rng.normal(0, 0.06)
        return [
            (curve(rng, [(0, y), (length, y + rise)], w), 1.0),
            (curve(rng, [(0, y + gap), (length, y + gap + rise)], w), 1.0),
        ]
    if kind == 3:  # x
        s, y = rng.uniform(0.3, 0.7), -rng.uniform(0, 0.3)
        return [_polyline((0, y), (s, y - s)), _polyline((0, y - s), (s, y))]
    if kind == 4:  # plus
        s, y = rng.uniform(0.3, 0.6), -rng.uniform(0.3, 0.6)
        return [_polyline((0, y), (s, y)), _polyline((s / 2, y - s / 2), (s / 2, y + s / 2))]
    if kind == 5:  # dollar
        return [(curve(rng, [(0.5, -0.8), (0.2, -1), (0, -0.7), (0.3, -0.5), (0.55, -0.25), (0.3, 0.05), (0, -0.15)], w), 1.0),
                _polyline((0.32, 0.15), (0.25, -1.12))]  # fmt: skip
    if kind == 6:  # percent, or a small fraction of rings
        t = np.linspace(0, 2 * np.pi, 10)
        ring = np.stack([0.13 * np.cos(t), 0.13 * np.sin(t)], 1).astype(np.float32)
        return [_polyline((0.1, 0.0), (0.6, -1)), (ring + [0.15, -0.8], 1.0), (ring + [0.6, -0.15], 1.0)]
    if kind == 7:  # bracket
        d = rng.choice([-0.15, 0.15])
        return [(curve(rng, [(0.15, 0.1), (0.15 + d, -0.4), (0.15, -1.1)], w), 1.0)]
    if kind == 8:  # euro, or a C with bars
        return [
            (curve(rng, [(0.6, -0.85), (0.25, -1), (0, -0.5), (0.2, 0.02), (0.6, -0.1)], w), 1.0),
            _polyline((-0.1, -0.58), (0.45, -0.6)),
            _polyline((-0.1, -0.4), (0.4, -0.42)),
        ]
    if kind == 9:  # point and long dash: ".--"
        y = -rng.uniform(0.1, 0.5)
        return [_blob(rng, 0, y + 0.05, 0.1), (curve(rng, [(0.2, y), (rng.uniform(0.8, 2.2), y)], w), 1.0)]
    if kind == 10:  # zigzag or flourish
        n = rng.integers(4, 9)
        xs, ys = np.cumsum(rng.uniform(0.05, 0.3, n)), -0.5 + rng.uniform(-0.45, 0.45, n)
        return [(curve(rng, list(zip(xs, ys, strict=True)), 0.0), 1.0)]
    if kind == 11:  # a random scribble of a letter
        n = rng.integers(4, 8)
        return [(curve(rng, np.stack([rng.uniform(0, 0.7, n), rng.uniform(-1, 0, n)], 1), 0.0), 1.0)]
    return [(curve(rng, [(0, 0), (0.15, -1.1), (0.35, -0.5), (0.3, 0), (0.6, -0.2)], 0.05), 1.0)]  # an l or a loop


def draw_cents(rng: np.random.Generator) -> list[Stroke]:
    """Return small figures above a stroke, as "xx/100" on cheques: only strokes, because they are too small to be read."""
    length, y = rng.uniform(0.6, 1.3), -rng.uniform(0.3, 0.6)
    strokes = [_polyline((0, y), (length, y + rng.normal(0, 0.05)))]
    for x in np.arange(0.1, length - 0.1, 0.3):
        n = rng.integers(3, 6)
        strokes.append((curve(rng, np.stack([x + rng.uniform(0, 0.22, n), y - rng.uniform(0.08, 0.4, n)], 1), 0.0), 0.7))
    return strokes


def rasterise(strokes: list[Stroke], height: float, pen: float, slant: float) -> Ink | None:
    """Return a drawing's ink, cut out at its bounding box; None where there is none.

    height: of a digit beside it, in pixels. pen: in pixels. slant: pixels to the right per pixel up.
    """
    paths, widths = [], []
    for points, width in strokes:
        path = points * height
        path[:, 0] -= slant * path[:, 1]
        paths.append(path)
        widths.append(max(1, round(-width * height if width < 0 else width * pen)))
    points = np.concatenate(paths)
    reach = max(widths) / 2 + 2
    low, high = points.min(0) - reach, points.max(0) + reach
    w, h = int(high[0] - low[0]) + 2, int(high[1] - low[1]) + 2
    canvas = np.zeros((h, w), np.uint8)
    for path, width in zip(paths, widths, strict=True):
        fixed = np.round((path - low) * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.polylines(canvas, [fixed], False, 255, width, cv2.LINE_AA, SUBPIXEL_BITS)
    rows, columns = np.flatnonzero(canvas.max(1) > INK_LEVEL), np.flatnonzero(canvas.max(0) > INK_LEVEL)
    if not len(rows) or not len(columns):
        return None
    ink = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ink, (low[0] + columns[0], low[1] + rows[0])


def unmistakable_letters() -> list[str]:
    """Return the letters that look like no digit."""
    letters = string.ascii_uppercase + string.ascii_lowercase
    return [letter for letter in letters if letter not in DIGIT_LIKE_LETTERS]


def draw_character(
    text: str, font: int, height: float, pen: float, slant: float, rng: np.random.Generator, bend: float
) -> Ink | None:
    """Return a character's ink in one of OpenCV's Hershey fonts, as rasterise does.

    height: of a capital, in pixels. bend: standard deviation of the smooth displacement, in heights; 0 for print.
    """
    scale = FONT_SCALE
    (w, h), _ = cv2.getTextSize(text, font, scale, 1)
    canvas: np.ndarray = np.zeros((h * 2 + 20, w + 40), np.uint8)
    own = SMALL_CAPITAL_HEIGHT if font == cv2.FONT_HERSHEY_PLAIN else CAPITAL_HEIGHT
    factor = height / own
    cv2.putText(canvas, text, (20, h + 15), font, scale, 255, int(np.clip(round(pen / factor), 1, 12)), cv2.LINE_AA)
    y, x = np.mgrid[0 : canvas.shape[0], 0 : canvas.shape[1]].astype(np.float32)
    if bend:
        nodes = rng.normal(0, bend * own, (2, 4, 4)).astype(np.float32)
        dx, dy = (cv2.resize(node, canvas.shape[::-1], interpolation=cv2.INTER_CUBIC) for node in nodes)
        canvas = cv2.remap(canvas, x + dx, y + dy, cv2.INTER_LINEAR)
    rows, cols = max(2, int(canvas.shape[0] * factor)), int(canvas.shape[1] * factor + abs(slant) * canvas.shape[0] * factor) + 2
    base = (h + 15) * factor
    matrix = np.array([[factor, -slant * factor, slant * base + max(-slant, 0) * rows], [0, factor, 0]])
    if factor < 0.5:
        canvas = cv2.blur(canvas, (2, 2))
    ink = cv2.warpAffine(canvas, matrix, (cols, rows), flags=cv2.INTER_LINEAR if factor > 0.5 else cv2.INTER_AREA)
    inked_rows, inked_columns = np.flatnonzero(ink.max(1) > 90), np.flatnonzero(ink.max(0) > 90)
    if len(inked_rows) < 2 or not len(inked_columns):
        return None
    cut = ink[inked_rows[0] : inked_rows[-1] + 1, inked_columns[0] : inked_columns[-1] + 1]
    return cut, (0.0, inked_rows[0] - base)


def _polyline(*points: tuple[float, float], width: float = 1.0) -> Stroke:
    """Return a stroke of straight pieces."""
    return np.array(points, np.float32), width


def _blob(rng: np.random.Generator, x: float, y: float, size: float) -> Stroke:
    """Return a dot, a little longer than wide. size: its diameter, in heights of a digit."""
    angle = rng.uniform(0, np.pi)
    reach = size * rng.uniform(0, 0.5)
    return _polyline((x, y), (x + reach * np.cos(angle), y + reach * np.sin(angle)), width=-size)
