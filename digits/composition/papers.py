"""What is under the ink: plain, ruled, squared and security-printed paper, as patterns of mean 0 and about -1 to 1."""

import cv2
import numpy as np

PATTERN_HEIGHT, PATTERN_WIDTH = 128, 512  # pixels of a pattern: twice a window's, which is cut from it
PATTERNS_KEPT = 150  # ten of each kind, 20 MB

# ---- the family of pages: see digits/composition/__init__.py. Of whole numbers the highest is never drawn. ----
ZOOMS = (1.0, 1.0, 1.4, 0.75)  # factors on a pattern when a window is cut
MIRRORED_PROBABILITY = 0.5  # each way
FAINT_PROBABILITY, FAINT_SIZE = 0.3, 60  # that print is fainter in places; pixels
FAINT_MEAN, FAINT_STD, MAX_FAINT = 0.6, 0.6, 1.5  # factor on the pattern there

PLAIN_SIZE = (2, 60)  # pixels from one node of a smooth field to the next
FIBRE_STD, FIBRE_STRENGTH = (0.4, 2.5), 3  # pixels, along and across; factor on noise of standard deviation 1, which blur weakens
WAVE_COUNT, WAVE_FREQUENCY = (1, 4), (0.3, 1.8)  # radians per pixel
WAVE_SHARPNESS, WAVE_DROP = (0.8, 5), (0, 1.5)  # factor on a sine that is cut off at -1 and 1, and what is taken from it
WAVE_BEND_SIZE, WAVE_BEND = (20, 80), (0, 4)  # pixels; radians
HATCH_COUNT, HATCH_SPACING = (1, 1, 2), (3.5, 12)  # one of these; pixels
FLAT_HATCH_PROBABILITY, FLAT_HATCH_SLOPE_STD, HATCH_SLOPE = 0.7, 0.25, (-2, 2)  # pixels down per pixel to the right
HATCH_BEND_SIZE, HATCH_BEND, HATCH_WIDTH = (40, 200), (0, 5), (0.5, 1.6)  # pixels
RING_COUNT, RING_MARGIN_X, RING_MARGIN_Y = (1, 4), 100, 150  # pixels around the pattern in which their centres may be, too
RING_BEND_SIZE, RING_BEND, RING_SPACING = (20, 80), (0, 8), (4, 14)  # pixels
RING_FLATNESS = (0.5, 2)  # factor on the height
RING_WIDTH = (0.08, 0.2)  # spacings
RING_EDGE = 1 / 8  # spacings over which a ring's edge fades
GUILLOCHE_LINES, GUILLOCHE_SPACING, GUILLOCHE_TOP = (6, 30), (3, 14), (-40, 40)  # the last two in pixels
GUILLOCHE_AMPLITUDE, GUILLOCHE_OVERTONE = (2, 40), (0, 6)  # pixels
GUILLOCHE_FREQUENCY, GUILLOCHE_DRIFT = (0.01, 0.12), (-0.5, 0.5)  # radians per pixel; radians from line to line
WEAVE_SIDE, WEAVE_DENSITY, WEAVE_BLUR_STD = (3, 14), (0.2, 0.6), (0.4, 1.2)  # pixels; fraction of dark ones; pixels
WORN_WEAVE_PROBABILITY, WORN_FRACTION = 0.6, 0.85  # fraction of the weave that is left
SPECKLE_DENSITY, SPECKLE_BLUR_STD = (0.05, 0.5), (0.4, 1)  # fraction that is dark; pixels
DOT_FREQUENCY, DOT_SKEW = (0.3, 1.5), (-0.5, 0.5)  # radians per pixel; pixels per pixel
DOT_SHARPNESS, DOT_DROP = 3, (0.3, 2)  # as with waves
MICROTEXT_SCALE, MICROTEXT_STEP, MICROTEXT_LETTERS = (0.3, 0.9), (1.0, 1.8), (3, 9)  # of the font; lines; letters that repeat
MICROTEXT_INDENT = (0, 60)  # pixels, at twice the pattern's resolution
MICROTEXT_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
TURNED_TEXT_PROBABILITY, TEXT_ANGLE, TURNED_TEXT_SCALE = 0.5, (-40, 40), 1.6  # degrees; so much larger it fills the corners
SQUARE_SPACING, SQUARE_TILT_STD, SQUARE_LINE_WIDTH = (6, 60), 0.03, (0.5, 1.4)  # pixels; pixels per pixel; pixels
SQUARE_DIRECTIONS = (1, 3)  # ruled one way or both
WAVES_ACROSS_PROBABILITY = 0.5  # of crossings; else rings


