"""Pixels -> how strongly each one is inked, whatever the paper, the light and the colours.

Where a line gives no source, its constant was set by hand on own_digits; docs/constants.md shows what a third more or less of
each changes.
"""

import functools

import cv2
import numpy as np

from digits.reading.image import reduce

FIT_SIDE = 64  # pixels of the longer side; the paper's light is fitted on an image reduced to this
MAX_ITERATIONS, TOLERANCE = 8, 0.1  # of the fit; grey levels: one that changes by less is the last
MAX_SAMPLES = 50_000  # pixels of the image, evenly taken, of which medians are computed
# Standard deviations from the fit at which a pixel's weight is 0. 4.7 is usual, against a few outliers; a desk is many. Set
# on one photograph of own_digits, where 3 lets the desk bend the fit; the tests' pages pass with either.
BIWEIGHT_REACH = 2.5
MIN_BIWEIGHT_REACH = 12.0  # grey levels: the same at the least, because light is no exact quadratic
MAD_TO_STD = 1.4826  # the standard deviation of a normal distribution, by its median absolute deviation: 1 / 0.6745
MIN_CONTRAST = 10.0  # grey levels between ink and paper below which there is no ink
MIN_NOISE_STD = 1.0  # grey levels: standard deviation that rounding and JPEG leave at least
MIN_SIGNAL_TO_NOISE = 5.0  # ink stands out by so many standard deviations of the paper's noise
PAPER_NOISE = 2.5  # standard deviations of the noise up to which there is no ink at all beside a stroke ...
PAPER_CONTRAST_RANGE = 0.15, 0.3  # ... but no less and no more than these fractions of the ink's contrast
FULL_INK_CONTRAST = 0.9  # fraction of the ink's contrast from which a pixel counts as fully inked
# A pixel is of the ink if its contrast is above this fraction of the contrast at this percentile of the strong pixels.
STRONG_PERCENTILE, STRONG_FRACTION = 99, 0.5
LIGHT_OFFSET = 32.0  # grey levels added before brightnesses are divided, so that black is not infinitely dark
MIN_SURFACE_CONTACT = 0.15  # of the image's border: what meets more of it is a shadow or a desk. A stroke meets 0.03
MAX_SURFACE_GAP = 1 / 50  # of the border's length: a shorter gap does not interrupt what meets it
SURFACE_LEVELS = 24  # steps in which a surface's brightness is followed, each at most 255 / 24 = 11 grey levels
TEXTURE_SIZE = 1 / 32  # of the image's longer side: what is finer is a surface's texture
SHEET_INK = 127  # of 255, about half: what is inked more strongly may be a sheet
MIN_SHEET_AREA = 0.1  # fraction of the image that a sheet on a desk covers at least
SHEET_MARGIN = 1 / 60  # of its longer side: a strip along its edge that is left out
MIN_SHEET_FILL = 0.8  # fraction of its rectangle that a sheet fills at least, and of it that is paper; an ellipse fills 0.79
MAX_LINE_THICKNESS = 0.012  # of the image's longer side: a printed line is no thicker
MIN_LINE_LENGTH = 0.5  # of the image's width or height: a printed line is no shorter
MAX_LINE_GAP = 0.15  # of the same: a stroke that crosses a line interrupts it for no longer
MAX_LINE_END_DISTANCE = 0.06  # of the same: so near the border or another line it ends
MIN_LINE_FRACTION = 0.6  # of its length that must be there, else it is a row of strokes


def find_ink(pixels: np.ndarray) -> np.ndarray:
    """Return the ink's strength, (height, width) uint8: 0 paper, 255 fully inked, in between at a stroke's edge.

    pixels: (height, width, 3) uint8 RGB. Where what differs from its surroundings is a small sheet on a desk, the ink is what
    differs from the sheet.
    """
    ink = _ink_on_paper(pixels)
    sheet = _sheet(ink)
    if sheet is None:
        return ink
    x, y, width, height = cv2.boundingRect(sheet.astype(np.uint8))
    window = np.s_[y : y + height, x : x + width]
    alone = pixels[window].copy()
    alone[~sheet[window]] = np.median(alone[sheet[window]], axis=0)
    written = np.zeros_like(ink)
    written[window] = _ink_on_paper(alone) * sheet[window]
    return written if written.any() else ink  # else it is no sheet but a bar, or a one written with a brush


