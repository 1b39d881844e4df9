"""Crops -> probabilities: a saved network, ready to be asked, by LiteRT or by Keras."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits.common.config import IMAGE_SIZE, MODEL_NAME, MODELS_DIR, NUM_CLASSES, TRAIN_COMMAND
from digits.common.errors import UserError
from digits.common.stderr import silent_stderr
from digits.model.calibration import calibrate, log_odds
from digits.model.card import ModelCard
from digits.model.lookup import find_model

logger = logging.getLogger(__name__)

DEFAULT_MODEL = MODELS_DIR / f"{MODEL_NAME}.tflite"
CLASSIFY_BATCH_SIZE = 256  # crops in one call of the network: 0.8 MB of input, which a processor's cache holds

Network = Callable[[np.ndarray], np.ndarray]  # (N, 28, 28) float32, 0 to 255 -> probabilities (N, 10) float32


class Classification(NamedTuple):
    """What the network says of N crops.

    probabilities: (N, 10) float32, calibrated. scores: (N,) float32, the log-odds of the most probable digit. sure: (N,) bool,
    whether the score reaches the card's threshold.
    """

    probabilities: np.ndarray
    scores: np.ndarray
    sure: np.ndarray


class Classifier:
    """A saved network and its card.

    model_path: of a .tflite (LiteRT, quick to start), an .h5 or a .keras (both Keras). card: takes the place of the card
    beside the model. Raises UserError where there is no model, or one that can't be used.

    The attribute card is an empty ModelCard where there is none; temperature is then 1, and every answer is sure.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_MODEL, card: ModelCard | None = None) -> None:
        self.model_path, card_beside = find_model(model_path)
        self.card = card or card_beside or ModelCard()
        if card is None and card_beside is None:
            logger.warning("%s has no card beside it: its confidence is not calibrated.", self.model_path.name)
        self.temperature = 1.0 if self.card.temperature is None else self.card.temperature
        self.threshold = -np.inf if self.card.threshold is None else self.card.threshold
        self._network = _load_network(self.model_path)

    def classify(self, crops: np.ndarray) -> Classification:
        """Return the Classification of the crops, (N, 28, 28) uint8, white on black.

        The probabilities are calibrated: divided by the card's temperature before the softmax (Guo et al. 2017). A higher
        score means more surely a digit, because the network has learned to find all ten equally likely where there is none
        (outlier exposure, Hendrycks et al. 2019). Raises UserError where a damaged model answers with what is no probability.
        """
        outputs = [np.zeros((0, NUM_CLASSES), np.float32)]
        for start in range(0, len(crops), CLASSIFY_BATCH_SIZE):
            batch = crops[start : start + CLASSIFY_BATCH_SIZE]
            outputs.append(self._network(batch.astype(np.float32)))
            if outputs[-1].shape != (len(batch), NUM_CLASSES) or not np.isfinite(outputs[-1]).all():
                raise UserError(
                    f"{self.model_path} answers with what is no probability: it is damaged.\n"
                    f"Expected {NUM_CLASSES} numbers for each digit. A fresh copy helps, or train anew: {TRAIN_COMMAND}"
                )
        probabilities = calibrate(np.concatenate(outputs), self.temperature)
        scores = log_odds(probabilities)
        return Classification(probabilities, scores, scores >= self.threshold)


def _load_network(path: Path) -> Network:
    """Return the network in a file as a function. Raises UserError."""
    if path.suffix == ".tflite":
        return _load_litert(path)
    if path.suffix in (".h5", ".keras"):
        from digits.model import network  # here: Keras takes seconds to import, and the .tflite does without

        model = network.load(path)
        return lambda crops: network.predict(model, crops)
    raise UserError(f"{path} has an ending of no known model.\nExpected a model named .tflite, .h5 or .keras.")


def _load_litert(path: Path) -> Network:
    """Return the network in a .tflite file as a function. Raises UserError.

    It is run once on two empty crops, for some damage shows only then: the file is saved for one crop, so that its resizing
    is tried, too.
    """
    from ai_edge_litert.interpreter import Interpreter  # here: reading with Keras does not need it

    try:
        with silent_stderr():
            interpreter = Interpreter(model_content=path.read_bytes())
            interpreter.allocate_tensors()
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        forms = [(detail["shape_signature"].tolist()[1:], detail["dtype"]) for detail in (*inputs, *outputs)]
        if forms != [([IMAGE_SIZE, IMAGE_SIZE], np.float32), ([NUM_CLASSES], np.float32)]:
            raise ValueError(f"its input and output are {forms}")

        def run(crops: np.ndarray) -> np.ndarray:
            if inputs[0]["shape"][0] != len(crops):
                interpreter.resize_tensor_input(inputs[0]["index"], crops.shape)
                interpreter.allocate_tensors()
                inputs[0]["shape"] = crops.shape
            interpreter.set_tensor(inputs[0]["index"], crops)
            interpreter.invoke()
            return interpreter.get_tensor(outputs[0]["index"])

        with silent_stderr():
            run(np.zeros((2, IMAGE_SIZE, IMAGE_SIZE), np.float32))
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"{path} is not a model that can be used: {str(error).splitlines()[0]}.\n"
            f"Expected a .tflite file with an input of {IMAGE_SIZE}x{IMAGE_SIZE} and {NUM_CLASSES} outputs, "
            "as train_model.py writes it."
        ) from error
    return run
