"""A page as it is composed: its ink, its printed lines, and the symbols that stand on it."""

from dataclasses import dataclass, field

import numpy as np

from digits.composition.glyphs import GlyphPool
from digits.composition.papers import PaperPool

IGNORED_LABEL = -1  # of a symbol for which every answer is right: half of a digit, a minus as long as a rule

GLYPHS_RENEWED, PAPERS_RENEWED = 8, 1  # after each batch: half as many glyphs as windows, an eighth of the time

Borders = tuple[int, int, int, int]  # left, right, top, bottom of an image, in pixels


@dataclass
class Symbol:
    """Something on a page. label: its class, 0 to OTHER_INK, or IGNORED_LABEL. left, top, right, bottom: its box, in pixels."""

    label: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass
class Page:
    """A page that is being written on.

    ink, printed_lines: (height, width) uint8, 0 to 255, how far writing and printed lines cover each pixel. symbols: what is
    written, in pixels of the page.
    """

    ink: np.ndarray
    printed_lines: np.ndarray
    symbols: list[Symbol] = field(default_factory=list)

    @classmethod
    def blank(cls, height: int, width: int) -> "Page":
        """Return an empty page. height, width: in pixels."""
        return cls(np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8))

    def add_ink(self, ink: np.ndarray, left: int, top: int) -> None:
        """Add ink, (h, w) uint8, to the page, at this place in pixels; what is outside is lost."""
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + ink.shape[1], self.ink.shape[1]), min(top + ink.shape[0], self.ink.shape[0])
        if x0 < x1 and y0 < y1:
            view = self.ink[y0:y1, x0:x1]
            np.maximum(view, ink[y0 - top : y1 - top, x0 - left : x1 - left], out=view)


@dataclass(frozen=True)
class Sources:
    """Where pages and photographs take their parts from.

    held_back: whether marks are drawn in the shapes that are kept for validation, and never in those that are learned.
    draw_letterforms: whether some digits are drawn in the letterforms of forms.py, which are learned; else all are glyphs.
    """

    digits: GlyphPool
    papers: PaperPool
    held_back: bool = False
    draw_letterforms: bool = True

    def renew(self) -> None:
        """Replace some of the glyphs and papers by new ones."""
        self.digits.renew(GLYPHS_RENEWED)
        for _ in range(PAPERS_RENEWED):
            self.papers.renew()
