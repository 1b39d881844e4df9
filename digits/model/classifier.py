"""Crops -> probabilities: a saved network, ready to be asked, by LiteRT or by Keras."""

import functools
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
from digits.model.litert import LiteRTNetwork
from digits.model.lookup import find_model

logger = logging.getLogger(__name__)

DEFAULT_MODEL = MODELS_DIR / f"{MODEL_NAME}.tflite"
CLASSIFY_BATCH_SIZE = 256  # crops in one call of the network: 0.8 MB of input, which a processor's cache holds

# Of one image in the file of a network, as it is written now and as earlier versions wrote it.
IMAGE_SHAPES = ((IMAGE_SIZE, IMAGE_SIZE, 1), (IMAGE_SIZE, IMAGE_SIZE))
MAX_PROBABILITY_ERROR = 0.01  # of the sum of ten probabilities: 8-bit networks round each to 1 / 256
MAX_SCALE_DIFFERENCE = 0.01  # in probability, of one image on the scales 0 to 1 and 0 to 255; the shipped model has 2e-7


class Network(NamedTuple):
    """A network that is ready to be asked.

    answer: (N, 28, 28) float32, 0 to 255 -> probabilities (N, 10) float32. takes_0_to_255: whether its file says that it divides
    its input itself, as a Rescaling layer does.
    """

    answer: Callable[[np.ndarray], np.ndarray]
    takes_0_to_255: bool


class Classification(NamedTuple):
    """What the network says of N crops.

    probabilities: (N, 10) float32, calibrated. log_odds: (N,) float32, of the most probable digit. sure: (N,) bool, whether they
    reach the card's threshold.
    """

    probabilities: np.ndarray
    log_odds: np.ndarray
    sure: np.ndarray


class Classifier:
    """A saved network and its card.

    model_path: of a .tflite (LiteRT, quick to start), an .h5 or a .keras (both Keras). card: takes the place of the card
    beside the model. Raises UserError where there is no model, or one that can't be used.

    The attribute card is an empty ModelCard where there is none; every answer is then sure. The attribute temperature is what
    the network's logits are still to be divided by: 1 where the file holds the card's temperature already, or there is no card.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_MODEL, card: ModelCard | None = None) -> None:
        self.model_path, card_beside = find_model(model_path)
        self.card = card or card_beside or ModelCard()
        temperature = self.card.temperature
        self.temperature = 1.0 if temperature is None or self.card.temperature_applied else temperature
        self.threshold = -np.inf if self.card.threshold is None else self.card.threshold
        self._network = _load_network(self.model_path)
        if card is None and card_beside is None:
            _check_input_and_output(self._network, self.model_path)
            logger.warning("%s has no card beside it: no answer of it is called not sure.", self.model_path.name)

    def classify(self, crops: np.ndarray) -> Classification:
        """Return the Classification of the crops, (N, 28, 28) uint8, white on black.

        The probabilities are calibrated by temperature scaling (Guo et al. 2017). Higher log-odds mean more surely a digit,
        because the network has learned to find all ten equally likely where there is none (outlier exposure, Hendrycks et al.
        2019). Raises UserError where a damaged model answers with what is no probability.
        """
        outputs = [np.zeros((0, NUM_CLASSES), np.float32)]
        for start in range(0, len(crops), CLASSIFY_BATCH_SIZE):
            batch = crops[start : start + CLASSIFY_BATCH_SIZE]
            outputs.append(self._network.answer(batch.astype(np.float32)))
            if outputs[-1].shape != (len(batch), NUM_CLASSES) or not np.isfinite(outputs[-1]).all():
                raise UserError(
                    f"{self.model_path} answers with what is no probability: it is damaged.\n"
                    f"Expected {NUM_CLASSES} numbers for each digit. A fresh copy helps, or train anew: {TRAIN_COMMAND}"
                )
        probabilities = calibrate(np.concatenate(outputs), self.temperature)
        crop_log_odds = log_odds(probabilities)
        return Classification(probabilities, crop_log_odds, crop_log_odds >= self.threshold)


def _load_network(path: Path) -> Network:
    """Return the network in a file. Raises UserError."""
    if path.suffix == ".tflite":
        return _load_litert(path)
    if path.suffix in (".h5", ".keras"):
        from digits.model import keras_files, network  # here: Keras takes seconds to import, and the .tflite does without

        model = keras_files.load(path)
        divides = any(isinstance(layer, network.layers.Rescaling) for layer in model.layers)
        return Network(lambda crops: network.predict(model, crops), divides)
    raise UserError(f"{path} has an ending of no known model.\nExpected a model named .tflite, .h5 or .keras.")


def _load_litert(path: Path) -> Network:
    """Return the network in a .tflite file. Raises UserError.

    It is run once on two empty crops, for some damage shows only then: the file is saved for one crop, so that its resizing
    is tried, too.
    """
    for shape in IMAGE_SHAPES:
        try:
            network = LiteRTNetwork(path, shape, (NUM_CLASSES,))
            answer = functools.partial(_answer_by_litert, network, shape)
            with silent_stderr():
                answer(np.zeros((2, IMAGE_SIZE, IMAGE_SIZE), np.float32))
            return Network(answer, len(shape) == 2)  # a file of (28, 28) is one that an earlier version wrote
        except (ValueError, RuntimeError, OSError) as error:
            reason = error
    raise UserError(
        f"{path} is not a model that can be used: {str(reason).splitlines()[0]}.\n"
        f"Expected a .tflite file with an input of {IMAGE_SIZE}x{IMAGE_SIZE} and {NUM_CLASSES} outputs, "
        "as train_model.py writes it."
    ) from reason


def _answer_by_litert(network: LiteRTNetwork, shape: tuple[int, ...], crops: np.ndarray) -> np.ndarray:
    """Return the probabilities of the crops. shape: of one image in the file."""
    return network(crops.reshape(-1, *shape))


def _check_input_and_output(network: Network, path: Path) -> None:
    """Raise UserError where a network without a card would answer wrongly here, and be sure of it.

    That is where it learned from images of 0 to 1, as those of most tutorials, or where its answers are logits.
    """
    stroke = np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    stroke[:, 5:23, 13:16] = 1
    dark, bright = network.answer(stroke), network.answer(255 * stroke)
    if not (bright.min() >= 0 and abs(bright.sum() - 1) <= MAX_PROBABILITY_ERROR):
        raise UserError(
            f"{path} answers with {NUM_CLASSES} numbers that are no probabilities.\n"
            "Expected a network that ends with softmax, as train_model.py writes it."
        )
    if not network.takes_0_to_255 and not np.abs(dark - bright).max() <= MAX_SCALE_DIFFERENCE:
        raise UserError(
            f"{path} answers differently for images of 0 to 1 and of 0 to 255, and nothing says which it learned from.\n"
            "Expected a network that brings each image to one scale itself, as train_model.py writes it. A first layer that does "
            "so helps: Rescaling(1 / 255)."
        )
