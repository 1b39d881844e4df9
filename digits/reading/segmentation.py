"""Ink -> segments: pieces of ink that may be one digit each, as a graph in which every path is a reading.

Digits that touch can't be told from one wide digit by their shape alone, only by reading them. So nothing that needs
reading is decided here. Wide ink is offered whole and cut at several places, and the reader takes the path with the
best digits (over-segmentation and a segmentation graph: LeCun, Bottou, Bengio and Haffner 1998, section VII).

Where a line gives no source, its constant was set by hand on own_digits; docs/constants.md shows what a third more or less of
each changes.
"""

from typing import NamedTuple

import cv2
import numpy as np

from digits.reading.results import Box

INK, STRONG_INK = 50, 127  # of 255; a stroke holds together through faint ink, but is strong somewhere
MOST_PIECES = 200  # the largest pieces of ink, which are looked at; a page of dots is no number
LEAST_SIDE = 3  # pixels of the longer side; nothing smaller is looked at

# Shares of a digit's height, the usual one on the page.
LOWEST_DIGIT = 0.45  # a lower piece is a part of a digit or none
TALLEST_DIGIT = 3.0  # a taller piece among several is a line or a frame
WIDEST_PIECE = 1.5  # a low piece that is wider is no part of a digit
SPECK = 0.22  # a piece whose longer side is shorter is no stroke
COMMA = 0.35  # a piece up to this size beside a digit's foot is a comma or a full stop
NEAR_STROKE, NEAR_SPECK = 0.3, 0.06  # how far from a digit a stroke and a speck that belong to it may lie
NEAR_PIECE = 0.15  # how far apart the boxes of low pieces may lie that are one broken digit
AT_BORDER = 0.6  # what runs into the image's border is cut off where it is lower than this
STACKED_APART = 0.1  # how far apart two parts of a broken digit may stand above each other
TALLEST_STACK = 1.5  # among more than two tall pieces, two that are taller together are two digits in two rows

# Other shares.
INSIDE_FRAME = 0.25  # of a frame's height: a piece inside that is taller makes it one; what a digit's loop holds are specks
ROUND = 0.9  # of all directions: a frame has ink in so many, for circles are not always closed
DIRECTIONS = 36  # into which a full turn is divided
ALONG_BORDER = 0.8  # of a piece's longer side: what touches the border for longer is the desk's edge
LEAST_BROKEN = 1.5  # times LOWEST_DIGIT: low pieces that are together at least so tall are a broken digit
FOOT = 0.6  # of a digit's height, from its top: a comma begins below
STACKED_ACROSS = 0.6  # of the narrower one's width: two parts of a broken digit overlap by at least so much across ...
STACKED_OVERLAP = 0.5  # ... and down by less than this share of the smaller one's height
SAME_ROW = 0.3  # of the smaller one's height: neighbours in a row overlap by more

# Cutting.
CUT_FROM = 0.75  # width by height; narrower ink is not cut: about 4 % of 300 pairs of MNIST's digits that touch are narrower
LEAST_CUT = 12  # pixels; lower ink is not cut: touching digits so small can't be read, and a printed page has many
CUT_HEIGHT = 48  # pixels; ink is reduced to this height before cuts are looked for
CUT_SLANTS = np.arange(-0.3, 0.91, 0.15)  # pixels to the left for each one down; most people lean to the right
CUTS_APART = 0.12  # of the height: about a stroke's width
MOST_CUTS = 60  # as ten digits in one stroke have; ink with more is a texture, and takes seconds. Own_digits: 13
LOWEST_PART = 0.5  # of the height before the cut: a lower part is not offered
SCRAP = 0.35  # of the height: smaller than this, what a cut takes off a stroke's end goes back to the stroke
WIDEST_PART = 1.8  # width by height: a wider part is not offered
WIDEST_DIGIT = 1.3  # width by height of two pieces that are offered as one digit, at most

