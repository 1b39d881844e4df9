"""A trained network is calibrated, scored and saved, with its card."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.common.score import Score
from digits.data.dataset import Dataset, Split, Splits
from digits.evaluation import metrics
from digits.model import store
from digits.model.calibration import fit_temperature, fit_threshold
from digits.model.card import EpochRecord, ModelCard
from digits.model.classifier import Classifier
from digits.training.environment import environment
from digits.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras  # it takes seconds, and wrong flags and paths are answered without it

# Fraction of the drawn outliers that may pass as digits. With 1 % of them, 10 of people's 494 single digits are "not sure"
# (benchmarks/results/whole_numbers.json).
TARGET_FALSE_ACCEPT_RATE = 0.01


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
    The temperature is fitted, and applied to the model in place. The test images are scored once, here, when everything is
    decided.
    """
    from digits.model import keras_files  # here: Keras takes seconds to import
    from digits.training.recipe import training_recipe

    with store.staged(model_path) as staging:
        tflite_path = staging / f"{model_path.stem}.tflite"
        temperature = calibrate(model, splits.validation)
        keras_files.save(model, staging / model_path.name, tflite_path)
        threshold, validation = score_validation(tflite_path, splits.validation, settings.seed)
        card = ModelCard(
            data=data.name,
            pictures={part: len(split.labels) for part, split in splits._asdict().items()},
            preset=settings.preset,
            settings=settings.to_json(),
            recipe=training_recipe(),
            seed=settings.seed,
            **environment(),
            seconds=round(sum(record.seconds for record in history), 1),
            history=tuple(history),
            parameters=model.count_params(),
            labels=list(range(NUM_CLASSES)),
            input=input_in_words(model),
            output="(N, 10) float32, the calibrated probability p of each label",
            calibration="nothing is left to do: the network's last layer divides the logits by the temperature",
            score="log(p / (1 - p)), p the largest of the ten; below the threshold an answer is 'not sure'",
            temperature=temperature,
            temperature_applied=True,
            threshold=threshold,
            validation=validation,
        )
        card = dataclasses.replace(card, test=score_test(tflite_path, splits.test, card), **further_entries)
        return store.commit(model_path, card)


def input_in_words(model: "keras.Model", any_scale: bool = True) -> str:
    """Return what the card says of the network's input. any_scale: whether the network brings each image to one scale."""
    shape = f"(N, {', '.join(map(str, model.input_shape[1:]))})"
    scale = "0 to 255 or 0 to 1" if any_scale and len(model.input_shape) == 4 else "0 to 255"  # with 3 axes: an earlier model
    return f"{shape} float32, {scale}, white ink on black, a digit in a 20x20 box, centred by mass at (14, 14)"


def calibrate(model: "keras.Model", validation: Split) -> float:
    """Fit the temperature to the validation images, apply it to the model's last layer, and return it."""
    from digits.model import network

    temperature = fit_temperature(network.predict(model, validation.images), validation.labels)
    network.apply_temperature(model, temperature)
    return temperature


def score_validation(tflite_path: Path, validation: Split, seed: int) -> tuple[float, Score]:
    """Return the threshold of a calibrated model and its score, without loss, on the validation images.

    The threshold is fitted to as many outliers as there are validation images. seed: of the outliers.
    """
    from digits.augmentation import outliers  # here: reading works without it

    classifier = Classifier(tflite_path, card=ModelCard())
    drawn = outliers.draw(len(validation.images), *validation, np.random.default_rng(seed))
    threshold = fit_threshold(classifier.classify(drawn).probabilities, TARGET_FALSE_ACCEPT_RATE)
    answers = classifier.classify(validation.images).probabilities.argmax(axis=1)
    return threshold, metrics.score_answers(answers == validation.labels)


def score_test(tflite_path: Path, test: Split, card: ModelCard) -> Score:
    """Return the complete score on the test images.

    They go through the same Classifier as a user's images, so verify_all_digits.py counts exactly the same answers.
    """
    probabilities, _, sure = Classifier(tflite_path, card).classify(test.images)
    return metrics.score_predictions(test.labels, probabilities, sure)
