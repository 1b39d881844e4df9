"""A network in a .tflite file, run by LiteRT without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from digits.common.stderr import silent_stderr

FILE_IDENTIFIER = b"TFL3"  # bytes 4 to 7 of every .tflite file (the schema of TensorFlow Lite)


class LiteRTNetwork:
    """A network with one float32 input and one float32 output, ready to be called with batches of any size.

    input_shape, output_shape: without the batch; -1 for an axis whose length may change from call to call. num_threads: that
    LiteRT uses; None: as many as it finds best. Raises ValueError, RuntimeError or OSError where the file can't be used; some
    damage shows only in a call.
    """

    def __init__(
        self, path: Path, input_shape: Sequence[int], output_shape: Sequence[int], num_threads: int | None = None
    ) -> None:
        from ai_edge_litert.interpreter import Interpreter  # here: it takes a tenth of a second, and Keras does without it

        content = path.read_bytes()
        if content[4:8] != FILE_IDENTIFIER:
            raise ValueError("it is not a .tflite file")
        with silent_stderr():
            self._interpreter = Interpreter(model_content=content, num_threads=num_threads)
            self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        forms = [(detail["shape_signature"].tolist()[1:], detail["dtype"]) for detail in (*inputs, *outputs)]
        if forms != [(list(input_shape), np.float32), (list(output_shape), np.float32)]:
            described = [f"({', '.join('any' if side < 0 else str(side) for side in shape)})" for shape, _ in forms]
            types = {np.dtype(dtype).name for _, dtype in forms}
            raise ValueError(f"its inputs and outputs are {', '.join(described)}, {' and '.join(sorted(types))}")
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._shape: tuple[int, ...] | None = None

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Return the network's answer, (N, *output_shape) float32, for a batch, (N, *input_shape) float32.

        Raises ValueError or RuntimeError where the network is damaged.
        """
        if batch.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, batch.shape)
            self._interpreter.allocate_tensors()
            self._shape = batch.shape
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)