class PaperPool:
    """Patterns to cut windows from, renewed one at a time. size: number of patterns."""

    def __init__(self, rng: np.random.Generator, size: int = PATTERNS_KEPT) -> None:
        self._rng = rng
        self._patterns = [self._make() for _ in range(size)]
        self._oldest = 0

    def _make(self) -> np.ndarray:
        pattern = PATTERN_KINDS[self._rng.integers(len(PATTERN_KINDS))](self._rng)
        pattern = pattern - pattern.mean()
        if self._rng.random() < FAINT_PROBABILITY:
            faint = FAINT_MEAN + FAINT_STD * smooth(self._rng, PATTERN_HEIGHT, PATTERN_WIDTH, FAINT_SIZE)
            pattern *= np.clip(faint, 0, MAX_FAINT)
        return pattern.astype(np.float16)

    def renew(self) -> None:
        """Replace the oldest pattern by a new one."""
        self._patterns[self._oldest % len(self._patterns)] = self._make()
        self._oldest += 1

    def cut(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """Return a window of a random pattern, (height, width) float32, mirrored at random, sometimes at another scale."""
        pattern = self._patterns[rng.integers(len(self._patterns))]
        zoom = rng.choice(ZOOMS)
        h, w = min(int(height / zoom) + 1, PATTERN_HEIGHT), min(int(width / zoom) + 1, PATTERN_WIDTH)
        y, x = rng.integers(0, PATTERN_HEIGHT - h + 1), rng.integers(0, PATTERN_WIDTH - w + 1)
        window = pattern[y : y + h, x : x + w].astype(np.float32)
        if rng.random() < MIRRORED_PROBABILITY:
            window = window[::-1]
        if rng.random() < MIRRORED_PROBABILITY:
            window = window[:, ::-1]
        return cv2.resize(np.ascontiguousarray(window), (width, height), interpolation=cv2.INTER_LINEAR)


def smooth(rng: np.random.Generator, height: int, width: int, step: float) -> np.ndarray:
    """Return a smooth random field, (height, width) float32, one node every `step` pixels, standard deviation about 1."""
    nodes = rng.standard_normal((max(2, int(height / step) + 2), max(2, int(width / step) + 2))).astype(np.float32)
    return cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC)


def plain(rng: np.random.Generator) -> np.ndarray:
    """Unevenly bright paper."""
    return smooth(rng, PATTERN_HEIGHT, PATTERN_WIDTH, rng.uniform(*PLAIN_SIZE))


def fibres(rng: np.random.Generator) -> np.ndarray:
    """The fibres of paper."""
    field = rng.standard_normal((PATTERN_HEIGHT, PATTERN_WIDTH)).astype(np.float32)
    return cv2.GaussianBlur(field, (0, 0), rng.uniform(*FIBRE_STD), sigmaY=rng.uniform(*FIBRE_STD)) * FIBRE_STRENGTH


def waves(rng: np.random.Generator) -> np.ndarray:
    """Wavy lines that cross."""
    y, x = _grid()
    phase = _bend(rng, WAVE_BEND_SIZE, WAVE_BEND)
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for _ in range(rng.integers(*WAVE_COUNT)):
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(*WAVE_FREQUENCY)
        wave = np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        pattern += np.clip(wave * rng.uniform(*WAVE_SHARPNESS) - rng.uniform(*WAVE_DROP), -1, 1)
    return pattern


