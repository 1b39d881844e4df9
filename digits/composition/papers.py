"""What is under the ink: plain, ruled, squared and security-printed paper, as patterns of mean 0 and about -1 to 1."""

import cv2
import numpy as np

PATTERN_HEIGHT, PATTERN_WIDTH = 128, 512  # pixels of a pattern: twice a window's, which is cut from it
PATTERNS_KEPT = 150  # ten of each kind, 20 MB
# The numbers within the functions belong to the family of pages: see digits/composition/__init__.py.


class PaperPool:
    """Patterns to cut windows from, renewed one at a time. size: number of patterns."""

    def __init__(self, rng: np.random.Generator, size: int = PATTERNS_KEPT) -> None:
        self._rng = rng
        self._patterns = [self._make() for _ in range(size)]
        self._oldest = 0

    def _make(self) -> np.ndarray:
        pattern = PATTERN_KINDS[self._rng.integers(len(PATTERN_KINDS))](self._rng)
        pattern = pattern - pattern.mean()
        if self._rng.random() < 0.3:  # the print is fainter in places
            pattern *= np.clip(0.6 + 0.6 * smooth(self._rng, PATTERN_HEIGHT, PATTERN_WIDTH, 60), 0, 1.5)
        return pattern.astype(np.float16)

    def renew(self) -> None:
        """Replace the oldest pattern by a new one."""
        self._patterns[self._oldest % len(self._patterns)] = self._make()
        self._oldest += 1

    def cut(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """Return a window of a random pattern, (height, width) float32, mirrored at random, sometimes at another scale."""
        pattern = self._patterns[rng.integers(len(self._patterns))]
        zoom = rng.choice([1.0, 1.0, 1.4, 0.75])
        h, w = min(int(height / zoom) + 1, PATTERN_HEIGHT), min(int(width / zoom) + 1, PATTERN_WIDTH)
        y, x = rng.integers(0, PATTERN_HEIGHT - h + 1), rng.integers(0, PATTERN_WIDTH - w + 1)
        window = pattern[y : y + h, x : x + w].astype(np.float32)
        if rng.random() < 0.5:
            window = window[::-1]
        if rng.random() < 0.5:
            window = window[:, ::-1]
        return cv2.resize(np.ascontiguousarray(window), (width, height), interpolation=cv2.INTER_LINEAR)


def smooth(rng: np.random.Generator, height: int, width: int, step: float) -> np.ndarray:
    """Return a smooth random field, (height, width) float32, one node every `step` pixels, standard deviation about 1."""
    nodes = rng.standard_normal((max(2, int(height / step) + 2), max(2, int(width / step) + 2))).astype(np.float32)
    return cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC)


def plain(rng: np.random.Generator) -> np.ndarray:
    """Unevenly bright paper."""
    return smooth(rng, PATTERN_HEIGHT, PATTERN_WIDTH, rng.uniform(2, 60))


def fibres(rng: np.random.Generator) -> np.ndarray:
    """The fibres of paper."""
    field = rng.standard_normal((PATTERN_HEIGHT, PATTERN_WIDTH)).astype(np.float32)
    return cv2.GaussianBlur(field, (0, 0), rng.uniform(0.4, 2.5), sigmaY=rng.uniform(0.4, 2.5)) * 3


def waves(rng: np.random.Generator) -> np.ndarray:
    """Wavy lines that cross."""
    y, x = _grid()
    phase = smooth(rng, PATTERN_HEIGHT, PATTERN_WIDTH, rng.uniform(20, 80)) * rng.uniform(0, 4)
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for _ in range(rng.integers(1, 4)):
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(0.3, 1.8)
        wave = np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        pattern += np.clip(wave * rng.uniform(0.8, 5) - rng.uniform(0, 1.5), -1, 1)
    return pattern


def hatch(rng: np.random.Generator) -> np.ndarray:
    """Parallel lines, straight or bent."""
    y, x = _grid()
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for _ in range(rng.choice([1, 1, 2])):
        slope, spacing = rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(-2, 2), rng.uniform(3.5, 12)
        bend = smooth(rng, PATTERN_HEIGHT, PATTERN_WIDTH, rng.uniform(40, 200)) * rng.uniform(0, 5)
        place = (y + slope * x + bend) / spacing
        off = np.abs(place - np.round(place)) * spacing
        pattern -= np.clip(rng.uniform(0.5, 1.6) - off, 0, 1) * 2
    return pattern


def rings(rng: np.random.Generator) -> np.ndarray:
    """Rings around distant points."""
    y, x = _grid()
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for _ in range(rng.integers(1, 4)):
        cx, cy = rng.uniform(-100, PATTERN_WIDTH + 100), rng.uniform(-150, PATTERN_HEIGHT + 150)
        bend = smooth(rng, PATTERN_HEIGHT, PATTERN_WIDTH, rng.uniform(20, 80)) * rng.uniform(0, 8)
        radius = np.hypot(x - cx, (y - cy) * rng.uniform(0.5, 2)) + bend
        place = radius / rng.uniform(4, 14)
        off = np.abs(place - np.round(place))
        pattern -= np.clip((rng.uniform(0.08, 0.2) - off) * 8, 0, 1) * 2
    return pattern


