"""A network without a card reads digits in each way in which tutorials give them: which way is right, and how sure it then is.

The digits are some of those inside scikit-learn, which no such network has learned from and which need no download.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from digits.common.config import NUM_CLASSES
from digits.common.errors import UserError
from digits.common.formatting import percent
from digits.data.dataset import Split, bundled_digits
from digits.data.mnist_format import centre_by_mass, size_normalise
from digits.model import store
from digits.model.calibration import calibrate, cross_entropy, fit_balanced_threshold, fit_temperature, log_odds
from digits.model.card import ModelCard
from digits.model.network_format import LOGITS, SCALES, SIGMOID, SOFTMAX, NetworkFormat

# The small digits are enlarged and so blurred: below this level of 255 their ink is taken as blur. Of 0, 64, 80, 96 and 112 it is
# the one at which 13 networks, as tutorials train them, read most of them (dense, convolutional and linear ones).
BLUR_LEVEL = 80
ENLARGEMENT = 4  # of the 28x28 frame before the blur is cut off, so that edges stay smooth
MIN_ACCURACY = 0.6  # a network that reads fewer of the digits in every way is refused; set by the project's owner
# Temperatures of tutorials' networks on these digits are 0.3 to 17: a linear network of 0 to 255 is far too sure of itself.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 100.0
MAX_SUM_ERROR = 0.01  # of ten probabilities: 8-bit networks round each to 1 / 256
# Nats for each factor of e between the temperature and 1: of two formats that suit a network about as well, the one that needs
# less correction is more often right. With 0 to 0.05 one of 13 networks of black on white is taken for one of -1 to 1, with 0.1
# and 0.2 none is.
TEMPERATURE_COST = 0.1
COST_DECIMALS = 3  # of the costs that are compared: networks that bring images to one scale themselves differ by rounding alone
SEED = 0  # of the outliers

Answer = Callable[[np.ndarray], np.ndarray]  # images as the network takes them, (N, *shape) -> answers (N, 10), all float32


@dataclass(frozen=True)
class Attempt:
    """What a network makes of the digits in one format.

    probabilities: (N, 10) float32, calibrated by the temperature. cost: the log loss and TEMPERATURE_COST, in nats.
    """

    network_format: NetworkFormat
    temperature: float
    probabilities: np.ndarray
    cost: float


def card_by_trial(path: Path, answer: Answer, shape: tuple[int, ...], parameters: int | None) -> ModelCard:
    """Return the card of a network that has none: its format, and estimates of its temperature and its threshold.

    path: of its file. shape: of one image. parameters: their number, where it is known. The format is the one with the lowest
    cost. Each is tried with the temperature that suits it: a network that is far too sure of itself would else have the lowest
    log loss with a scale that makes it unsure of everything. Raises UserError where that format does not give MIN_ACCURACY.
    """
    digits = trial_digits()
    attempts = []
    for scale, inverted in product(SCALES, (False, True)):
        attempt = _attempt(answer, NetworkFormat(shape, scale, inverted), digits)
        if attempt is not None:
            attempts.append(attempt)
    best = min(attempts, key=lambda attempt: round(attempt.cost, COST_DECIMALS), default=None)  # the first of equals
    accuracy = 0.0 if best is None else _correct(best, digits).mean()
    if best is None or accuracy < MIN_ACCURACY:
        raise UserError(
            f"{path} reads {percent(accuracy, 0)} of {len(digits.labels)} small digits, in the way that suits it best.\n"
            f"Expected {percent(MIN_ACCURACY, 0)} or more, of a network that learned handwritten digits as MNIST shows them: one "
            "digit in 28x28 pixels,\nits values 0 to 1, 0 to 255 or -1 to 1. A network that wants something else can't be used."
        )
    read = f"{percent(accuracy, 0)} read"
    return ModelCard(
        parameters=parameters,
        network_format=best.network_format,
        temperature=best.temperature,
        threshold=_threshold(answer, best, digits),
        estimated_on=f"{len(digits.labels)} small digits of scikit-learn ({read}) and as many drawn outliers",
        sha256={path.name: store.checksum(path)},
    )


def trial_digits() -> Split:
    """Return about 360 of the digits inside scikit-learn, about as many of each, in MNIST's form and about as sharp.

    As in every Split: images (N, 28, 28) uint8, white on black, and labels (N,).
    """
    data = bundled_digits()
    return Split(np.stack([_sharpened(image) for image in data.x_test]), data.y_test)


def _sharpened(image: np.ndarray) -> np.ndarray:
    """Return an image, (28, 28) uint8, whose blur is cut off; the ink that is left is brought into MNIST's form again."""
    enlarged = cv2.resize(image.astype(np.float32), None, fx=ENLARGEMENT, fy=ENLARGEMENT, interpolation=cv2.INTER_CUBIC)
    ink = np.clip((enlarged - BLUR_LEVEL) * (255 / (255 - BLUR_LEVEL)), 0, 255).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(ink)
    return centre_by_mass(size_normalise(ink[y : y + height, x : x + width]))


def _attempt(answer: Answer, network_format: NetworkFormat, digits: Split) -> Attempt | None:
    """Return what the network makes of the digits in this format; None where it can't answer, or not with numbers."""
    try:
        outputs = answer(network_format.prepare(digits.images))
    except (ValueError, RuntimeError):  # of LiteRT, for a damaged file that could answer a blank image
        return None
    if outputs.shape != (len(digits.labels), NUM_CLASSES) or not np.isfinite(outputs).all():
        return None
    network_format = dataclasses.replace(network_format, output=_kind_of(outputs))
    probabilities = network_format.probabilities(outputs)
    temperature = fit_temperature(probabilities, digits.labels, MIN_TEMPERATURE, MAX_TEMPERATURE)
    calibrated = calibrate(probabilities, temperature)
    cost = cross_entropy(calibrated, digits.labels) + TEMPERATURE_COST * abs(math.log(temperature))
    return Attempt(network_format, temperature, calibrated, cost)


def _kind_of(outputs: np.ndarray) -> str:
    """Return what answers, (N, 10), are: SOFTMAX, SIGMOID or LOGITS."""
    if outputs.min() < 0 or outputs.max() > 1 + MAX_SUM_ERROR:
        return LOGITS
    return SOFTMAX if np.abs(outputs.sum(axis=1) - 1).max() <= MAX_SUM_ERROR else SIGMOID


def _correct(attempt: Attempt, digits: Split) -> np.ndarray:
    """Return of which digits the most probable answer is right, (N,) bool."""
    return attempt.probabilities.argmax(axis=1) == digits.labels


def _threshold(answer: Answer, attempt: Attempt, digits: Split) -> float:
    """Return the log-odds that most of the digits reach, of those that are read right, and fewest of as many outliers."""
    from digits.augmentation import outliers  # here: reading with a card works without it

    drawn = outliers.draw(len(digits.labels), *digits, np.random.default_rng(SEED))
    network_format = attempt.network_format
    outputs = answer(network_format.prepare(drawn))
    of_outliers = log_odds(calibrate(network_format.probabilities(outputs), attempt.temperature))
    of_digits = np.where(_correct(attempt, digits), log_odds(attempt.probabilities), -np.inf)
    return fit_balanced_threshold(of_digits, of_outliers)