def hatch(rng: np.random.Generator) -> np.ndarray:
    """Parallel lines, straight or bent."""
    y, x = _grid()
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for _ in range(rng.choice(HATCH_COUNT)):
        flat = rng.random() < FLAT_HATCH_PROBABILITY
        slope = rng.normal(0, FLAT_HATCH_SLOPE_STD) if flat else rng.uniform(*HATCH_SLOPE)
        spacing = rng.uniform(*HATCH_SPACING)
        place = (y + slope * x + _bend(rng, HATCH_BEND_SIZE, HATCH_BEND)) / spacing
        pattern -= _dark(rng.uniform(*HATCH_WIDTH) - _from_line(place) * spacing)
    return pattern


def rings(rng: np.random.Generator) -> np.ndarray:
    """Rings around distant points."""
    y, x = _grid()
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for _ in range(rng.integers(*RING_COUNT)):
        centre_x = rng.uniform(-RING_MARGIN_X, PATTERN_WIDTH + RING_MARGIN_X)
        centre_y = rng.uniform(-RING_MARGIN_Y, PATTERN_HEIGHT + RING_MARGIN_Y)
        bend = _bend(rng, RING_BEND_SIZE, RING_BEND)
        radius = np.hypot(x - centre_x, (y - centre_y) * rng.uniform(*RING_FLATNESS)) + bend
        place = radius / rng.uniform(*RING_SPACING)
        pattern -= _dark((rng.uniform(*RING_WIDTH) - _from_line(place)) / RING_EDGE)
    return pattern


def guilloche(rng: np.random.Generator) -> np.ndarray:
    """The interlaced wavy lines of cheques and banknotes."""
    canvas = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.uint8)
    x = np.arange(0, PATTERN_WIDTH + 4, 4, dtype=np.float32)
    lines, spacing = rng.integers(*GUILLOCHE_LINES), rng.uniform(*GUILLOCHE_SPACING)
    amplitude, frequency = rng.uniform(*GUILLOCHE_AMPLITUDE), rng.uniform(*GUILLOCHE_FREQUENCY)
    drift, top = rng.uniform(*GUILLOCHE_DRIFT), rng.uniform(*GUILLOCHE_TOP)
    for k in range(lines):
        y = top + k * spacing + amplitude * np.sin(frequency * x + k * drift)
        y = y + rng.uniform(*GUILLOCHE_OVERTONE) * np.sin(3 * frequency * x)
        points = np.round(np.stack([x, y], 1) * 8).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, 1, cv2.LINE_AA, 3)
    return -canvas.astype(np.float32) / 128


