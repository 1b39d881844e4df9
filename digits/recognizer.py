"""Crops -> digits with confidence, or "not sure". Used by every script that reads or scores."""

import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digits import model_files, preprocessing, report
from digits.config import IMAGE_SIZE, MODEL_NAME, MODELS_DIR, NUM_CLASSES, UserError
from digits.picture import open_picture
from digits.quiet import silent_stderr
from digits.reading import CLEAR, best_path, candidate_costs

logger = logging.getLogger(__name__)

DEFAULT_MODEL = MODELS_DIR / f"{MODEL_NAME}.tflite"
TRIED = 2  # crops with which a .tflite is tried: it is saved for one, so its resizing is tried, too. chosen
BATCH_SIZE = 256  # crops in one call of the network; more take more memory. chosen
MOST_TURNED = 60  # digits; a page with more is a text, not a number on its side. chosen
CLEARLY_BETTER = 2.0  # by which the mean score, in log-odds, must be higher: odds e^2 = 7 times as high. chosen
TEMPERATURES = (0.01, 100)  # that a card may hold; fit_temperature's lie between 0.25 and 4. chosen


class Reading(NamedTuple):
    """What was made of one picture: its entry for the JSON, and what a figure shows of it (None after an error)."""

    entry: dict
    thumbnail: np.ndarray | None  # (height, width, 3) uint8, upright, at most 300 pixels a side
    width: int  # of the full picture, in pixels: the boxes' scale
    crops: np.ndarray  # (N, 28, 28) uint8
    probabilities: np.ndarray  # (N, 10) float32


class _Digits(NamedTuple):
    """The digits that were read, N of them in reading order. Fields as in preprocessing.Prepared and Recognizer.classify.

    rows: of each digit, the number of its row from 0.
    """

    crops: np.ndarray
    boxes: list
    rows: list
    probabilities: np.ndarray
    scores: np.ndarray
    sure: np.ndarray


