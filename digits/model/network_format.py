"""How a network takes a digit and what its answers are: what tutorials do differently, and a file does not say."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits.common.config import IMAGE_SIZE
from digits.model.calibration import LOG_FLOOR, softmax

# Of one image in the file of a network. The first one is that of the networks that train_model.py writes, the second one that of
# earlier versions.
IMAGE_SHAPES = ((IMAGE_SIZE, IMAGE_SIZE, 1), (IMAGE_SIZE, IMAGE_SIZE), (IMAGE_SIZE * IMAGE_SIZE,))
SCALES = {"0 to 255": (0.0, 255.0), "0 to 1": (0.0, 1.0), "-1 to 1": (-1.0, 1.0)}  # the values of a black and of a white pixel
SOFTMAX, LOGITS, SIGMOID = "softmax", "logits", "sigmoid"  # what the last layer gives
OUTPUTS = (SOFTMAX, LOGITS, SIGMOID)
IN_JSON = (  # what from_json takes, for messages
    f'"shape": one of {json.dumps(IMAGE_SHAPES)}, "scale": one of {json.dumps(list(SCALES))}, '
    f'"inverted": true or false, "output": one of {json.dumps(OUTPUTS)}'
)


@dataclass(frozen=True)
class NetworkFormat:
    """How a network takes a digit and what its answers are. The defaults are those of the networks that train_model.py writes.

    shape: of one image, one of IMAGE_SHAPES. scale: one of SCALES. inverted: whether it learned from black digits on white.
    output: SOFTMAX, probabilities; LOGITS, of which softmax makes probabilities; SIGMOID, ten numbers between 0 and 1, which are
    divided by their sum, as Keras' cross-entropy does in training.
    """

    shape: tuple[int, ...]
    scale: str = "0 to 255"
    inverted: bool = False
    output: str = SOFTMAX

    def prepare(self, crops: np.ndarray) -> np.ndarray:
        """Return the crops, (N, 28, 28) uint8, white on black, as the network takes them: (N, *shape) float32."""
        low, high = SCALES[self.scale]
        values = crops.astype(np.float32)
        if self.inverted:
            values = 255 - values
        return (values * np.float32((high - low) / 255) + np.float32(low)).reshape(-1, *self.shape)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return the probabilities, (N, 10) float32, that are in the network's outputs, (N, 10) float32."""
        if self.output == LOGITS:
            return softmax(outputs)
        if self.output == SIGMOID:
            return outputs / np.maximum(outputs.sum(axis=1, keepdims=True), LOG_FLOOR)
        return outputs

    def input_in_words(self) -> str:
        """Return how the network takes a digit, as the scripts print it: "(28, 28), 0 to 1, white on black"."""
        return f"{self.shape}, {self.scale}, {'black on white' if self.inverted else 'white on black'}"

    def to_json(self) -> dict[str, Any]:
        """Return the format as a dict that json can write."""
        return {**vars(self), "shape": list(self.shape)}

    @classmethod
    def from_json(cls, content: Any) -> "NetworkFormat":
        """Return the format that to_json wrote. Raises TypeError, KeyError or ValueError where it is not one."""
        found = cls(**{**content, "shape": tuple(content["shape"])})
        known = found.shape in IMAGE_SHAPES and found.scale in SCALES and found.output in OUTPUTS
        if not known or not isinstance(found.inverted, bool):
            raise ValueError("no format that this version knows")
        return found