# What a segment's shape costs, in units of log-odds. Set together with MAX_LOG_ODDS and CUT_ONE_COST in segmentation_graph.py on
# MNIST's training digits, 1,200 single ones and 600 pairs pushed together until they touch. Of the single ones 5 come apart, 4
# without any cutting; of the pairs 65 % are read, 68 % with the numbers that are best for pairs alone.
WIDE_FROM, WIDE = 0.7, 10.0  # width by height from which a digit is wide, and the cost of each further height of width
LOW = 8.0  # cost of a part that is lower than what it was cut from, times the share that it is lower
JOINED = 4.0  # cost of two pieces as one digit


class Segment(NamedTuple):
    """What may be one digit.

    box: (x, y, width, height) in pixels. ink: (height, width) uint8, zero where it is not the digit's. row: from 0.
    start, end: the nodes of the segmentation graph between which it is an edge; a node is a boundary at which one digit may
    end and the next begin, numbered in reading order from 0. cost: what its shape says against its being a digit, in units
    of log-odds, 0 or more. cut: whether it is a part of wider ink.
    """

    box: Box
    ink: np.ndarray
    row: int
    start: int
    end: int
    cost: float
    cut: bool


class _Piece(NamedTuple):
    """Connected ink: its label and its box in pixels."""

    label: int
    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


def find_segments(ink: np.ndarray, cutting: bool = True) -> list[Segment]:
    """Return the Segments in the ink, [] where there are none. Every path from node 0 to the last node is a reading.

    ink: (height, width) uint8, as ink.find_ink returns it. cutting: False offers each digit's ink only whole, which takes a
    quarter of the time.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > INK).astype(np.uint8), connectivity=8)
    pieces = [_Piece(label, *stats[label, :4].tolist()) for label in range(1, count)]
    pieces = sorted(pieces, key=lambda piece: -max(piece.width, piece.height))[:MOST_PIECES]
    strong = np.bincount(labels[ink > STRONG_INK], minlength=count)  # hysteresis, as in Canny 1986
    pieces = [piece for piece in pieces if max(piece.width, piece.height) >= LEAST_SIDE and strong[piece.label]]
    pieces = _without_margins(_without_frames(pieces, labels), labels)
    if not pieces:
        return []

    segments: list[Segment] = []
    node = 0
    for row, digits in enumerate(_rows(_digits(pieces, labels))):
        before = None  # the digit to the left and the node at which it starts
        for digit in digits:
            left, top, strokes = _strokes(ink, labels, digit)
            cuts = _cuts(strokes) if cutting else []
            end = node + len(cuts) + 1
            if cutting and before and _may_be_one(before[0], digit):
                joined_left, joined_top, joined = _strokes(ink, labels, before[0] + digit)
                segments.append(_segment(joined_left, joined_top, joined, row, before[1], end, JOINED))
            for first, last, part in _parts(strokes, cuts):
                cut = last - first <= len(cuts)
                cost = LOW * (1 - cv2.boundingRect(part)[3] / len(part)) if cut else 0.0
                segments.append(_segment(left, top, part, row, node + first, node + last, cost, cut))
            before, node = (digit, node), end
    return segments


def _segment(left, top, strokes, row, start, end, cost, cut=False):
    """Return strokes, whose frame begins at left and top, as a Segment; being wide adds to its cost."""
    x, y, width, height = cv2.boundingRect(strokes)
    cost += WIDE * max(width / height - WIDE_FROM, 0)
    return Segment((left + x, top + y, width, height), strokes[y : y + height, x : x + width], row, start, end, cost, cut)


# ---- which pieces are strokes of digits -----------------------------------------------------------------------


def _usual_height(pieces):
    """Return the height in pixels such that half of the pieces' heights, laid end to end, belong to lower pieces.

    So specks count for little, however many they are, and so does one tall line beside a row of digits.
    """
    heights = np.sort([piece.height for piece in pieces])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def _without_frames(pieces, labels):
    """Return the pieces without frames, such as a form's cell or a circle, that run round another piece of some size."""

    def is_frame(piece):
        inside = [
            other for other in pieces
            if piece.x < other.x and piece.y < other.y and piece.right > other.right and piece.bottom > other.bottom
            and other.height > INSIDE_FRAME * piece.height
        ]  # fmt: skip
        if not inside:
            return False
        rows, columns = np.nonzero(labels[piece.y : piece.bottom, piece.x : piece.right] == piece.label)
        return any(_directions(rows + piece.y, columns + piece.x, other) >= ROUND for other in inside)

    return [piece for piece in pieces if not is_frame(piece)]