class Recognizer:
    """A saved model, ready to read.

    model_path: of a .tflite (LiteRT, quick to start), an .h5 or a .keras (both Keras). card: a dictionary that takes the
    place of the card beside the model. Raises UserError where there is no model, or one that can't be used.
    """

    def __init__(self, model_path=DEFAULT_MODEL, card=None):
        self.model_path, card_beside = model_files.resolve(model_path)
        self.card = card or card_beside or {}
        if not self.card:
            logger.warning("%s has no card beside it: its confidence is not calibrated.", self.model_path.name)
        try:
            self.temperature = float(self.card.get("temperature", 1.0))
            self.threshold = float(self.card.get("threshold", "-inf"))
            if not TEMPERATURES[0] <= self.temperature <= TEMPERATURES[1] or np.isnan(self.threshold):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise UserError(
                f"The card of {self.model_path} was changed: its temperature or threshold can't be used.\n"
                "Expected the card as train_model.py wrote it."
            ) from None
        self.network = _load_network(self.model_path)

    def classify(self, crops):
        """Return (probabilities (N, 10) float32, score (N,) float32, sure (N,) bool) of (N, 28, 28) uint8 crops.

        The probabilities are calibrated: divided by the card's temperature before the softmax (Guo et al. 2017).
        score: the log-odds of the most probable digit. Higher means more surely a digit, because the network has learned to
        find all ten equally likely where there is none (outlier exposure, Hendrycks et al. 2019). sure: whether the score
        reaches the card's threshold. Raises UserError where a damaged model answers with what is no probability.
        """
        outputs = [np.zeros((0, NUM_CLASSES), np.float32)]
        for start in range(0, len(crops), BATCH_SIZE):
            batch = crops[start : start + BATCH_SIZE]
            outputs.append(self.network(batch.astype(np.float32)))
            if outputs[-1].shape != (len(batch), NUM_CLASSES) or not np.isfinite(outputs[-1]).all():
                raise UserError(
                    f"{self.model_path} answers with what is no probability: it is damaged.\n"
                    f"Expected {NUM_CLASSES} numbers for each digit. A fresh copy helps, or train anew: "
                    f"{model_files.TRAIN_COMMAND}"
                )
        probabilities = calibrate(np.concatenate(outputs), self.temperature)
        score = log_odds(probabilities)
        return probabilities, score, score >= self.threshold

    def read(self, picture):
        """Return one entry of the JSON for a picture: a path, a file object or a Pillow image.

            image      its name, "" for one that has none
            status     "ok"; "unsure": something is there, but not clearly digits; "empty": no ink; "error": unreadable
            text       what was read, rows joined by "|"; the best guess where it is unsure
            message    why it is not "ok", else ""
            digits     in reading order: {"digit": 4, "confidence": probability, 0 to 1, "score": its log-odds, "box": [x, y,
                       width, height] in pixels of the upright picture, "top3": [[digit, probability], ...]}

        A picture that can't be read gives an entry that says why; only a damaged model raises UserError.
        """
        return self.examine(picture).entry

    def examine(self, picture):
        """Return the Reading of a picture: its entry, and the crops and probabilities behind it. picture: as in read."""
        name = os.fsdecode(picture) if isinstance(picture, (str, bytes, Path)) else getattr(picture, "filename", "")
        try:
            opened = open_picture(picture)
        except UserError as error:
            return failed_reading(name, str(error))

        crops, boxes, rows, probabilities, scores, sure = self._read_any_way_up(opened)
        entry = _entry(name, "ok", "") if len(crops) else _entry(name, "empty", "no ink was found on the paper")
        entry["digits"] = [_digit(*of_one) for of_one in zip(probabilities, scores, boxes, strict=True)]
        for i, digit in enumerate(entry["digits"]):
            if i > 0 and rows[i] != rows[i - 1]:
                entry["text"] += "|"
            entry["text"] += str(digit["digit"])
        if not sure.all():
            entry.update(status="unsure", message=f"{np.sum(~sure)} of {len(sure)} pieces of ink are not clearly a digit")
        return Reading(entry, opened.thumbnail(), opened.size[0], crops, probabilities)

    def _read_any_way_up(self, picture):
        """Return the _Digits in the Picture as it lies; or turned, where its digits tell that it lies on its side.

        They do where some are not sure as it lies, and where two or more are all sure, and clearly better, when it is turned.
        One digit alone does not tell which side is up: a 7 on its side may be a 2. Nor do ones and zeros: a dash on its
        side is a 1.
        """
        as_it_lies = self._read(picture, 0)
        if not 2 <= len(as_it_lies.sure) <= MOST_TURNED or as_it_lies.sure.all():
            return as_it_lies
        turned = [self._read(picture, quarter_turns) for quarter_turns in (1, 2, 3)]
        best = max((reading for reading in turned if len(reading.sure) >= 2), key=_mean_score, default=as_it_lies)
        clearly = best.sure.all() and _mean_score(best) > _mean_score(as_it_lies) + CLEARLY_BETTER
        tells = (best.probabilities.argmax(axis=1) > 1).any()
        return best if clearly and tells else as_it_lies

    def _read(self, picture, quarter_turns):
        """Return the _Digits in the Picture, looked at after so many quarter turns to the left.

        Cuts are looked for only where some ink, as a whole, is not clearly a digit. In most pictures all is, which saves time.
        """
        ink = preprocessing.ink_of(picture, quarter_turns)
        for cutting in (False, True):
            prepared = preprocessing.prepare(picture, ink, quarter_turns, cutting)
            probabilities, scores, sure = self.classify(prepared.crops)
            costs = candidate_costs(prepared.candidates, probabilities, scores)
            if (costs <= CLEAR).all():
                break
        cut_off = np.array([candidate.cut for candidate in prepared.candidates], bool)
        sure &= ~(cut_off & (probabilities.argmax(axis=1) == 1))  # a stroke cut off any letter looks like a 1
        path = best_path(prepared.candidates, costs)
        boxes, rows = [prepared.boxes[i] for i in path], [prepared.candidates[i].row for i in path]
        return _Digits(prepared.crops[path], boxes, rows, probabilities[path], scores[path], sure[path])


