"""train_model.py --quantize: a saved model in 8-bit numbers, in a file of its own, if it reads as well."""

import os
import shlex
from pathlib import Path

from digits.cli import command_line
from digits.common.config import MAX_ACCURACY_DROP
from digits.common.errors import UserError
from digits.common.formatting import count_and_rate
from digits.common.score import Score
from digits.data.dataset import Splits
from digits.evaluation import metrics
from digits.model import lookup, store
from digits.model.card import ModelCard
from digits.model.classifier import Classifier
from digits.training import earlier_training, saving

CALIBRATION_IMAGES = 1000  # training images by which the ranges of the network's numbers are measured; 100 to 500 are usual


def quantize(model_path: Path, data_path: Path | None) -> int:
    """Save the model in 8-bit numbers beside it, with a card of its own, and compare the two. Returns an exit code.

    model_path: of the .h5 in place. data_path: of what it learned from. Raises UserError where too much accuracy would be lost.
    """
    lookup.find_model(model_path)
    with store.lock(model_path):
        card, settings = earlier_training.load_training_card(model_path)
        data, splits = earlier_training.load_training_data(card, settings, data_path)

        os.environ["KERAS_BACKEND"] = "tensorflow"  # the only one that converts; nothing is trained here
        from digits.model import keras_files

        float_path = model_path.with_suffix(".tflite")
        small_path = model_path.with_name(f"{model_path.stem}{store.QUANTIZED_ENDING}.tflite")
        with store.staged(small_path) as staging:
            staged_path = staging / small_path.name
            model = keras_files.load(model_path)
            keras_files.save_quantized(model, staged_path, splits.training.images[:CALIBRATION_IMAGES])
            of_float, of_int8 = (score_splits(path, card, splits) for path in (float_path, staged_path))
            print(f"\ndata: {data.name}")
            rows: list[tuple[str, ...]] = [("", "validation", "test", "size")]
            for name, path, scores in (("float", float_path, of_float), ("int8", staged_path, of_int8)):
                rows.append((name, *map(count_and_rate, scores.values()), f"{path.stat().st_size / 1000:,.0f} kB"))
            command_line.print_table(rows)
            lost = of_float["validation"].correct - of_int8["validation"].correct
            if lost > MAX_ACCURACY_DROP * of_float["validation"].n:
                raise UserError(
                    f"The 8-bit model reads {lost} validation images fewer than the float one, so it was not saved.\n"
                    f"Expected at most {100 * MAX_ACCURACY_DROP:.1f} % of them. The float one is small, too: {float_path}"
                )
            input_words = saving.input_in_words(model, any_scale=False)
            store.commit(small_path, quantized_card(card, model_path, input_words, of_int8))
        print(f"\nsaved: {small_path}\nTo read with it: python predict_custom.py --model {shlex.quote(str(small_path))}")
        return command_line.DONE


def score_splits(path: Path, card: ModelCard, splits: Splits) -> dict[str, Score]:
    """Return the scores of the .tflite at the path, with this card, on the validation and the test images."""
    classifier = Classifier(path, card)
    parts = {"validation": splits.validation, "test": splits.test}
    return {
        name: metrics.score_answers(classifier.classify(part.images).probabilities.argmax(axis=1) == part.labels)
        for name, part in parts.items()
    }


def quantized_card(card: ModelCard, model_path: Path, input_words: str, scores: dict[str, Score]) -> ModelCard:
    """Return the card of the 8-bit version of a model. input_words: what it says of the input."""
    return ModelCard(
        data=card.data,
        settings=card.settings,
        recipe=card.recipe,
        parameters=card.parameters,
        labels=card.labels,
        input=input_words,
        output=card.output,
        calibration=card.calibration,
        score=card.score,
        temperature=card.temperature,
        temperature_applied=card.temperature_applied,
        threshold=card.threshold,
        quantized_from=(card.sha256 or {})[model_path.name],
        validation=scores["validation"],
        test=scores["test"],
    )
