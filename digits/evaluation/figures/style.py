"""One look for all figures: sizes, fonts, colours, and the parts that several of them show. save() writes a PNG file."""

import os
import warnings
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, TransformedBbox

from digits.common import formatting
from digits.common.config import NUM_CLASSES
from digits.common.files import atomic_write

# The palette of Okabe and Ito ("Color universal design", 2008), which people with any colour vision can tell apart.
BLUE, SKY, VERMILLION, ORANGE = "#0072B2", "#56B4E9", "#D55E00", "#E69F00"
PURPLE = "#9A4B7B"  # theirs is lighter, but this one is for text on white
BLACK, GREY, LIGHT_GREY = "#222222", "#666666", "#C8C8C8"
CORRECT, WRONG, UNSURE, NEUTRAL, BOX = BLUE, VERMILLION, PURPLE, BLACK, ORANGE

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE, TINY_SIZE = 12, 9, 7.5, 6  # points
MARGIN, HEAD = 0.25, 0.75  # inches: around a figure; at its top, for the title and the line below it
TITLE_CHARACTERS_PER_INCH = 10  # on average
DPI = 140  # a figure 10 inches wide has 1,400 pixels, as many as a README shows on a screen of twice the usual density

matplotlib.rcParams.update(
    {
        "font.size": TEXT_SIZE,
        "text.color": BLACK,
        "text.parse_math": False,  # a $ in a file's name is a $
        "axes.titlesize": TEXT_SIZE,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelcolor": BLACK,
        "axes.labelsize": SMALL_SIZE + 0.5,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": LIGHT_GREY,
        "grid.linewidth": 0.5,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": BLACK,
        "ytick.labelcolor": BLACK,
        "xtick.labelsize": SMALL_SIZE,
        "ytick.labelsize": SMALL_SIZE,
        "legend.fontsize": SMALL_SIZE,
        "legend.framealpha": 1,
        "legend.edgecolor": "white",
    }
)


@dataclass(frozen=True)
class Prediction:
    """One crop, its label and the network's answer in one piece, so that a figure can't pair them wrongly.

    crop: (28, 28) uint8. label: 0 to 9. probabilities: (10,) float32.
    """

    crop: np.ndarray
    label: int
    probabilities: np.ndarray

    @property
    def answer(self) -> int:
        """The most probable digit."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the answer, 0 to 1."""
        return float(self.probabilities.max())

    @property
    def correct(self) -> bool:
        """Whether the answer is the label."""
        return self.answer == self.label

    @property
    def colour(self) -> str:
        """The colour of what is written about the prediction."""
        return NEUTRAL if self.correct else WRONG

    def __str__(self) -> str:
        """Return "7, 99.8 %" or, for a 7 that was read as 1, "7→1, 63.0 %"."""
        answer = str(self.answer) if self.correct else f"{self.label}→{self.answer}"
        return f"{answer}, {formatting.confidence(self.confidence)}"


class Canvas:
    """A figure on which everything is placed in inches, so that all figures have the same margins and the same sizes of type.

    title, subtitle: the two lines at its head. width, height: inches that can be used below them.
    """

    def __init__(self, title: str, subtitle: str, width: float, height: float) -> None:
        self.width, self.height = width + 2 * MARGIN, height + HEAD + MARGIN
        self.figure = Figure(figsize=(self.width, self.height))
        title = shortened(title, int(width * TITLE_CHARACTERS_PER_INCH))
        self.text(0, MARGIN - HEAD, title, fontsize=TITLE_SIZE, fontweight="bold")
        self.text(0, MARGIN - HEAD + 0.24, subtitle, fontsize=SMALL_SIZE, color=GREY)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return new axes. left, top: of their upper left corner, from the left margin and from the head, downwards."""
        bottom = self.height - HEAD - top - height
        inches = (left + MARGIN) / self.width, bottom / self.height, width / self.width, height / self.height
        return self.figure.add_axes(inches)

    def text(self, left: float, top: float, text: str, max_width: float | None = None, **options: Any) -> None:
        """Write text. left, top: of its upper left corner, as in axes. max_width: inches after which it is cut off.

        options: of Matplotlib's Text.
        """
        x, y = (left + MARGIN) / self.width, 1 - (HEAD + top) / self.height
        written = self.figure.text(x, y, text, va="top", **options)
        if max_width is not None:
            box = Bbox.from_bounds(x, 0, max_width / self.width, 1)
            written.set(clip_on=True, clip_box=TransformedBbox(box, self.figure.transFigure))


def draw_crop(axes: Axes, crop: np.ndarray, frame: str | None = None) -> None:
    """Draw a (28, 28) uint8 crop without ticks, framed in a colour or not."""
    axes.imshow(crop, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=frame is not None, color=frame, linewidth=2.5)


def draw_thumbnail(axes: Axes, thumbnail: np.ndarray) -> None:
    """Draw an image, (height, width, 3) uint8, at the upper left of the axes, with a thin line around it: paper is white, too."""
    axes.imshow(thumbnail)
    axes.set(xticks=[], yticks=[], anchor="NW")
    axes.spines[:].set(visible=True, linewidth=0.5)


def draw_probabilities(axes: Axes, probabilities: np.ndarray, label: int | None = None) -> None:
    """Draw the ten probabilities, (10,) float32, as bars from 0 to 1.

    The answer is black where the label is not known, else blue if it is correct. A wrong one is orange, the label blue.
    """
    answer = int(probabilities.argmax())
    colours = [LIGHT_GREY] * NUM_CLASSES
    if label is None:
        colours[answer] = NEUTRAL
    else:
        colours[answer], colours[label] = WRONG, CORRECT
    axes.bar(range(NUM_CLASSES), probabilities, color=colours)
    axes.set(ylim=(0, 1), yticks=[], xlim=(-0.6, NUM_CLASSES - 0.4))
    axes.set_xticks(range(NUM_CLASSES), [str(digit) for digit in range(NUM_CLASSES)], fontsize=TINY_SIZE)
    axes.tick_params(length=0, pad=1.5)
    axes.spines["left"].set_visible(False)


def shortened(text: str, limit: int) -> str:
    """Return the text in printable characters, and shortened in the middle where it has more than limit of them."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= limit else text[: limit // 2] + "…" + text[-(limit // 2) :]


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure as PNG, whole or not at all. Raises UserError where the path can't be written."""
    with atomic_write(path) as temporary, warnings.catch_warnings():
        # A file's name may hold letters that the font lacks; a box in their place is no reason for a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(temporary, dpi=DPI, format="png")