def _sheet(ink: np.ndarray) -> np.ndarray | None:
    """Return the mask, (height, width) bool, of a large filled rectangle that lies free in the ink; None without one."""
    contours, _ = cv2.findContours((ink > SHEET_INK).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) < MIN_SHEET_AREA * ink.size:
        return None
    x, y, width, height = cv2.boundingRect(largest)
    _, sides, _ = cv2.minAreaRect(largest)
    lies_free = 0 < x and 0 < y and x + width < ink.shape[1] and y + height < ink.shape[0]
    if not lies_free or cv2.contourArea(largest) < MIN_SHEET_FILL * sides[0] * sides[1]:
        return None
    inside = cv2.drawContours(np.zeros(ink.shape, np.uint8), [largest], -1, 1, cv2.FILLED)
    if (ink[inside > 0] > SHEET_INK).mean() < MIN_SHEET_FILL:
        return None
    margin = 2 * int(max(width, height) * SHEET_MARGIN) + 3
    return cv2.erode(inside, np.ones((margin, margin), np.uint8)) > 0


def _ink_on_paper(pixels: np.ndarray) -> np.ndarray:
    """Return the ink's strength as find_ink does, where most of the image is paper.

    The paper's brightness is fitted without any filter, which would have to be wider than a stroke. Ink is what differs from
    it to one side, the darker or the lighter, so dark and light ink are treated alike. Printed lines, the desk and shadows
    differ, too; they are told from ink by their shape and because they reach the image's border.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    paper = _paper_brightness(grey)
    for with_surfaces in (True, False):  # where no ink is left, what seemed a surface is a digit cut out tightly
        both = [_contrast(grey, paper, polarity, with_surfaces) for polarity in (-1, 1)]
        # The third power: few strong pixels count for more than many weak ones.
        contrast, noise = max(both, key=lambda found: np.vdot(found[0], found[0] * found[0]))
        strong = contrast[contrast > np.maximum(MIN_CONTRAST, MIN_SIGNAL_TO_NOISE * noise)]
        if strong.size:
            break
    else:
        return np.zeros(grey.shape, np.uint8)
    # Of several things that differ from the paper, such as a grey patch under the writing, ink is the strongest.
    of_ink = np.median(strong[strong > STRONG_FRACTION * np.percentile(strong, STRONG_PERCENTILE)])
    lowest, highest = PAPER_CONTRAST_RANGE
    none, full = np.clip(PAPER_NOISE * noise, lowest * of_ink, highest * of_ink), FULL_INK_CONTRAST * of_ink
    return (np.clip((contrast - none) / (full - none), 0, 1) * 255).astype(np.uint8)


def _contrast(grey: np.ndarray, paper: np.ndarray, polarity: int, with_surfaces: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return (contrast, noise): how far each pixel is beyond its paper, and the paper's noise, in grey levels.

    grey, paper: (height, width) float32, brightnesses. polarity: -1 for dark ink, 1 for light ink. with_surfaces: what is no ink
    but another surface, such as a desk, counts as paper of its own. Both results are (height, width) float32, as they would
    be in the image's usual light, for the same ink differs less from the same paper where less light falls on both.
    """
    beyond = polarity * (grey - paper)
    # Ink differs from the paper to one side, and another surface perhaps to the other: the smaller spread is the noise's.
    noise = max(min(_robust_std(beyond), _robust_std(beyond[beyond <= 0])), MIN_NOISE_STD)
    threshold = max(MIN_CONTRAST, MIN_SIGNAL_TO_NOISE * noise)
    beyond[_printed_lines(beyond > threshold)] = 0
    surface = _surfaces(beyond, threshold) if with_surfaces else np.zeros_like(beyond)
    contrast = np.maximum(beyond - surface, 0)
    covered = surface > threshold
    if covered.any():
        finest = int(TEXTURE_SIZE * max(grey.shape)) + 1
        texture = _robust_std((grey - cv2.blur(grey, (finest, finest)))[covered])
        contrast[covered & (contrast < MIN_SIGNAL_TO_NOISE * texture)] = 0
    light = np.maximum(paper + polarity * surface, 0) + LIGHT_OFFSET
    in_usual_light = np.median(_sample(light)) / light
    return contrast * in_usual_light, noise * in_usual_light


