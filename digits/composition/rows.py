"""Rows of digits side by side, as MNIST shows them: what the reading of touching and overlapping digits is measured on."""

from collections.abc import Iterator, Sequence

import numpy as np

from digits.data.dataset import Split

# Pixels between the bounding boxes of neighbours; each gap is a kind of row: digits that stand apart, touch, or overlap.
ROW_GAPS = (3, 0, -1, -2, -3)
MIN_ROW_LENGTH, MAX_ROW_LENGTH = 2, 7  # digits: most numbers that people write
GAP_INK_LEVEL = 60  # grey levels: fainter pixels, the rim of MNIST's strokes, do not belong to the bounding box
ROW_MARGIN = 4  # pixels around a row, beside the four that MNIST leaves above and below a digit


def compose_row(crops: Sequence[np.ndarray] | np.ndarray, gap: int) -> np.ndarray:
    """Return digits side by side, (36, width) uint8, white on black.

    crops: (28, 28) uint8 each, white on black. gap: pixels between their bounding boxes; below 0, they overlap.
    """
    parts, lefts, x = [], [], ROW_MARGIN
    for crop in crops:
        columns = np.flatnonzero(crop.max(axis=0) > GAP_INK_LEVEL)
        parts.append(crop[:, columns[0] : columns[-1] + 1])
        lefts.append(x)
        x += parts[-1].shape[1] + gap
    right = max(left + part.shape[1] for left, part in zip(lefts, parts, strict=True))
    row = np.zeros((len(crops[0]) + 2 * ROW_MARGIN, right + ROW_MARGIN), np.uint8)
    for part, left in zip(parts, lefts, strict=True):
        place = row[ROW_MARGIN:-ROW_MARGIN, left : left + part.shape[1]]
        np.maximum(place, part, out=place)
    return row


def random_rows(digits: Split, gap: int, count: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, str]]:
    """Yield this many rows as compose_row makes them, each with the digits in it.

    digits: at least MAX_ROW_LENGTH, each with ink above GAP_INK_LEVEL. gap: as in compose_row.
    """
    for _ in range(count):
        length = rng.integers(MIN_ROW_LENGTH, MAX_ROW_LENGTH, endpoint=True)
        places = rng.choice(len(digits.labels), length, replace=False)
        yield compose_row(digits.images[places], gap), "".join(map(str, digits.labels[places]))
