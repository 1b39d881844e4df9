"""The network of a number reader or a line reader, run by LiteRT: its file and its answers are checked."""

import os
from collections.abc import Sequence

import numpy as np

from digits.common.errors import UserError
from digits.model.litert import LiteRTNetwork
from digits.model.lookup import ModelKind, find_model


class CheckedNetwork:
    """A saved network of this kind and its card; the attribute card is None where there is none beside the network.

    model_path: of its .tflite. kind: number reader or line reader. input_shape, output_shape: as in LiteRTNetwork. blank_shape:
    (height, width) of a blank image that tries a network without a card. num_threads: that LiteRT uses; the answers are the same
    with any number. Raises UserError where there is no such network, or one that can't be used.
    """

    def __init__(
        self,
        model_path: str | os.PathLike,
        kind: ModelKind,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        blank_shape: tuple[int, int],
        num_threads: int = 1,
    ) -> None:
        self.model_path, self.card = find_model(model_path, kind)
        self._kind = kind
        try:
            self._network = LiteRTNetwork(self.model_path, input_shape, output_shape, num_threads)
        except (ValueError, RuntimeError, OSError) as error:
            raise self._unusable(str(error).partition("\n")[0]) from error
        if self.card is None:  # no checksum says that the file is whole, and some damage shows only in an answer
            self._run(np.zeros(blank_shape, np.float32))

    def __call__(self, image: np.ndarray, expected_shape: tuple[int, ...]) -> np.ndarray:
        """Return the answer for one image, (height, width) float32: finite numbers of this shape, float32.

        Raises UserError where the network is damaged: it can't be run, or its answer has another shape or is not finite.
        """
        answer = self._run(image)
        if answer.shape != expected_shape:
            raise self._unusable(f"its answer has the shape {answer.shape}, not {expected_shape}")
        return answer

    def _run(self, image: np.ndarray) -> np.ndarray:
        """Return the answer for one image. Raises UserError where the network can't be run or its answer is not finite."""
        try:
            answer = self._network(image[None, :, :, None])[0]
        except (ValueError, RuntimeError) as error:
            raise self._unusable(str(error).partition("\n")[0]) from error
        if not np.isfinite(answer).all():
            raise self._unusable("its answer is not finite")
        return answer

    def _unusable(self, reason: str) -> UserError:
        """Return the error that says why the file can't be used."""
        return UserError(
            f"{self.model_path} is not a {self._kind.name} that can be used: {reason}.\n"
            f"Expected the .tflite that {self._kind.train_command} writes. The shipped one comes back with: git checkout models"
        )
