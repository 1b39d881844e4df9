"""Ink -> candidates: pieces of ink that may be one digit each, as a graph through which every way is a reading.

Digits that touch can't be told from one wide digit by their shape alone: only who reads them can. So nothing is
decided here that needs reading. Wide ink is offered whole and cut in several ways, and the recogniser takes the way
with the best digits (LeCun, Bottou, Bengio and Haffner 1998, section VII: over-segmentation and a segmentation graph).
"""

from typing import NamedTuple

import cv2
import numpy as np

INK = 80  # of 255; ink at least so strong makes up a stroke. chosen
MOST_PIECES = 200  # pieces of ink that are looked at, the largest; a page of dots is no number. chosen
SPECK = 0.22  # of the tallest piece's longer side; smaller pieces are no strokes. chosen
SMALL_PIECE = 0.4  # of the tallest piece's height; lower ones are a part of a digit, not one. chosen
ATTACHED = 0.4  # of a digit's height: a small piece farther away does not belong to it. chosen

SLANTS = np.arange(-0.3, 0.91, 0.15)
CUTS_APART = 0.12
SCRAP = 0.35
CUT_FROM = 0.5  # width by height; narrower ink is not cut
CUT_HEIGHT = 48  # pixels to which ink is reduced before it is cut
LOW_PART = 0.5  # of the height before the cut; no digit is lower than this beside its neighbour. chosen
WIDEST_PART = 1.8  # width by height; wider parts of cut ink are not offered. chosen


class Candidate(NamedTuple):
    """What may be one digit.

    box: (x, y, width, height) in pixels. ink: (height, width) uint8, zero where it is not the digit's. row: from 0.
    start, end: the digit leads from one place between digits to a later one; places are counted in reading order.
    """

    box: tuple
    ink: np.ndarray
    row: int
    start: int
    end: int
    met: float = 0


def find_digits(ink):
    """Return the Candidates in the ink, (height, width) uint8, by start. Every way from place 0 to the last is a reading."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > INK).astype(np.uint8), connectivity=8)
    boxes = stats[:, :4].astype(int)
    largest = sorted(range(1, count), key=lambda label: -max(boxes[label, 2:]))[:MOST_PIECES]
    pieces = _without_frame_and_specks([(label, *boxes[label]) for label in sorted(largest)], ink.shape)
    if not pieces:
        return []

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

    candidates, place = [], 0
    for row, members in enumerate(_rows(digits)):
        for digit in members:
            (x, y), strokes = _strokes(ink, labels, digit)
            cuts = _cuts(strokes)
            for start, end, part, met in _parts(strokes, cuts):
                box = cv2.boundingRect(part)
                inked = part[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
                candidates.append(Candidate((x + box[0], y + box[1], *box[2:]), inked, row, place + start, place + end, met))
            place += len(cuts) + 1
    return candidates


def _strokes(ink, labels, digit):
    """Return the corner (x, y) of a digit, a list of pieces, and its ink alone, (height, width) uint8."""
    left, top, right, bottom = _bounds(digit)
    left, top, right, bottom = max(left - 1, 0), max(top - 1, 0), right + 1, bottom + 1
    mask = np.isin(labels[top:bottom, left:right], [piece[0] for piece in digit]).astype(np.uint8)
    # The mask is grown a little, so that the soft edge of the strokes is kept.
    return (left, top), ink[top:bottom, left:right] * cv2.dilate(mask, np.ones((3, 3), np.uint8))


# ---- cutting --------------------------------------------------------------------------------------------------


def _cuts(strokes):
    """Return where wide ink may be cut, from left to right: for each cut the column in each row, (height,) float.

    Cuts are straight lines, each slanted so that it meets the least ink; the ones with the least ink are kept.
    """
    x, y, width, height = cv2.boundingRect((strokes > INK).astype(np.uint8))
    if width < CUT_FROM * height:
        return []
    scale = CUT_HEIGHT / height
    size = round(width * scale), CUT_HEIGHT
    inked = (strokes[y : y + height, x : x + width] > INK).astype(np.uint8) * 255
    inked = cv2.resize(inked, size, interpolation=cv2.INTER_AREA)
    # The writer's slant is the one at which strokes gather in the fewest columns.
    columns = []
    for slant in SLANTS:
        room = round(abs(slant) * CUT_HEIGHT / 2)
        shear = np.array([[1, slant, room - slant * CUT_HEIGHT / 2], [0, 1, 0]], np.float32)
        columns.append(cv2.warpAffine(inked, shear, (size[0] + 2 * room, CUT_HEIGHT)).mean(axis=0)[room:room+size[0]])
    best = int(np.argmax([np.sum(c**2) for c in columns]))
    least, slant = columns[best], SLANTS[best]

    apart, chosen = CUTS_APART * CUT_HEIGHT, []
    for column in np.argsort(least, kind="stable"):
        if apart <= column < size[0] - apart and all(abs(column - other) >= apart for other in chosen):
            chosen.append(column)
    rows = np.arange(strokes.shape[0]) - y - height / 2
    columns = np.arange(strokes.shape[1]) + 0.5
    cuts = []
    for column in sorted(chosen):
        line = x + (column + 0.5) / scale - slant * rows
        left = _without_scraps((strokes > INK).astype(np.uint8), columns < line[:, None], SCRAP * height)
        if all(_height(strokes * side) >= LOW_PART * height for side in (left, ~left)):
            cuts.append((left, float(least[column]) / 255))
    return cuts


def _without_scraps(inked, left, small):
    """Return the mask of what is left of a cut with the scraps that the line cut off given back to the other side."""
    left = left.copy()
    for side in (left.astype(np.uint8), (~left).astype(np.uint8)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(inked * side, connectivity=8)
        across = cv2.dilate(inked * (1 - side), np.ones((3, 3), np.uint8))
        touching = np.unique(labels[across > 0])
        for label in touching[touching > 0]:
            if max(stats[label, 2:4]) < small:
                scrap = cv2.dilate((labels == label).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
                left[scrap] = side[0, 0] == 0 if False else not bool(left[labels == label][0])
    return left


def _height(strokes):
    return cv2.boundingRect((strokes > INK).astype(np.uint8))[3]


def _parts(strokes, cuts):
    """Yield (start, end, ink) of what lies between any two cuts, or beyond them, and may be one digit."""
    nothing, everything = np.zeros(strokes.shape, bool), np.ones(strokes.shape, bool)
    edges = [nothing, *[c[0] for c in cuts], everything]
    mets = [0, *[c[1] for c in cuts], 0]
    for start in range(len(edges) - 1):
        for end in range(start + 1, len(edges)):
            part = strokes * (edges[end] & ~edges[start])
            _, _, width, height = cv2.boundingRect((part > INK).astype(np.uint8))
            if height < LOW_PART * strokes.shape[0]:
                continue
            if end == start + 1 or width <= WIDEST_PART * height or end - start == len(edges) - 1:
                yield start, end, part, mets[start] + mets[end]


# ---- what is a digit ------------------------------------------------------------------------------------------


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
