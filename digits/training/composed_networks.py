"""The two networks that learn from composed pages: the number reader's and the line reader's, each with how it is trained."""

from collections.abc import Sequence

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.composition import windows
from digits.evaluation import metrics
from digits.model import line_network, lookup, number_network
from digits.model.heat_map import BOX_UNIT, CLASS_COUNT, MIN_CENTRE, OTHER_INK, OUTPUT_COUNT, SIDE_MULTIPLE, STRIDE
from digits.model.line_image import COLUMN_STRIDE, LINE_HEIGHT, NO_SYMBOL, PADDING, best_path
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings
from digits.training import line_rows
from digits.training.composed_training import ComposedTraining, Validation
from digits.training.composing import Batch
from digits.training.recipe import line_reader_recipe, number_reader_recipe

# Set by hand together with the settings in composed_training, and measured as a whole: benchmarks/results/whole_numbers.json.
WINDOWS_PER_BATCH, ROWS_PER_BATCH = 16, 24


def validate_centres(model: keras.Model, batches: Sequence[Batch]) -> Validation:
    """Return how the number reader's network answers for windows: whether the class is right at the centres of symbols."""
    losses, labels, answers = [], [], []
    for inputs, targets in batches:
        answer = model(inputs, training=False)
        losses.append(float(number_network.loss(targets, answer)))
        logits = keras.ops.convert_to_numpy(answer)[..., :CLASS_COUNT]
        *places, label = np.nonzero(targets[..., :CLASS_COUNT] >= MIN_CENTRE)
        labels.append(label)
        answers.append(logits[tuple(places)].argmax(axis=-1))
    expected, right = np.concatenate(labels), np.concatenate(labels) == np.concatenate(answers)
    is_digit = expected < NUM_CLASSES
    is_mark = ~is_digit & (expected < OTHER_INK)
    return Validation(metrics.score_answers(right[is_digit]), float(np.mean(losses)), marks=metrics.score_answers(right[is_mark]))


def validate_rows(model: keras.Model, batches: Sequence[Batch]) -> Validation:
    """Return how the line reader's network answers for rows: whether all symbols of a row are right."""
    losses, right = [], []
    for inputs, targets in batches:
        answer = model(inputs, training=False)
        losses.append(float(line_network.loss(targets, answer)))
        for columns, symbols in zip(keras.ops.convert_to_numpy(answer), targets, strict=True):
            right.append([label for label, _ in best_path(columns)] == symbols[symbols != PADDING].tolist())
    return Validation(metrics.score_answers(np.array(right)), float(np.mean(losses)))


NUMBER_READER_TRAINING = ComposedTraining(
    kind=lookup.NUMBER_READER,
    batch_size=WINDOWS_PER_BATCH,
    build=number_network.build,
    loss=number_network.loss,
    accuracy=number_network.centre_accuracy,
    compose=windows.batches,
    validate=validate_centres,
    score_name="digits of composed windows",
    recipe=number_reader_recipe,
    card={
        "classes": [*lookup.NUMBER_READER.classes],
        "input": f"(N, height, width, 1) float32, local mean 0 and standard deviation 1, sides multiples of {SIDE_MULTIPLE}",
        "output": f"(N, height / {STRIDE}, width / {STRIDE}, {OUTPUT_COUNT}) float32: a logit for each class; log width and log "
        f"height in units of {BOX_UNIT:.0f} pixels; the centre's offset to the right and down in units of {STRIDE} pixels",
    },
)

LINE_READER_TRAINING = ComposedTraining(
    kind=lookup.LINE_READER,
    batch_size=ROWS_PER_BATCH,
    build=line_network.build,
    loss=line_network.loss,
    accuracy=line_network.exact_rows,
    compose=line_rows.batches,
    validate=validate_rows,
    score_name="composed rows",
    recipe=line_reader_recipe,
    card={
        "classes": [*lookup.LINE_READER.classes],
        "input": f"(N, {LINE_HEIGHT}, width, 1) float32, local mean 0 and standard deviation 1, width a multiple of "
        f"{COLUMN_STRIDE}",
        "output": f"(N, width / {COLUMN_STRIDE}, {NO_SYMBOL + 1}) float32: a logit for each class in each column, for CTC",
    },
)

BY_KIND = {training.kind: training for training in (NUMBER_READER_TRAINING, LINE_READER_TRAINING)}