def _directions(rows, columns, piece):
    """Return the share of all directions in which one of these pixels lies, as seen from the middle of a piece."""
    angles = np.arctan2(rows - (piece.y + piece.bottom) / 2, columns - (piece.x + piece.right) / 2)
    return len(np.unique(np.floor(angles * (DIRECTIONS / 2 / np.pi)) % DIRECTIONS)) / DIRECTIONS


def _without_margins(pieces, labels):
    """Return the pieces without those at the border that are the desk's edge or cut off from the neighbourhood.

    What does not touch the border tells how tall digits are here. A piece at the border is a digit if it is about as tall,
    does not lie along the border and does not cross it twice; or if it is so tall that all else is specks beside it.
    """
    height, width = labels.shape
    if all(piece.x > 0 and piece.y > 0 and piece.right < width and piece.bottom < height for piece in pieces):
        return pieces
    touching, crossing = np.zeros((2, labels.max() + 1), int)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching += np.bincount(side, minlength=len(touching))
        entered = side[np.flatnonzero(np.diff(side, prepend=0))]
        crossing = np.maximum(crossing, np.bincount(entered, minlength=len(touching)))
    free = [piece for piece in pieces if not touching[piece.label]]
    at_border = [piece for piece in pieces if touching[piece.label]]
    if not free or not at_border:
        return pieces
    usual = _usual_height(free)
    at_border = [p for p in at_border if touching[p.label] <= ALONG_BORDER * max(p.width, p.height)]
    tallest = max((piece.height for piece in at_border), default=0)
    if usual < SPECK * tallest and tallest > height / 2:
        return pieces
    return free + [
        piece for piece in at_border if AT_BORDER <= piece.height / usual <= 1 / AT_BORDER and crossing[piece.label] == 1
    ]