def guilloche(rng: np.random.Generator) -> np.ndarray:
    """The interlaced wavy lines of cheques and banknotes."""
    canvas = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.uint8)
    x = np.arange(0, PATTERN_WIDTH + 4, 4, dtype=np.float32)
    lines, spacing = rng.integers(6, 30), rng.uniform(3, 14)
    amplitude, frequency, drift = rng.uniform(2, 40), rng.uniform(0.01, 0.12), rng.uniform(-0.5, 0.5)
    top = rng.uniform(-40, 40)
    for k in range(lines):
        y = top + k * spacing + amplitude * np.sin(frequency * x + k * drift) + rng.uniform(0, 6) * np.sin(3 * frequency * x)
        points = np.round(np.stack([x, y], 1) * 8).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, 1, cv2.LINE_AA, 3)
    return -canvas.astype(np.float32) / 128


def weave(rng: np.random.Generator) -> np.ndarray:
    """A small tile, repeated."""
    h, w = rng.integers(3, 14, 2)
    tile = (rng.random((h, w)) < rng.uniform(0.2, 0.6)).astype(np.float32)
    pattern = np.tile(tile, (PATTERN_HEIGHT // h + 2, PATTERN_WIDTH // w + 2))[:PATTERN_HEIGHT, :PATTERN_WIDTH]
    if rng.random() < 0.6:
        pattern = pattern * (rng.random((PATTERN_HEIGHT, PATTERN_WIDTH)) < 0.85)
    return 2 * cv2.GaussianBlur(pattern.astype(np.float32), (0, 0), rng.uniform(0.4, 1.2))


def speckle(rng: np.random.Generator) -> np.ndarray:
    """Dark speckles."""
    field: np.ndarray = rng.random((PATTERN_HEIGHT // 2, PATTERN_WIDTH // 2)).astype(np.float32)
    field = (field < rng.uniform(0.05, 0.5)).astype(np.float32)
    field = cv2.resize(field, (PATTERN_WIDTH, PATTERN_HEIGHT), interpolation=cv2.INTER_LINEAR)
    return -2 * cv2.GaussianBlur(field, (0, 0), rng.uniform(0.4, 1))


def dots(rng: np.random.Generator) -> np.ndarray:
    """A raster of dots."""
    y, x = _grid()
    fx, fy = rng.uniform(0.3, 1.5, 2)
    skew = rng.uniform(-0.5, 0.5)
    return -2 * np.clip(np.sin(fx * (x + skew * y)) * np.sin(fy * (y - skew * x)) * 3 - rng.uniform(0.3, 2), 0, 1)


def microtext(rng: np.random.Generator) -> np.ndarray:
    """Rows of tiny letters."""
    canvas: np.ndarray = np.zeros((PATTERN_HEIGHT * 2, PATTERN_WIDTH * 2), np.uint8)
    scale, step = rng.uniform(0.3, 0.9), rng.uniform(1.0, 1.8)
    letters = "".join(chr(c) for c in rng.integers(65, 91, rng.integers(3, 9))) + " "
    for y in np.arange(0, PATTERN_HEIGHT * 2 + 30, 24 * scale * step):
        cv2.putText(
            canvas, letters * 40, (int(-rng.uniform(0, 60)), int(y)), int(rng.choice([0, 2, 3])), scale, 255, 1, cv2.LINE_AA
        )
    if rng.random() < 0.5:
        turn = cv2.getRotationMatrix2D((PATTERN_WIDTH, PATTERN_HEIGHT), rng.uniform(-40, 40), 1.6)
        canvas = cv2.warpAffine(canvas, turn, (PATTERN_WIDTH * 2, PATTERN_HEIGHT * 2))
    return -cv2.resize(canvas, (PATTERN_WIDTH, PATTERN_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 100


def squares(rng: np.random.Generator) -> np.ndarray:
    """Ruled or squared paper."""
    y, x = _grid()
    spacing, turn = rng.uniform(6, 60), rng.normal(0, 0.03)
    thick = rng.uniform(0.5, 1.4)
    pattern = np.zeros((PATTERN_HEIGHT, PATTERN_WIDTH), np.float32)
    for coordinate in (y + turn * x, x - turn * y)[: rng.integers(1, 3)]:
        off = np.abs((coordinate / spacing) - np.round(coordinate / spacing)) * spacing
        pattern -= np.clip(thick - off, 0, 1) * 2
    return pattern


def crossings(rng: np.random.Generator) -> np.ndarray:
    """Parallel lines, and waves or rings across them."""
    return hatch(rng) + (waves(rng) if rng.random() < 0.5 else rings(rng))


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the y and the x of each pixel of a pattern, (height, width) float32."""
    y, x = np.mgrid[0:PATTERN_HEIGHT, 0:PATTERN_WIDTH].astype(np.float32)
    return y, x


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
