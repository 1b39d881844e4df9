"""Ink -> one mask a digit, in reading order."""

import cv2
import numpy as np

MOST_PIECES = 200  # pieces of ink that are looked at, the largest; a page of dots is no number. chosen
SPECK = 0.22  # of the tallest piece's longer side; smaller pieces are no strokes. chosen
SMALL_PIECE = 0.4  # of the tallest piece's height; lower ones are a part of a digit, not one. chosen
ATTACHED = 0.4  # of a digit's height: a small piece farther away does not belong to it. chosen


def find_digits(ink):
    """Return (masks, rows): one (height, width) bool mask a digit, in reading order, and the row of each from 0.

    ink: (height, width) uint8. Connected pieces of ink are digits or parts of one: a low piece joins the nearest tall
    one, tall ones that stand above each other are one broken digit.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > 80).astype(np.uint8), connectivity=8)
    boxes = stats[:, :4].astype(int)
    largest = sorted(range(1, count), key=lambda label: -max(boxes[label, 2:]))[:MOST_PIECES]
    pieces = _without_frame_and_specks([(label, *boxes[label]) for label in sorted(largest)], ink.shape)
    if not pieces:
        return [], []

    tallest = max(height for *_, height in pieces)
    widest = max(max(width, height) for *_, width, height in pieces)
    tall = [piece for piece in pieces if max(piece[4], piece[3] * 0.5) >= SMALL_PIECE * min(tallest, widest)]
    tall = tall or [max(pieces, key=lambda piece: max(piece[3:]))]
    digits = _join_stacked([[piece] for piece in sorted(tall, key=lambda piece: piece[1])])
    for piece in pieces:
        if piece not in tall:
            gaps = [min(_gap(piece, member) for member in digit) for digit in digits]
            nearest = int(np.argmin(gaps))
            if gaps[nearest] <= ATTACHED * tallest:
                digits[nearest].append(piece)

    masks, rows = [], []
    for row, members in enumerate(_rows(digits)):
        for digit in members:
            # The mask is grown a little, so that the soft edge of the strokes is kept.
            mask = np.isin(labels, [piece[0] for piece in digit]).astype(np.uint8)
            masks.append(cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(bool))
            rows.append(row)
    return masks, rows


def _without_frame_and_specks(pieces, shape):
    """Return the pieces (label, x, y, width, height) that can be strokes: no printed frame, desk's edge or speck."""
    height, width = shape

    def encloses_another(piece):
        _, x, y, w, h = piece
        return w * h > 0.4 * width * height and any(
            x < other[1] and y < other[2] and x + w > other[1] + other[3] and y + h > other[2] + other[4]
            and max(other[3:]) > 0.25 * max(w, h)
            for other in pieces
        )  # fmt: skip

    def touches_border(piece):
        _, x, y, w, h = piece
        return x == 0 or y == 0 or x + w == width or y + h == height

    pieces = [piece for piece in pieces if not encloses_another(piece)]
    inner = [piece for piece in pieces if not touches_border(piece)]
    if inner:
        largest = max(max(piece[3:]) for piece in inner)
        # Where a good-sized piece lies free, what runs into the border is the neighbourhood's.
        if largest >= 0.2 * min(width, height):
            pieces = inner
    longest = max((max(piece[3:]) for piece in pieces), default=0)
    return [piece for piece in pieces if max(piece[3:]) >= max(SPECK * longest, 3)]


def _join_stacked(digits):
    """Return the digits, lists of pieces from left to right, with those joined that overlap in width and height."""
    joined = []
    for digit in digits:
        x, y, width, height = digit[0][1:]
        for other in joined:
            left, top, right, bottom = _bounds(other)
            across = min(right, x + width) - max(left, x)
            apart = max(top, y) - min(bottom, y + height)
            if across >= 0.6 * min(width, right - left) and apart < 0.1 * height:
                other.extend(digit)
                break
        else:
            joined.append(digit)
    return joined


def _rows(digits):
    """Return the digits in rows, top to bottom, each from left to right. A row may slope: it is a chain of
    neighbours, each of which overlaps the one before it in height."""
    rows = []
    for digit in sorted(digits, key=lambda digit: _bounds(digit)[0]):
        _, top, _, bottom = _bounds(digit)
        overlaps = []
        for row in rows:
            _, row_top, _, row_bottom = _bounds(row[-1])
            overlap = min(bottom, row_bottom) - max(top, row_top)
            overlaps.append(overlap / min(bottom - top, row_bottom - row_top))
        if overlaps and max(overlaps) > 0.3:
            rows[int(np.argmax(overlaps))].append(digit)
        else:
            rows.append([digit])
    return sorted(rows, key=lambda row: np.mean([_bounds(digit)[1::2] for digit in row]))


def _bounds(digit):
    """Return left, top, right, bottom of a list of pieces."""
    return (
        min(x for _, x, _, _, _ in digit),
        min(y for _, _, y, _, _ in digit),
        max(x + width for _, x, _, width, _ in digit),
        max(y + height for _, _, y, _, height in digit),
    )


def _gap(piece, other):
    """Return the distance between the boxes of two pieces, in pixels, the larger of across and down."""
    across = max(piece[1] - other[1] - other[3], other[1] - piece[1] - piece[3], 0)
    down = max(piece[2] - other[2] - other[4], other[2] - piece[2] - piece[4], 0)
    return max(across, down)