def _digits(pieces, labels):
    """Return the pieces as digits, each a list of pieces with the tallest first; what is no part of one is left out."""
    usual = _usual_height(pieces)
    tall = [piece for piece in pieces if LOWEST_DIGIT <= piece.height / usual <= TALLEST_DIGIT]
    digits = _join_stacked([[piece] for piece in sorted(tall, key=lambda piece: -piece.height)], usual)
    low = [piece for piece in pieces if piece.height < LOWEST_DIGIT * usual and piece.width < WIDEST_PIECE * usual]
    if not low:
        return digits

    digit_of = np.full(labels.max() + 1, -1)
    for i, digit in enumerate(digits):
        digit_of[[piece.label for piece in digit]] = i
    owner = digit_of[labels]
    # For each pixel the distance to the nearest digit and one of its pixels.
    distance, nearest = cv2.distanceTransformWithLabels(
        (owner < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner_of = np.zeros(nearest.max() + 1, int)
    owner_of[nearest[owner >= 0]] = owner[owner >= 0]
    lonely = []
    for piece in low:
        window = np.s_[piece.y : piece.bottom, piece.x : piece.right]
        away = np.where(labels[window] == piece.label, distance[window], np.inf)
        closest = np.unravel_index(np.argmin(away), away.shape)
        digit = digits[owner_of[nearest[window][closest]]]
        size = max(piece.width, piece.height)
        near = NEAR_STROKE if size >= SPECK * usual else NEAR_SPECK
        if away[closest] > near * usual and near == NEAR_STROKE:
            lonely.append(piece)
        elif away[closest] <= near * usual and not _is_comma(piece, digit[0], size / usual):
            digit.append(piece)
    return digits + _broken(lonely, usual)


def _broken(pieces, usual):
    """Return the digits all of whose pieces are low: groups of close pieces that are together as tall as a digit."""
    groups = []
    for piece in pieces:
        group = [piece]
        for other in [other for other in groups if _gap(_bounds(other), _bounds(group)) <= NEAR_PIECE * usual]:
            groups.remove(other)
            group += other
        groups.append(group)
    heights = [_bounds(group)[3] - _bounds(group)[1] for group in groups]
    lowest, tallest = LOWEST_DIGIT * LEAST_BROKEN * usual, TALLEST_DIGIT * usual
    return [group for group, height in zip(groups, heights, strict=True) if lowest <= height <= tallest]


def _gap(bounds, other):
    """Return the distance between two boxes as _bounds gives them, in pixels: the larger of across and down."""
    across = max(bounds[0], other[0]) - min(bounds[2], other[2])
    return max(across, max(bounds[1], other[1]) - min(bounds[3], other[3]))


def _is_comma(piece, digit, size):
    """Return whether a piece is small and lies beside a digit's foot. size: its longer side, of a digit's usual height."""
    beside = piece.x >= digit.right or piece.right <= digit.x
    return size <= COMMA and beside and piece.y > digit.y + FOOT * digit.height


def _join_stacked(digits, usual):
    """Return the digits, lists of pieces, with those joined that stand above each other and are one broken digit."""
    joined = []
    for digit in digits:
        left, top, right, bottom = _bounds(digit)
        for other in joined:
            x, y, far, foot = _bounds(other)
            across = min(right, far) - max(left, x)
            apart = max(top, y) - min(bottom, foot)
            stand_above_each_other = (
                across >= STACKED_ACROSS * min(right - left, far - x)
                and -STACKED_OVERLAP * min(bottom - top, foot - y) < apart < STACKED_APART * usual
            )
            together = max(bottom, foot) - min(top, y)
            if stand_above_each_other and (together < TALLEST_STACK * usual or len(digits) <= 2):
                other.extend(digit)
                break
        else:
            joined.append(digit)
    return joined


def _may_be_one(digit, other):
    """Return whether two neighbours in a row are so close that they may be strokes of one digit, such as an open 4."""
    left, top, right, bottom = _bounds(digit + other)
    apart = _bounds(other)[0] - _bounds(digit)[2]
    return apart <= NEAR_SPECK * (bottom - top) and right - left <= WIDEST_DIGIT * (bottom - top)


def _rows(digits):
    """Return the digits in rows, top to bottom, each from left to right.

    A row is a chain of neighbours, each of which overlaps the one before it in height, so a row may bend. The median slope
    from neighbour to neighbour is taken out first, so a row with a gap may slope, too.
    """
    if len(digits) == 1:
        return [digits]
    bounds = np.array([_bounds(digit) for digit in digits], float)
    middles = (bounds[:, :2] + bounds[:, 2:]) / 2
    slopes = []
    for middle in middles:
        across, down = (middles - middle).T
        after = np.flatnonzero((across > 0) & (np.abs(down) < across))
        if len(after):
            neighbour = after[np.argmin(across[after] + np.abs(down[after]))]
            slopes.append(down[neighbour] / across[neighbour])
    slopes.sort()
    # The flatter one of two in the middle: a digit below another has a neighbour up the slope, in the row above.
    slope = min(slopes[(len(slopes) - 1) // 2], slopes[len(slopes) // 2], key=abs) if slopes else 0.0
    level = slope * middles[:, 0]
    tops, bottoms = bounds[:, 1] - level, bounds[:, 3] - level

    rows = []
    for i in np.argsort(bounds[:, 0], kind="stable"):
        last = np.array([row[-1] for row in rows], int)
        overlaps = np.minimum(bottoms[i], bottoms[last]) - np.maximum(tops[i], tops[last])
        overlaps /= np.minimum(bottoms[i] - tops[i], bottoms[last] - tops[last])
        if len(rows) and overlaps.max() > SAME_ROW:
            rows[int(np.argmax(overlaps))].append(i)
        else:
            rows.append([i])
    rows.sort(key=lambda row: np.mean(tops[row] + bottoms[row]))
    return [[digits[i] for i in row] for row in rows]


def _bounds(digit):
    """Return left, top, right, bottom of a list of pieces."""
    return (
        min(piece.x for piece in digit),
        min(piece.y for piece in digit),
        max(piece.right for piece in digit),
        max(piece.bottom for piece in digit),
    )


def _strokes(ink, labels, digit):
    """Return left, top and the ink of a digit, a list of pieces, without its neighbours': (height, width) uint8."""
    left, top, right, bottom = _bounds(digit)
    left, top, right, bottom = max(left - 1, 0), max(top - 1, 0), right + 1, bottom + 1
    mask = np.isin(labels[top:bottom, left:right], [piece.label for piece in digit]).astype(np.uint8)
    # The mask is grown by a pixel, so that the soft edge of the strokes is kept.
    return left, top, ink[top:bottom, left:right] * cv2.dilate(mask, np.ones((3, 3), np.uint8))


# ---- cutting --------------------------------------------------------------------------------------------------


def _cuts(strokes):
    """Return the cuts offered for a digit's ink, from left to right: [(height, width) bool], what lies left of each.

    A cut follows the writer's slant, which is the one at which the ink gathers in the fewest columns. Cuts that meet the
    least ink are taken first, others only where they lie far enough from these.
    """
    inked = (strokes > INK).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(inked)
    if width < CUT_FROM * height or height < LEAST_CUT:
        return []
    scale = CUT_HEIGHT / height
    size = (round(width * scale), CUT_HEIGHT)
    small = cv2.resize(inked[y : y + height, x : x + width] * 255, size, interpolation=cv2.INTER_AREA)
    met = []  # for each slant the mean ink along the slanted lines, by the column at which they cross the middle row
    for slant in CUT_SLANTS:
        room = int(np.ceil(abs(slant) * CUT_HEIGHT / 2))
        shear = np.array([[1, slant, room - slant * CUT_HEIGHT / 2], [0, 1, 0]])
        met.append(cv2.warpAffine(small, shear, (size[0] + 2 * room, CUT_HEIGHT)).mean(axis=0)[room : -room or None])
    sharpest = int(np.argmax([np.sum(ink**2) for ink in met]))

    apart = int(np.ceil(CUTS_APART * CUT_HEIGHT))
    chosen, offered = [], np.zeros(size[0], bool)
    offered[apart : size[0] - apart + 1] = True
    for column in np.argsort(met[sharpest], kind="stable"):
        if offered[column]:
            chosen.append(column)
            offered[max(column - apart + 1, 0) : column + apart] = False
    if len(chosen) > MOST_CUTS:
        return []
    rows, columns = np.mgrid[: strokes.shape[0], : strokes.shape[1]]
    slanted = columns + CUT_SLANTS[sharpest] * (rows - y - height / 2)
    cuts = [_without_scraps(inked, slanted < x + column / scale, SCRAP * height) for column in sorted(chosen)]
    return [left for left in cuts if min(_ink_height(inked * left), _ink_height(inked * ~left)) >= LOWEST_PART * height]


def _without_scraps(inked, left, size):
    """Return left, the mask of what lies left of a cut, with small scraps that the cut took off a stroke given back to it.

    inked: (height, width) uint8 of 0 and 1. left: (height, width) bool. size: of a scrap's longer side, in pixels.
    """
    given_back = left.copy()
    for side in (left, ~left):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(inked * side, connectivity=8)
        across = cv2.dilate(inked * ~side, np.ones((3, 3), np.uint8))
        for label in np.unique(labels[across > 0]):
            if label and max(stats[label, 2:4]) < size:
                # A scrap goes with its soft edge, except for what belongs to another stroke.
                scrap = cv2.dilate((labels == label).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
                given_back[scrap & ~((labels > 0) & (labels != label))] = side is not left
    return given_back


def _parts(strokes, cuts):
    """Yield (start, end, ink) of what lies between any two cuts, or beyond them, and may be one digit.

    start, end: the nodes before and after it, from 0 within these strokes. ink: (height, width) uint8, as the strokes.
    """
    edges = [np.zeros(strokes.shape, bool), *cuts, np.ones(strokes.shape, bool)]
    for start in range(len(edges) - 1):
        for end in range(start + 1, len(edges)):
            part = strokes * (edges[end] & ~edges[start])
            _, _, width, height = cv2.boundingRect((part > INK).astype(np.uint8))
            whole = end - start == len(edges) - 1
            if whole or (height >= LOWEST_PART * strokes.shape[0] and width <= WIDEST_PART * height):
                yield start, end, part


def _ink_height(inked):
    """Return the height in pixels of the box around what is not zero."""
    return cv2.boundingRect(inked)[3]
