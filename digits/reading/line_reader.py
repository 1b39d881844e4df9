"""A text line of an image -> its symbols, by a second network that sees the line as a whole.

The number reader sees each symbol in its surroundings, this one the whole line, and both learned apart. So where they agree, a
reading is surer than either makes it.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from digits.common.config import LINE_READER_NAME, MODELS_DIR
from digits.model.calibration import softmax
from digits.model.checked_network import CheckedNetwork
from digits.model.line_image import COLUMN_STRIDE, LINE_HEIGHT, NO_SYMBOL, best_path, fit_line, line_image
from digits.model.lookup import LINE_READER
from digits.reading.detection import Detection, boxes_of

DEFAULT_LINE_READER = MODELS_DIR / f"{LINE_READER_NAME}.tflite"
MARGIN = 1.0  # heights on either side of a line: near the middle of what is learned (digits.training.line_rows.MARGIN)
WIDTH_STEP = 32  # pixels: the input's width is a multiple of this, so that LiteRT plans anew less often


class LineSymbol(NamedTuple):
    """A symbol in a text line. label: its class, a number in heat_map. probability: of it in the column that shows it best."""

    label: int
    probability: float


class LineReader:
    """A saved line reader and its card.

    model_path: of its .tflite. Raises UserError where there is none, or one that can't be used. The attribute card is None where
    there is none beside the model.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_LINE_READER) -> None:
        shapes = (LINE_HEIGHT, -1, 1), (-1, NO_SYMBOL + 1)
        self._network = CheckedNetwork(model_path, LINE_READER, *shapes, blank_shape=(LINE_HEIGHT, WIDTH_STEP))
        self.model_path, self.card = self._network.model_path, self._network.card

    def read(self, grey: np.ndarray, line: Sequence[Detection]) -> list[LineSymbol]:
        """Return the symbols in a text line, from left to right.

        grey: (height, width) uint8, dark ink on light paper. line: its digits, one or more, where the number reader found them.
        """
        image = line_image(grey, fit_line(boxes_of(line), MARGIN))
        width = -(-image.shape[1] // WIDTH_STEP) * WIDTH_STEP
        padded = np.zeros((LINE_HEIGHT, width), np.float32)
        padded[:, : image.shape[1]] = image
        logits = self._network(padded, (width // COLUMN_STRIDE, NO_SYMBOL + 1))[: image.shape[1] // COLUMN_STRIDE]
        columns = softmax(logits)
        return [LineSymbol(label, float(columns[column, label])) for label, column in best_path(columns)]