def _printed_lines(inked: np.ndarray) -> np.ndarray:
    """Return the mask, (height, width) bool, of the ruled lines, grids and borders of form cells in an inked one like it.

    A line is thin, straight and longer than a stroke; unlike a stroke, it runs from border to border, or to other lines.
    What stands up from it, in runs longer than the line is thick, is a stroke that crosses it, and stays whole. In the same
    way staves are removed from printed music.
    """
    thickest = round(MAX_LINE_THICKNESS * max(inked.shape))
    if thickest == 0 or not inked.any():  # in a miniature, strokes are as thin as lines
        return np.zeros(inked.shape, bool)
    inked = inked.astype(np.uint8)
    horizontal, vertical = _horizontal_lines(inked, thickest), [line.T for line in _horizontal_lines(inked.T.copy(), thickest)]
    horizontal, vertical = (
        [line for line in horizontal if _ends_at_border_or_line(line, vertical)],
        [line for line in vertical if _ends_at_border_or_line(line.T, [other.T for other in horizontal])],
    )
    nothing = np.zeros(inked.shape, np.uint8)
    across, down = np.max([nothing, *horizontal], axis=0), np.max([nothing, *vertical], axis=0)
    reach = 2 * thickest + 1  # where lines meet, each stands up from the other
    meetings = np.minimum(cv2.dilate(across, np.ones((1, reach), np.uint8)), cv2.dilate(down, np.ones((reach, 1), np.uint8)))
    corners = cv2.dilate(meetings, np.ones((3, 3), np.uint8))  # which blur rounds
    lines = np.max([across, down, corners], axis=0)
    strokes = cv2.morphologyEx(inked * (lines == 0), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    if not lines.any() or (len(horizontal) + len(vertical) == 1 and not strokes.any()):
        return nothing > 0  # a single line and nothing else is a one, cut out tightly
    # A line's soft edge goes with it, a stroke's soft edge stays.
    near_lines, near_strokes = cv2.dilate(lines, np.ones((5, 5), np.uint8)), cv2.dilate(strokes, np.ones((3, 3), np.uint8))
    return (near_lines > 0) & (near_strokes == 0)


def _ends_at_border_or_line(line: np.ndarray, others: list[np.ndarray]) -> bool:
    """Return whether a horizontal line begins and ends at the image's border or at one of the others, which are vertical.

    line, others: masks, (height, width) uint8.
    """
    height, width = line.shape
    columns = np.flatnonzero(line.any(axis=0))
    reach = round(MAX_LINE_END_DISTANCE * width)
    for column, is_border in ((columns[0], columns[0] <= reach), (columns[-1], columns[-1] >= width - 1 - reach)):
        row = int(np.flatnonzero(line[:, column]).mean())
        near = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        if not is_border and not any(other[near].any() for other in others):
            return False
    return True


def _horizontal_lines(inked: np.ndarray, thickest: int) -> list[np.ndarray]:
    """Return the masks, [(height, width) uint8 of 0 and 1], of what may be horizontal lines in inked, a mask like them.

    thickest: pixels, 1 or more.
    """
    standing = cv2.morphologyEx(inked, cv2.MORPH_OPEN, np.ones((thickest + 1, 1), np.uint8))
    flat = cv2.morphologyEx(inked * (standing == 0), cv2.MORPH_OPEN, np.ones((1, 2 * thickest), np.uint8))
    width = inked.shape[1]
    joined = cv2.dilate(flat, np.ones((1, round(MAX_LINE_GAP * width) | 1), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    lines = []
    for label in np.flatnonzero(stats[:, cv2.CC_STAT_WIDTH] >= MIN_LINE_LENGTH * width):
        line = flat * (labels == label)
        thickness = line.sum(axis=0)
        thickness = thickness[thickness > 0]
        if label > 0 and len(thickness) >= MIN_LINE_FRACTION * stats[label, cv2.CC_STAT_WIDTH]:
            # A line is as thick everywhere: where it is more than twice as thick, a stroke runs along it or crosses it.
            thicker = np.ones((2 * int(np.median(thickness)) + 1, 1), np.uint8)
            lines.append(line * (cv2.morphologyEx(inked, cv2.MORPH_OPEN, thicker) == 0))
    return [line for line in lines if line.any()]


def _robust_std(values: np.ndarray) -> float:
    """Return the standard deviation of values around 0 by their median absolute deviation, so that outliers don't count."""
    if values.size == 0:
        return 0.0
    sample = _sample(values)
    middle = sample.size // 2
    return MAD_TO_STD * float(np.partition(np.abs(sample), middle)[middle])


def _sample(values: np.ndarray) -> np.ndarray:
    """Return (N,) of the values, evenly taken: about MAX_SAMPLES, all of them where there are fewer."""
    return values.ravel()[:: max(values.size // MAX_SAMPLES, 1)]


def _surfaces(beyond: np.ndarray, threshold: float) -> np.ndarray:
    """Return how far another surface than the paper lies beyond it, (height, width) float32, 0 where there is none.

    beyond: (height, width) float32, grey levels beyond the paper. threshold: grey levels. A shadow or a desk reaches in from
    the border and is wide there, however hard or soft its edge. Its brightness is found by morphological reconstruction from
    the border (Vincent 1993), which fills what is enclosed, the ink on the surface, whatever the width of a stroke.
    """
    indices = np.arange(beyond.size).reshape(beyond.shape)
    ring = np.concatenate([indices[0], indices[1:, -1], indices[-1, -2::-1], indices[-2:0:-1, 0]])  # once round the border
    seeds = ring[_long_runs(beyond.flat[ring] > threshold, MIN_SURFACE_CONTACT * ring.size)]
    surface = np.zeros(beyond.shape, np.float32)
    if seeds.size == 0:
        return surface

    # From the highest level to the lowest: each uncovers what can be reached from the border without going below it.
    levels = np.linspace(beyond.flat[seeds].max(), threshold / 2, SURFACE_LEVELS + 1)
    for above, level in zip(levels[:-1], levels[1:], strict=True):
        count, labels = cv2.connectedComponents((beyond >= level).astype(np.uint8), connectivity=4)
        connected = np.zeros(count, bool)
        connected[labels.flat[seeds]] = True
        connected[0] = False  # the label of what lies below
        surface[connected[labels] & (surface == 0)] = above
    return surface


def _long_runs(values: np.ndarray, shortest: float) -> np.ndarray:
    """Return the bool values round a closed line, (N,), with only those runs of True left that are at least so long."""
    if values.all() or not values.any():
        return values
    start = int(np.argmin(values))  # a False, so that no run goes on from the end to the start
    turned = np.roll(values, -start).astype(np.uint8)[None]
    gap = max(int(MAX_SURFACE_GAP * values.size), 1)
    closed = cv2.morphologyEx(turned, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed.astype(np.uint8))
    kept = stats[:, cv2.CC_STAT_AREA] >= shortest
    kept[0] = False
    return np.roll(kept[labels[0]], start)


def _paper_brightness(grey: np.ndarray) -> np.ndarray:
    """Return the paper's brightness under the ink, (height, width) float32, in grey levels.

    grey: (height, width) float32, 0 to 255. From the shorth's midpoint, a quadratic surface is fitted by iteratively
    reweighted least squares (Tukey's biweight, Beaton and Tukey 1974): what is far from it, such as ink, a desk or a shadow,
    has no weight.
    """
    height, width = grey.shape
    small = reduce(grey, FIT_SIDE)
    terms = _quadratic_terms(*small.shape[::-1])
    values = small.ravel()
    surface = np.full_like(values, _shorth_midpoint(values))
    for _ in range(MAX_ITERATIONS):
        earlier, difference = surface, values - surface
        reach = max(BIWEIGHT_REACH * _robust_std(difference), MIN_BIWEIGHT_REACH)
        weights = np.clip(1 - (difference / reach) ** 2, 0, None) ** 2
        weighted = terms * weights[:, None]
        # The normal equations, solved by least squares: of an image one pixel wide, they determine not all terms.
        surface = terms @ np.linalg.lstsq(weighted.T @ terms, weighted.T @ values, rcond=None)[0]
        if np.abs(surface - earlier).max() < TOLERANCE:
            break

    surface = surface.reshape(small.shape).astype(np.float32)
    paper = cv2.resize(surface, (width, height), interpolation=cv2.INTER_CUBIC)
    # Thin lines darkened the reduction evenly; in the full image the paper is where most pixels are.
    return paper + _shorth_midpoint(_sample(grey - paper))


@functools.lru_cache(maxsize=8)
def _quadratic_terms(width: int, height: int) -> np.ndarray:
    """Return 1, x, y, x², xy and y² at each pixel, (height * width, 6) float; x and y go from -1 to 1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _shorth_midpoint(values: np.ndarray) -> float:
    """Return the middle of the narrowest range that holds half of the values, (N,), N at least 1 (Rousseeuw 1984)."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    start = int(np.argmin(ordered[half:] - ordered[: len(ordered) - half]))
    return (ordered[start] + ordered[start + half]) / 2