def failed_reading(name, message):
    """Return the Reading of a picture that could not be read. message: why."""
    none = np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8), np.zeros((0, NUM_CLASSES), np.float32)
    return Reading(_entry(name, "error", message), None, 0, *none)


def _entry(name, status, message):
    """Return one entry of the JSON, still without text and digits."""
    return {"image": name, "status": status, "text": "", "message": message, "digits": []}


def _mean_score(reading):
    """Return the mean score of some _Digits, at least one of them."""
    return reading.scores.mean()


def _digit(probabilities, score, box):
    """Return the part of the JSON's entry that describes one digit."""
    top3 = [[int(digit), round(float(probabilities[digit]), 4)] for digit in np.argsort(-probabilities, kind="stable")[:3]]
    return {"digit": top3[0][0], "confidence": top3[0][1], "score": round(float(score), 3), "box": box, "top3": top3}


# ---- confidence -----------------------------------------------------------------------------------------------


def calibrate(probabilities, temperature):
    """Return the probabilities, (N, 10) float32, as if the network's logits had been divided by the temperature, above 0."""
    logits = np.log(np.maximum(probabilities, report.LEAST_PROBABILITY)) / temperature
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)


def log_odds(probabilities):
    """Return log(p / (1 - p)) of each row's largest probability p, (N,) float32. probabilities: (N, 10) float32."""
    largest_last = np.sort(probabilities, axis=1)
    rest = largest_last[:, :-1].sum(axis=1)  # more exact than 1 - p, which may round to 0
    return np.log(largest_last[:, -1] / np.maximum(rest, report.LEAST_PROBABILITY)).astype(np.float32)


def fit_temperature(probabilities, labels):
    """Return the temperature under which the labels are likeliest.

    probabilities: (N, 10) float32, not calibrated, of pictures that the network did not learn from. labels: (N,), 0 to 9.
    """
    candidates = np.geomspace(0.25, 4, 161)  # steps of 2 %: finer than 5,000 pictures can tell. chosen

    def loss(temperature):
        return report.cross_entropy(calibrate(probabilities, temperature), labels)

    return float(min(candidates, key=loss))


def fit_threshold(probabilities, accepted):
    """Return the score that only a share of some pictures of no digit reaches.

    probabilities: (N, 10) float32, calibrated, of these pictures. accepted: the share, 0 to 1.
    """
    return float(np.quantile(log_odds(probabilities), 1 - accepted))


# ---- the two ways to run a network ----------------------------------------------------------------------------


def _load_network(path):
    """Return a function: (N, 28, 28) float32, 0 to 255 -> probabilities (N, 10) float32. Raises UserError."""
    if path.suffix == ".tflite":
        return _load_litert(path)
    if path.suffix in (".h5", ".keras"):
        from digits import network  # here: Keras takes seconds to import, and the .tflite does without

        model = network.load(path)
        return lambda crops: network.answer(model, crops)
    raise UserError(f"{path} has an ending of no known model.\nExpected a model named .tflite, .h5 or .keras.")


def _load_litert(path):
    """Return the network in a .tflite file as a function. Raises UserError.

    It is tried once, for some damage shows only when the network runs.
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

        def run(crops):
            if inputs[0]["shape"][0] != len(crops):
                interpreter.resize_tensor_input(inputs[0]["index"], crops.shape)
                interpreter.allocate_tensors()
                inputs[0]["shape"] = crops.shape
            interpreter.set_tensor(inputs[0]["index"], crops)
            interpreter.invoke()
            return interpreter.get_tensor(outputs[0]["index"])

        with silent_stderr():
            run(np.zeros((TRIED, IMAGE_SIZE, IMAGE_SIZE), np.float32))
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"{path} is not a model that can be used: {str(error).splitlines()[0]}.\n"
            f"Expected a .tflite file with an input of {IMAGE_SIZE}x{IMAGE_SIZE} and {NUM_CLASSES} outputs, "
            "as train_model.py writes it."
        ) from error
    return run
