"""train_model.py --eye and --line-reader: a part of a training, from scratch or further, and what it prints."""

import json
import os
from pathlib import Path

from digits.cli import command_line, print_training
from digits.cli.bring_back import command_to_bring_back
from digits.common.errors import UserError
from digits.common.formatting import count_and_rate
from digits.data import dataset
from digits.model import lookup, store
from digits.model.card import EpochRecord, ModelCard
from digits.model.lookup import ModelKind
from digits.training import composing


def train_reader_network(kind: ModelKind, model_path: Path, data_path: Path | None, epochs: int, seed: int, resume: bool) -> int:
    """Train a number reader or a line reader for one part and save it. Returns an exit code.

    model_path: of the .h5 to write. data_path: of the digits that pages are composed of; None: MNIST. epochs: of this part.
    resume: whether to go on, with an interrupted part, or else with the network in place; without it, training starts from
    scratch. Raises UserError where there is nothing to go on with, where the data lacks a digit, or where the network in place
    is of another kind.
    """
    data = dataset.load(data_path, parts=("train",))
    digits = composing.split(data)
    with store.lock(model_path):
        card_in_place = store.recover_and_load_card(model_path)
        lookup.check_kind(model_path, card_in_place, kind, print_training.OTHER_KIND_IN_PLACE)

        os.environ["KERAS_BACKEND"] = "tensorflow"  # the only one that writes a .tflite
        from digits.model import keras_files
        from digits.training import composed_training
        from digits.training.checkpoint import Checkpoint
        from digits.training.composed_networks import BY_KIND

        training = BY_KIND[kind]
        settings = composed_training.PartSettings(epochs=epochs, seed=seed, batch_size=training.batch_size)
        earlier_card = _earlier_card(model_path, card_in_place) if resume else None
        identity = {"pictures": data.fingerprint(), "trained_from": _checksum(model_path, earlier_card)}
        identity |= settings.to_json() | training.recipe()
        checkpoint = Checkpoint(store.checkpoint_folder(model_path), identity)
        part = composed_training.Part(
            training=training,
            settings=settings,
            data_name=data.name,
            digits=digits,
            checkpoint=checkpoint,
            earlier_card=earlier_card,
        )
        restores = resume and checkpoint.path.exists()
        model, start = training.build(seed), "from the checkpoint" if restores else "from scratch"
        if earlier_card and not restores:
            keras_files.load_weights(model, model_path, kind)
            start = "from the weights in place"
        print_training.say_if_discarded(checkpoint, resume)
        print(f"\ndata: {data.name}\n\nsettings, from digits/training/composed_training.py")
        command_line.print_table(settings.to_json().items())
        print(f"\nnetwork: {model.count_params():,} parameters, {start}\n", flush=True)

        def print_epoch(number: int, record: EpochRecord, seconds_left: float) -> None:
            measured = f"loss {record.loss:6.3f}   validation {record.val_loss:6.3f}   right {100 * record.val_accuracy:5.2f} %"
            print(print_training.epoch_line(number, epochs, measured, record.seconds, seconds_left), flush=True)

        try:
            history, validation = composed_training.fit(part, model, restores, print_epoch)
        except KeyboardInterrupt:
            return print_training.say_interrupted(resume)
        card = composed_training.save(part, model, model_path, history, validation)
        checkpoint.remove()
        _print_result(model_path, card, card_in_place, training.score_name)
    return command_line.DONE


def _earlier_card(model_path: Path, card_in_place: ModelCard | None) -> ModelCard | None:
    """Return the card of the network from whose weights the part that goes on started or starts; None where it was from scratch.

    Raises UserError where there is neither an interrupted part nor a network in place.
    """
    from digits.training.checkpoint import START_AGAIN, saved_identity  # here: it imports Keras

    interrupted = saved_identity(store.checkpoint_folder(model_path))
    if interrupted is not None and interrupted.get("trained_from") is None:
        return None
    if interrupted is None and _checksum(model_path, card_in_place) is None:
        raise UserError(
            f"There is nothing to go on with: no interrupted training and no {model_path} with its card.\n"
            f"Expected one of them. {START_AGAIN}"
        )
    return card_in_place


def _checksum(model_path: Path, card: ModelCard | None) -> str | None:
    """Return the SHA-256 of the network that the card stands beside, None without a card."""
    return ((card.sha256 if card else None) or {}).get(model_path.name)


def _print_result(model_path: Path, card: ModelCard, card_before: ModelCard | None, score_name: str) -> None:
    """Print what was saved and what it scores, beside the network that it replaces, and how that comes back."""
    print_training.print_saved(model_path, card.seconds)
    rows = [(f"{score_name}:", card.validation), ("marks:", card.validation_marks)]
    if card_before and _was_validated_alike(card_before, card):
        rows += [
            (f"{score_name}, network before:", card_before.validation),
            ("marks, network before:", card_before.validation_marks),
        ]
    command_line.print_table([(name, count_and_rate(score)) for name, score in rows if score])
    if card_before:
        print(f"\nThe network before is kept. To bring it back:\n  {command_to_bring_back(model_path)}")


def _was_validated_alike(one: ModelCard, other: ModelCard) -> bool:
    """Return whether two networks were validated on the same pages: composed of the same digits by the same recipe."""
    first, second = (json.dumps([card.data, card.pictures, card.recipe]) for card in (one, other))
    return first == second
