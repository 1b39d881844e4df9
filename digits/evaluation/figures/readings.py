"""Figures about people's own images: what was read in each of them."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digits.common.formatting import counted
from digits.data.labels import matches
from digits.evaluation.figures.style import (
    BOX,
    CORRECT,
    GREY,
    NEUTRAL,
    SMALL_SIZE,
    TINY_SIZE,
    UNSURE,
    WRONG,
    Canvas,
    draw_crop,
    draw_probabilities,
    draw_thumbnail,
    shortened,
)
from digits.reading.results import Reading

MAX_CROPS = 4  # digits of a number whose crops are shown
MAX_MISREAD_IMAGES = 60  # readings in errors_with_crops: a page of 15 rows
MAX_SHEET = 600  # images in labelled_sheet: 60 rows
SHEET_COLUMNS = 10

# Inches. A tile shows one reading: the image, then its crops, each above its probabilities, below two lines of text.
IMAGE_SIDE, CROP_SIDE, BARS_HEIGHT = 1.25, 0.72, 0.4
CROP_GAP, TILE_GAP, TILE_HEAD = 0.08, 0.35, 0.34
ROW_GAP = 0.3
PAGE_WIDTH = 4 * (IMAGE_SIDE + CROP_GAP + CROP_SIDE + TILE_GAP) - TILE_GAP  # four tiles with one digit each
MIN_WIDTH = 5.6  # for the two lines at the figure's head
CHARACTERS_PER_INCH = 19  # of the small type, on average


class _Tile(NamedTuple):
    """A reading, and the line above it: a text and a note behind it, in a colour."""

    reading: Reading
    text: str
    note: str
    colour: str

    @property
    def width(self) -> float:
        """Inches, before the tile is scaled."""
        return IMAGE_SIDE + max(1, min(len(self.reading.digits), MAX_CROPS)) * (CROP_GAP + CROP_SIDE)


def custom_predictions(readings: Sequence[Reading], left_out: int = 0) -> Figure:
    """Return the figure of each image with its digits boxed, their crops, and their probabilities as bars.

    left_out: images that were read and are not shown.
    """
    tiles = []
    for reading in readings:
        if reading.status == "ok":
            tiles.append(_Tile(reading, reading.text, "", NEUTRAL))
        elif reading.status == "unsure":
            tiles.append(_Tile(reading, reading.text, " (not sure)", UNSURE))
        else:
            tiles.append(_Tile(reading, reading.status, "", WRONG))
    images = counted(len(readings) + left_out, "image")
    return _draw_tiles(f"What was read in {f'the first {len(readings)} of ' if left_out else ''}{images}", tiles)


def errors_with_crops(title: str, labels: Sequence[str], readings: Sequence[Reading]) -> Figure:
    """Return the figure of the images that were not read as labelled, up to 60, with what the network saw."""
    tiles = [
        _Tile(reading, f"{label} read as {reading.text}" if reading.text else f"{label}: {reading.status}", "", WRONG)
        for label, reading in zip(labels, readings, strict=True)
        if not matches(reading.text, label)
    ]
    return _draw_tiles(
        title + _left_out(len(tiles), MAX_MISREAD_IMAGES) if tiles else f"{title}: none", tiles[:MAX_MISREAD_IMAGES]
    )


def labelled_sheet(title: str, labels: Sequence[str], readings: Sequence[Reading]) -> Figure:
    """Return the figure of every image, up to 600, with what was read in it; of an error, the label first."""
    pairs = list(zip(labels, readings, strict=True))[:MAX_SHEET]
    cell, height = 1.0, 1.15  # inches
    rows = max(1, -(-len(pairs) // SHEET_COLUMNS))
    subtitle = "Above each image: what was read; blue: as labelled, orange: an error, ?: not sure."
    canvas = Canvas(title + _left_out(len(labels), MAX_SHEET), subtitle, SHEET_COLUMNS * cell - 0.1, rows * height - 0.15)
    for i, (label, reading) in enumerate(pairs):
        axes = canvas.axes(i % SHEET_COLUMNS * cell, i // SHEET_COLUMNS * height + 0.2, cell - 0.1, cell - 0.1)
        if reading.thumbnail is None:
            axes.axis("off")
        else:
            draw_thumbnail(axes, reading.thumbnail)
        correct = matches(reading.text, label)
        answer = (shortened(reading.text, 10) or reading.status) + ("?" if reading.status == "unsure" else "")
        line = answer if correct else f"{shortened(label, 6)}→{shortened(answer, 7)}"
        axes.set_title(line, fontsize=SMALL_SIZE, fontweight="normal", pad=3, color=CORRECT if correct else WRONG)
    return canvas.figure


def _draw_tiles(title: str, tiles: Sequence[_Tile]) -> Figure:
    """Return the figure of the tiles, in their order, as many in a row as fit. A few small ones are enlarged to fill the row."""
    places, left, row = [], 0.0, 0
    for tile in tiles:
        if left and left + tile.width > PAGE_WIDTH + 0.01:  # the sum of widths may be rounded
            left, row = 0.0, row + 1
        places.append((left, row))
        left += tile.width + TILE_GAP
    width = max((left + tile.width for (left, _), tile in zip(places, tiles, strict=True)), default=PAGE_WIDTH)
    scale = max(1.0, MIN_WIDTH / width)
    height = TILE_HEAD + scale * IMAGE_SIDE + ROW_GAP
    subtitle = "Left: the image, its digits boxed. Right: what the network saw, and the probability of each digit, 0 to 1."
    canvas = Canvas(title, subtitle, scale * width, (row + 1) * height - ROW_GAP)
    for (left, row), tile in zip(places, tiles, strict=True):
        _draw_tile(canvas, scale * left, row * height, scale, tile)
    return canvas.figure


def _draw_tile(canvas: Canvas, left: float, top: float, scale: float, tile: _Tile) -> None:
    """Draw one tile. left, top: inches, as in Canvas.axes. scale: how many times as large as its width says."""
    reading, width = tile.reading, scale * tile.width
    digits = reading.digits[:MAX_CROPS]
    characters = int(width * CHARACTERS_PER_INCH)
    note = tile.note + (f" (first {len(digits)} digits shown)" if len(reading.digits) > len(digits) else "")
    line = shortened(tile.text, characters // 2 - len(note)) + note
    canvas.text(left, top, line, width, color=tile.colour, fontweight="bold")
    canvas.text(left, top + 0.18, shortened(reading.image, characters), width, fontsize=TINY_SIZE, color=GREY)
    if reading.thumbnail is None:
        message = textwrap.fill(reading.message, characters - 4)
        canvas.text(left, top + TILE_HEAD + 0.1, message, fontsize=SMALL_SIZE)
        return
    image = canvas.axes(left, top + TILE_HEAD, scale * IMAGE_SIDE, scale * IMAGE_SIDE)
    draw_thumbnail(image, reading.thumbnail)
    thumbnail_scale = reading.thumbnail.shape[1] / reading.width
    for box in [digit.box for digit in reading.digits] + [mark.box for mark in reading.marks]:
        x, y, box_width, box_height = (side * thumbnail_scale for side in box)
        image.add_patch(Rectangle((x, y), box_width, box_height, fill=False, edgecolor=BOX, linewidth=1.2))
    side, bars_height = scale * CROP_SIDE, scale * BARS_HEIGHT
    for i, digit in enumerate(digits):
        crop_left = left + scale * (IMAGE_SIDE + CROP_GAP + i * (CROP_SIDE + CROP_GAP))
        draw_crop(canvas.axes(crop_left, top + TILE_HEAD, side, side), digit.crop)
        draw_probabilities(canvas.axes(crop_left, top + TILE_HEAD + side + 0.05, side, bars_height), digit.probabilities)


def _left_out(count: int, limit: int) -> str:
    return f", {count - limit:,} more are left out" if count > limit else ""