def weave(rng: np.random.Generator) -> np.ndarray:
    """A small tile, repeated."""
    h, w = rng.integers(*WEAVE_SIDE, 2)
    tile = (rng.random((h, w)) < rng.uniform(*WEAVE_DENSITY)).astype(np.float32)
    pattern = np.tile(tile, (PATTERN_HEIGHT // h + 2, PATTERN_WIDTH // w + 2))[:PATTERN_HEIGHT, :PATTERN_WIDTH]
    if rng.random() < WORN_WEAVE_PROBABILITY:
        pattern = pattern * (rng.random((PATTERN_HEIGHT, PATTERN_WIDTH)) < WORN_FRACTION)
    return 2 * cv2.GaussianBlur(pattern.astype(np.float32), (0, 0), rng.uniform(*WEAVE_BLUR_STD))


def speckle(rng: np.random.Generator) -> np.ndarray:
    """Dark speckles."""
    field: np.ndarray = rng.random((PATTERN_HEIGHT // 2, PATTERN_WIDTH // 2)).astype(np.float32)
    field = (field < rng.uniform(*SPECKLE_DENSITY)).astype(np.float32)
    field = cv2.resize(field, (PATTERN_WIDTH, PATTERN_HEIGHT), interpolation=cv2.INTER_LINEAR)
    return -2 * cv2.GaussianBlur(field, (0, 0), rng.uniform(*SPECKLE_BLUR_STD))


def dots(rng: np.random.Generator) -> np.ndarray:
    """A raster of dots."""
    y, x = _grid()
    frequency_x, frequency_y = rng.uniform(*DOT_FREQUENCY, 2)
    skew = rng.uniform(*DOT_SKEW)
    raster = np.sin(frequency_x * (x + skew * y)) * np.sin(frequency_y * (y - skew * x))
    return -_dark(raster * DOT_SHARPNESS - rng.uniform(*DOT_DROP))


def microtext(rng: np.random.Generator) -> np.ndarray:
    """Rows of tiny letters."""
    canvas: np.ndarray = np.zeros((PATTERN_HEIGHT * 2, PATTERN_WIDTH * 2), np.uint8)
    scale, step = rng.uniform(*MICROTEXT_SCALE), rng.uniform(*MICROTEXT_STEP)
    letters = "".join(chr(c) for c in rng.integers(ord("A"), ord("Z") + 1, rng.integers(*MICROTEXT_LETTERS))) + " "
    for y in np.arange(0, PATTERN_HEIGHT * 2 + 30, 24 * scale * step):  # 24 pixels: a line of the font at scale 1
        start, font = (int(-rng.uniform(*MICROTEXT_INDENT)), int(y)), int(rng.choice(MICROTEXT_FONTS))
        cv2.putText(canvas, letters * 40, start, font, scale, 255, 1, cv2.LINE_AA)
    if rng.random() < TURNED_TEXT_PROBABILITY:
        turn = cv2.getRotationMatrix2D((PATTERN_WIDTH, PATTERN_HEIGHT), rng.uniform(*TEXT_ANGLE), TURNED_TEXT_SCALE)
        canvas = cv2.warpAffine(canvas, turn, (PATTERN_WIDTH * 2, PATTERN_HEIGHT * 2))
    return -cv2.resize(canvas, (PATTERN_WIDTH, PATTERN_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 100


def squares(rng: np.random.Generator) -> np.ndarray:
    """Ruled or squared paper."""
    y, x = _grid()
    spacing, tilt = rng.uniform(*SQUARE_SPACING), rng.normal(0, SQUARE_TILT_STD)
    width = rng.uniform(*SQUARE_LINE_WIDTH)
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for coordinate in (y + tilt * x, x - tilt * y)[: rng.integers(*SQUARE_DIRECTIONS)]:
        pattern -= _dark(width - _from_line(coordinate / spacing) * spacing)
    return pattern


def crossings(rng: np.random.Generator) -> np.ndarray:
    """Parallel lines, and waves or rings across them."""
    return hatch(rng) + (waves(rng) if rng.random() < WAVES_ACROSS_PROBABILITY else rings(rng))


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the y and the x of each pixel of a pattern, (height, width) float32."""
    y, x = np.mgrid[0:PATTERN_HEIGHT, 0:PATTERN_WIDTH].astype(np.float32)
    return y, x


def _bend(rng: np.random.Generator, size: tuple[float, float], strength: tuple[float, float]) -> np.ndarray:
    """Return a smooth random field. size, strength: ranges of the pixels between its nodes and of its standard deviation."""
    return smooth(rng, PATTERN_HEIGHT, PATTERN_WIDTH, rng.uniform(*size)) * rng.uniform(*strength)


def _from_line(place: np.ndarray) -> np.ndarray:
    """Return the distance from the nearest line, where each whole number is a line."""
    return np.abs(place - np.round(place))


def _dark(covered: np.ndarray) -> np.ndarray:
    """Return how dark print is that covers a pixel by 0 to 1, or more: 0 to 2."""
    return 2 * np.clip(covered, 0, 1)


# With their frequencies: those on which the network failed most come twice.
PATTERN_KINDS = (
    waves,
    waves,
    hatch,
    hatch,
    rings,
    guilloche,
    guilloche,
    weave,
    speckle,
    dots,
    microtext,
    squares,
    crossings,
    fibres,
    plain,
)
