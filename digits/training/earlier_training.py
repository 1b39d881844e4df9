"""The training that made a saved model: its card, its settings and its data, from which a further step starts."""

from pathlib import Path

from digits.common.config import TRAIN_COMMAND
from digits.common.errors import UserError
from digits.data import dataset
from digits.data.dataset import Dataset, Splits
from digits.model import lookup, store
from digits.model.card import ModelCard
from digits.training.settings import TrainingSettings


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
