"""Crops -> probabilities: a saved network, ready to be asked, by LiteRT or by Keras."""

import functools
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
from digits.model.network_format import IMAGE_SHAPES, NetworkFormat
from digits.model.store import card_path

DEFAULT_MODEL = MODELS_DIR / f"{MODEL_NAME}.tflite"
CLASSIFY_BATCH_SIZE = 256  # crops in one call of the network: 0.8 MB of input, which a processor's cache holds


class Network(NamedTuple):
    """A network that is ready to be asked.

    answer: (N, *shape) float32 -> its answers, (N, 10) float32. shape: of one image. parameters: their number; None: not known.
    """

    answer: Callable[[np.ndarray], np.ndarray]
    shape: tuple[int, ...]
    parameters: int | None = None


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

    A model without a card gets one by a trial: digits.model.trial finds out how it takes its images, and estimates the
    temperature and the threshold. The attribute temperature is what the network's logits are still to be divided by: 1 where the
    file holds the card's temperature already, or the card has none. Where the card has no threshold, every answer is sure.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_MODEL, card: ModelCard | None = None) -> None:
        self.model_path, card_beside = find_model(model_path)
        self._network = _load_network(self.model_path)
        self.card = card or card_beside or _card_by_trial(self.model_path, self._network)
        self._format = self.card.network_format or NetworkFormat(self._network.shape)
        if self._format.shape != self._network.shape:
            raise UserError(
                f"The card says that {self.model_path} takes images of {self._format.shape}; they are {self._network.shape}.\n"
                f"Expected the shape that the file has. Correct it in {card_path(self.model_path)}, or remove that card."
            )
        temperature = self.card.temperature
        self.temperature = 1.0 if temperature is None or self.card.temperature_applied else temperature
        self.threshold = -np.inf if self.card.threshold is None else self.card.threshold

    def classify(self, crops: np.ndarray) -> Classification:
        """Return the Classification of the crops, (N, 28, 28) uint8, white on black.

        The probabilities are calibrated by temperature scaling (Guo et al. 2017). Higher log-odds mean more surely a digit,
        because the network has learned to find all ten equally likely where there is none (outlier exposure, Hendrycks et al.
        2019). Raises UserError where the crops are no such array, or where a damaged model answers with what is no probability.
        """
        if crops.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE) or crops.dtype != np.uint8:
            raise UserError(f"The crops are {crops.shape} {crops.dtype}.\nExpected (N, 28, 28) uint8, white on black.")
        outputs = [np.zeros((0, NUM_CLASSES), np.float32)]
        for start in range(0, len(crops), CLASSIFY_BATCH_SIZE):
            batch = crops[start : start + CLASSIFY_BATCH_SIZE]
            outputs.append(self._network.answer(self._format.prepare(batch)))
            if outputs[-1].shape != (len(batch), NUM_CLASSES) or not np.isfinite(outputs[-1]).all():
                raise UserError(
                    f"{self.model_path} answers with what is no probability: it is damaged.\n"
                    f"Expected {NUM_CLASSES} numbers for each digit. A fresh copy helps, or train anew: {TRAIN_COMMAND}"
                )
        probabilities = calibrate(self._format.probabilities(np.concatenate(outputs)), self.temperature)
        crop_log_odds = log_odds(probabilities)
        return Classification(probabilities, crop_log_odds, crop_log_odds >= self.threshold)


def _card_by_trial(path: Path, network: Network) -> ModelCard:
    """Return the card that a trial gives a network without one. Raises UserError where it reads too few digits."""
    from digits.model.trial import card_by_trial  # here: scikit-learn takes a second, and a model with a card does without

    return card_by_trial(path, network.answer, network.shape, network.parameters)


def _load_network(path: Path) -> Network:
    """Return the network in a file. Raises UserError."""
    if path.suffix == ".tflite":
        return _load_litert(path)
    if path.suffix in (".h5", ".keras"):
        from digits.model import keras_files, network  # here: Keras takes seconds to import, and the .tflite does without

        model = keras_files.load(path)
        return Network(lambda images: network.predict(model, images), model.input_shape[1:], model.count_params())
    raise UserError(f"{path} has an ending of no known model.\nExpected a model named .tflite, .h5 or .keras.")


def _load_litert(path: Path) -> Network:
    """Return the network in a .tflite file. Raises UserError.

    It is run once on two empty images, for some damage shows only then: the file is saved for one image, so that its resizing
    is tried, too. A file that can't be resized is given one image at a time.
    """
    for shape in IMAGE_SHAPES:
        try:
            network = LiteRTNetwork(path, shape, (NUM_CLASSES,))
        except (ValueError, RuntimeError, OSError) as error:
            reason: Exception = error
            continue
        for answer in (network, functools.partial(_answer_one_by_one, network)):
            try:
                with silent_stderr():
                    answers = answer(np.zeros((2, *shape), np.float32))
                if answers.shape != (2, NUM_CLASSES):
                    raise ValueError(f"two images give answers of the shape {answers.shape}")
                return Network(answer, shape)
            except (ValueError, RuntimeError) as error:
                reason = error
        break
    first_line = str(reason).partition("\n")[0] or type(reason).__name__
    raise UserError(
        f"{path} is not a model that can be used: {first_line}.\n"
        f"Expected a .tflite file with an input of {' or '.join(map(str, IMAGE_SHAPES))} and {NUM_CLASSES} outputs, float32.\n"
        "Where it takes or gives whole numbers, convert it again without inference_input_type and inference_output_type."
    ) from reason


def _answer_one_by_one(network: LiteRTNetwork, images: np.ndarray) -> np.ndarray:
    return np.concatenate([network(image[np.newaxis]) for image in images])
