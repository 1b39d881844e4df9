"""What is saved with a trained network: its scores, its card, its files; and how a saved one is taken up again."""

import platform
from importlib.metadata import version

import numpy as np

from digits import dataset, model_files, report
from digits.config import NUM_CLASSES, UserError
from digits.recognizer import Recognizer, calibrate, fit_temperature, fit_threshold
from digits.settings import are_sound

VERSIONS = ("keras", "tensorflow", "numpy", "opencv-python-headless")  # the packages that the card names
ACCEPTED = 0.01  # share of drawn pictures of no digit that may pass as one; chosen with own_digits, of which 2 % are "not sure"


def save(model, model_path, data, splits, settings, history, fine_tuned=None):
    """Write the three files beside the old ones, move them into place together, and return the new card.

    fine_tuned: what the card says besides of a model that learned somebody's hand.
    """
    from digits import network, training

    with model_files.staged(model_path) as staging:
        tflite_path = staging / f"{model_path.stem}.tflite"
        network.save(model, staging / model_path.name, tflite_path)
        card = {
            "data": data.name,
            "pictures": {split: len(labels) for split, (_, labels) in splits.items()},
            "preset": settings["PRESET"],
            "settings": settings,
            "recipe": training.recipe(),
            "seed": settings["SEED"],
            "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
            "machine": f"{platform.system()} {platform.machine()}",
            "seconds": round(sum(epoch["seconds"] for epoch in history), 1),
            "history": history,
            "parameters": model.count_params(),
            "labels": list(range(NUM_CLASSES)),
            "input": "(N, 28, 28) float32, 0 to 255, white ink on black, a digit in a 20x20 box, centred by mass at (14, 14)",
            "output": "(N, 10) float32, the probability p of each label",
            "calibration": "p ** (1 / temperature), divided by its sum over the ten labels",
            "score": "log(q / (1 - q)), q the largest of the calibrated ten; below the threshold an answer is 'not sure'",
            **evaluate(tflite_path, splits, data.is_mnist, settings["SEED"]),
            **(fine_tuned or {}),
        }
        model_files.put_in_place(staging, model_path, card)
    return card


def evaluate(tflite_path, splits, is_mnist, seed):
    """Return the card's part that is measured: what validation decides, then the test scores.

    The test pictures are scored once, here, when everything is decided. They go through the same Recognizer as a
    user's pictures, so verify_all_digits.py counts the very same answers.
    """
    measured = fit_confidence(tflite_path, splits["validation"], seed)
    images, labels = splits["test"]
    probabilities, _, sure = Recognizer(tflite_path, card=measured).classify(images)
    test = report.score_arrays(labels, probabilities, sure, is_mnist)
    measured["test"] = {name: test[name] for name in ("n", "correct", "accuracy", "interval95", "loss", "ece", "unsure")}
    return measured


def fit_confidence(tflite_path, validation, seed):
    """Return the card's part that validation decides: temperature, threshold, and the validation score.

    The temperature comes from the validation pictures, the threshold from as many drawn ones that hold no digit.
    """
    from digits import not_digits  # here: reading must not wait for it

    images, labels = validation
    uncalibrated = Recognizer(tflite_path, card={"temperature": 1.0})
    probabilities, _, sure = uncalibrated.classify(images)
    none, _, _ = uncalibrated.classify(not_digits.draw(len(images), images, labels, np.random.default_rng(seed)))
    score = report.score_arrays(labels, probabilities, sure, is_mnist=False)
    temperature = fit_temperature(probabilities, labels)
    return {
        "temperature": temperature,
        "threshold": fit_threshold(calibrate(none, temperature), ACCEPTED),
        "validation": {name: score[name] for name in ("n", "correct", "accuracy")},
    }


def whole_set(model_path):
    """Return the card of the whole set in place, for whoever holds the lock. Raises UserError where there is none."""
    card = model_files.card_in_place(model_path)
    if card is None:
        for path in (model_path, model_path.with_suffix(".tflite")):
            model_files.resolve(path)  # it says what is amiss
    if card is None or not _tells_how_it_learned(card, model_path):
        raise UserError(
            f"{model_path} has no card beside it that says how it learned.\n"
            f"Expected a model as train_model.py saves it: .h5, .tflite and .json. To make one: {model_files.TRAIN_COMMAND}"
        )
    return card


def _tells_how_it_learned(card, model_path):
    """Say whether a card holds what learning on needs, in the form in which save writes it."""
    if (
        not {"settings", "pictures", "temperature", "threshold", "data", "history"} <= set(card)
        or model_path.name not in card["sha256"]
    ):
        return False
    try:
        return are_sound(card["settings"]) and all(0 <= epoch["seconds"] < 10**9 for epoch in card["history"])
    except (TypeError, KeyError):
        return False


def data_of(card, data_path):
    """Return (Dataset, splits) that a model learned from, split as it was then. Raises UserError where it was another."""
    data = dataset.load(data_path)
    splits = dataset.splits_of(data, card["settings"]["VALIDATION_SPLIT"], card["settings"]["SEED"])
    pictures = {split: len(labels) for split, (_, labels) in splits.items()}
    if data.is_mnist != (card["data"] == "MNIST") or pictures != card["pictures"]:
        raise UserError(
            f"The model learned from {card['data']}, {card['pictures']}; this is {data.name}, {pictures}.\n"
            "Expected the same data: the part that was not learned shows what is forgotten. Name it with --data PATH."
        )
    return data, splits
