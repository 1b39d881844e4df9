"""What is saved with a trained network: its scores, its card and its files; and how a saved model is loaded to learn more."""

import dataclasses
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits.common.config import NUM_CLASSES, TRAIN_COMMAND
from digits.common.errors import UserError
from digits.common.score import Score
from digits.data import dataset
from digits.data.dataset import Dataset, Split, Splits
from digits.evaluation import metrics
from digits.model import lookup, store
from digits.model.calibration import calibrate, fit_temperature, fit_threshold
from digits.model.card import EpochRecord, ModelCard
from digits.model.classifier import Classifier
from digits.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras  # it takes seconds, and wrong flags and paths are answered without it

PACKAGES = ("keras", "tensorflow", "numpy", "opencv-python-headless")  # the card names their versions
# Share of drawn outliers that may pass as digits. With 1 % of them, 2 % of people's digits are "not sure"
# (benchmarks/results/own_digits.json).
TARGET_FALSE_ACCEPT_RATE = 0.01


@dataclasses.dataclass(frozen=True)
class Confidence:
    """What the validation images decide. temperature, threshold: as in ModelCard. validation: the score, without loss."""

    temperature: float
    threshold: float
    validation: Score


def save(
    model: "keras.Model",
    model_path: Path,
    data: Dataset,
    splits: Splits,
    settings: TrainingSettings,
    history: Sequence[EpochRecord],
    **further_entries: Any,
) -> ModelCard:
    """Write the three files beside the old ones, move them into place together, and return the new card.

    splits: of the data. history: the record of each epoch. further_entries: of the card, by name; those of a fine-tuned model.
    The test images are scored once, here, when everything is decided.
    """
    from digits.model import network  # here: Keras takes seconds to import
    from digits.training.recipe import training_recipe

    with store.staged(model_path) as staging:
        tflite_path = staging / f"{model_path.stem}.tflite"
        network.save(model, staging / model_path.name, tflite_path)
        confidence = fit_confidence(tflite_path, splits.validation, settings.seed)
        card = ModelCard(
            data=data.name,
            pictures={part: len(split.labels) for part, split in splits._asdict().items()},
            preset=settings.preset,
            settings=settings.to_json(),
            recipe=training_recipe(),
            seed=settings.seed,
            versions={"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
            machine=f"{platform.system()} {platform.machine()}",
            seconds=round(sum(record.seconds for record in history), 1),
            history=tuple(history),
            parameters=model.count_params(),
            labels=list(range(NUM_CLASSES)),
            input="(N, 28, 28) float32, 0 to 255, white ink on black, a digit in a 20x20 box, centred by mass at (14, 14)",
            output="(N, 10) float32, the probability p of each label",
            calibration="p ** (1 / temperature), divided by its sum over the ten labels",
            score="log(q / (1 - q)), q the largest of the calibrated ten; below the threshold an answer is 'not sure'",
            temperature=confidence.temperature,
            threshold=confidence.threshold,
            validation=confidence.validation,
        )
        card = dataclasses.replace(card, test=score_test(tflite_path, splits.test, card), **further_entries)
        return store.commit(model_path, card)


def fit_confidence(tflite_path: Path, validation: Split, seed: int) -> Confidence:
    """Return the temperature, the threshold and the validation score of a model.

    The temperature is fitted to the validation images, the threshold to as many outliers. seed: of the outliers.
    """
    from digits.augmentation import outliers  # here: reading works without it

    uncalibrated = Classifier(tflite_path, card=ModelCard(temperature=1.0))
    probabilities = uncalibrated.classify(validation.images).probabilities
    temperature = fit_temperature(probabilities, validation.labels)
    drawn = outliers.draw(len(validation.images), *validation, np.random.default_rng(seed))
    of_outliers = calibrate(uncalibrated.classify(drawn).probabilities, temperature)
    score = metrics.score_answers(probabilities.argmax(axis=1) == validation.labels)
    return Confidence(temperature, fit_threshold(of_outliers, TARGET_FALSE_ACCEPT_RATE), score)


def score_test(tflite_path: Path, test: Split, card: ModelCard) -> Score:
    """Return the complete score on the test images.

    They go through the same Classifier as a user's images, so verify_all_digits.py counts exactly the same answers.
    """
    probabilities, _, sure = Classifier(tflite_path, card).classify(test.images)
    return metrics.score_predictions(test.labels, probabilities, sure)


# ---- a saved model is loaded to learn more --------------------------------------------------------------------------


def load_training_card(model_path: Path) -> tuple[ModelCard, TrainingSettings]:
    """Return the card of the model in place and the settings of its training. The caller holds the lock.

    Raises UserError where a file is missing, the files don't match the card, or the card does not say how the model learned.
    """
    card = store.recover_and_load_card(model_path)
    if card is None:
        for path in (model_path, model_path.with_suffix(".tflite")):
            lookup.find_model(path)  # raises what is wrong with it
    needed = ("settings", "pictures", "temperature", "threshold", "data", "history")
    try:
        if card is None or model_path.name not in (card.sha256 or {}) or any(getattr(card, entry) is None for entry in needed):
            raise UserError("an entry is missing")
        return card, TrainingSettings.from_json(card.settings)
    except UserError as error:
        raise UserError(
            f"{model_path} has no card beside it that says how it learned.\n"
            f"Expected a model as train_model.py saves it: .h5, .tflite and .json. To make one: {TRAIN_COMMAND}"
        ) from error


def load_training_data(card: ModelCard, settings: TrainingSettings, data_path: Path | None) -> tuple[Dataset, Splits]:
    """Return the data that a model learned from, and its splits as they were then. Raises UserError where it is other data."""
    data = dataset.load(data_path)
    splits = dataset.split(data, settings.validation_split, settings.seed)
    counts = {part: len(split.labels) for part, split in splits._asdict().items()}
    if data.is_mnist != (card.data == "MNIST") or counts != card.pictures:
        raise UserError(
            f"The model learned from {card.data}, {card.pictures}; this is {data.name}, {counts}.\n"
            "Expected the same data: the part that was not learned shows what is forgotten. Name it with --data PATH."
        )
    return data, splits
