"""What is known after a model was scored: the Report, and the JSON of verify_all_digits.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits.common.score import Score
from digits.data.labels import digits_of, matches
from digits.evaluation import metrics
from digits.evaluation.metrics import DigitRates
from digits.model.classifier import Classification
from digits.reading.results import Reading, Status

# Indices, from 0, of MNIST's test images whose label fewer than three of five people agreed with: those of the label errors that
# Northcutt, Athalye and Mueller found ("Pervasive label errors in test sets", 2021; github.com/cleanlab/label-errors).
DISPUTED = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)


@dataclass(frozen=True)
class ImageResult:
    """How one image was read. label: its true text. confidence: of the least certain digit, 0 to 1; None without a digit."""

    image: str
    label: str
    text: str
    status: Status
    confidence: float | None

    @property
    def correct(self) -> bool:
        """Whether the text equals the label, as data.labels.matches says; the image may be "unsure" even so."""
        return matches(self.text, self.label)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a dict that json can write."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ImageResult":
        """Return the result that to_json wrote."""
        return cls(**content)


@dataclass(frozen=True)
class Report:
    """The scores of a model on a data set or on a folder of labelled images.

    dataset, model: names. parameters: of the network, None without a model card. score: over all images; its loss is None for
    a folder. per_digit: of the digits 0 to 9. confusion: (10, 10) counts; rows: truth, columns: answers. not_in_confusion: images
    with a label of several digits, or not read as one digit. disputed_errors: errors on MNIST's labels that people dispute.
    errors: files that could not be read. images: of a folder, in its order; None for arrays.
    """

    dataset: str
    model: str
    parameters: int | None
    score: Score
    per_digit: tuple[DigitRates, ...]
    confusion: np.ndarray
    not_in_confusion: int
    disputed_errors: int
    errors: int
    images: tuple[ImageResult, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what verify_all_digits.py --json writes. Rates are fractions; what is undefined is None."""
        content = {
            "dataset": self.dataset,
            "model": self.model,
            "parameters": self.parameters,
            **self.score.to_json(),
            "loss": self.score.loss,
            "ece": self.score.ece,
            "per_digit": {str(digit): rates.to_json() for digit, rates in enumerate(self.per_digit)},
            "confusion": self.confusion.tolist(),
            "not_in_confusion": self.not_in_confusion,
            "disputed_errors": self.disputed_errors,
            "errors": self.errors,
        }
        if self.images is not None:
            content["pictures"] = [image.to_json() for image in self.images]
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Report":
        """Return the Report that to_json wrote. Raises TypeError, KeyError or ValueError where it is not one."""
        images = content.get("pictures")
        return cls(
            dataset=content["dataset"],
            model=content["model"],
            parameters=content["parameters"],
            score=Score.from_json({name: value for name, value in content.items() if value is not None}),
            per_digit=tuple(DigitRates.from_json(rates) for rates in content["per_digit"].values()),
            confusion=np.array(content["confusion"]),
            not_in_confusion=content["not_in_confusion"],
            disputed_errors=content["disputed_errors"],
            errors=content["errors"],
            images=None if images is None else tuple(ImageResult.from_json(image) for image in images),
        )


def report_on_digits(
    labels: np.ndarray,
    classification: Classification,
    *,
    dataset: str,
    model: str,
    parameters: int | None = None,
    is_mnist: bool = False,
) -> Report:
    """Return the Report on N images that each show one digit.

    labels: (N,) integers, 0 to 9. classification: what the network says of the images. is_mnist: whether they are MNIST's test
    images in their order, of which the disputed labels are known.
    """
    answers = classification.probabilities.argmax(axis=1)
    correct = answers == labels
    return Report(
        dataset=dataset,
        model=model,
        parameters=parameters,
        score=metrics.score_predictions(labels, classification.probabilities, classification.sure),
        per_digit=metrics.rates_by_digit(labels, correct, labels, answers),
        confusion=metrics.confusion_matrix(labels, answers),
        not_in_confusion=0,
        disputed_errors=int(np.sum(~correct[list(DISPUTED)])) if is_mnist else 0,
        errors=0,
    )


def report_on_readings(
    labels: Sequence[str], readings: Sequence[Reading], *, dataset: str, model: str, parameters: int | None = None
) -> Report:
    """Return the Report on images that each have a text as their label.

    labels: the texts. readings: of the images, in the same order. An image is correct when its text equals its label, marks left
    out where the label has none, also when it is "unsure". The confusion matrix covers labels of one digit, without a mark,
    that were read as one digit.
    """
    images = tuple(
        ImageResult(reading.image, label, reading.text, reading.status, reading.confidence)
        for label, reading in zip(labels, readings, strict=True)
    )
    single = [image for image in images if len(image.label) == 1]
    in_confusion = [image for image in single if len(digits_of(image.text)) == 1]
    truth = np.array([int(image.label) for image in in_confusion], int)
    answers = np.array([int(digits_of(image.text)) for image in in_confusion], int)
    return Report(
        dataset=dataset,
        model=model,
        parameters=parameters,
        score=_score_images(images),
        per_digit=metrics.rates_by_digit(
            np.array([int(image.label) for image in single], int),
            np.array([image.correct for image in single], bool),
            truth,
            answers,
        ),
        confusion=metrics.confusion_matrix(truth, answers),
        not_in_confusion=len(images) - len(in_confusion),
        disputed_errors=0,
        errors=sum(image.status == "error" for image in images),
        images=images,
    )


def _score_images(images: Sequence[ImageResult]) -> Score:
    """Return the Score of at least one image. Its calibration error is that of the images in which a digit was read."""
    correct = np.array([image.correct for image in images], bool)
    confidence = np.array([np.nan if image.confidence is None else image.confidence for image in images])
    answered = np.isfinite(confidence)
    score = metrics.score_answers(correct)
    return Score(
        score.n,
        score.correct,
        score.accuracy,
        interval95=metrics.wilson_interval(score.correct, score.n),
        ece=metrics.calibration_error(confidence[answered], correct[answered]),
        unsure=sum(image.status == "unsure" for image in images),
    )
