"""Learning one person's handwriting: a short training at a low rate on their images among MNIST's, and a check of the result.

What a network learns last pushes out what it learned before (catastrophic interference, McCloskey and Cohen 1989). So most
of the images are some that it has learned already (rehearsal, Robins 1995). And the new weights are interpolated with the
earlier ones as far as the check asks for it (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from digits.common.config import MAX_ACCURACY_DROP
from digits.common.score import Score
from digits.data.dataset import Split, Splits
from digits.model import network
from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings
from digits.training import batches
from digits.training.batches import Batch, augmented_epoch, batched
from digits.training.interrupt import StopBetweenBatches
from digits.training.loop import compile_for_digits, score, train_batches
from digits.training.prefetch import prefetch
from digits.training.row_guard import MAX_ROW_DROP, FoundRows
from digits.training.schedule import warm_up_and_cosine_decay
from digits.training.settings import TrainingSettings

# Set by hand, and measured as a whole: benchmarks/results/fine_tuning.json.
ROUNDS = 4  # after each, the progress is reported
STEPS_PER_ROUND = 75  # batches
ROUND_BATCH_SIZE = 128  # images
PEAK_LEARNING_RATE = 0.001  # it falls to zero from there; a tenth of a training's
WARM_UP_FRACTION = 0.1  # of the steps, in which the learning rate rises
# The person's share of the images of digits. Learning an odd seven lost about 20 of 5,999 validation images with 0.25, 7 to 11
# with 0.06, and 5 with 0.03, which is as many as the check allows.
OWN_IMAGES_FRACTION = 0.03
# The new weights' share in the interpolation, tried in this order until one passes the check. With less, little is learned.
INTERPOLATION_ALPHAS = (1.0, 0.75, 0.5)

RoundCallback = Callable[[int, int, float], None]  # takes steps done, steps in all, and the accuracy of the round


class GuardScores(NamedTuple):
    """What the check compares.

    held_out, validation: the scores, with loss, on the person's images that were held out, and on validation images. rows: the
    score on rows of validation digits, where they are read as numbers; None: there is no number reader.
    """

    held_out: Score
    validation: Score
    rows: Score | None = None


@dataclass(frozen=True)
class Interpolation:
    """Weights between the old and the new ones.

    alpha: the new weights' share in them. objections: against keeping them, clauses of text.
    """

    alpha: float
    scores: GuardScores
    objections: list[str]


@dataclass(frozen=True)
class Outcome:
    """What a fine-tuning led to. before: the scores of the earlier model. interpolations: those tried, at least one."""

    before: GuardScores
    interpolations: list[Interpolation]

    @property
    def last(self) -> Interpolation:
        """The one whose weights the model has now. If it has objections, so has each, and the model should not be kept."""
        return self.interpolations[-1]

    def to_json(self) -> dict[str, Any]:
        """Return the entries of the card that say what changed."""
        scores = {
            name: {"before": getattr(self.before, name).to_json(), "after": getattr(self.last.scores, name).to_json()}
            for name in GuardScores._fields
            if getattr(self.before, name) is not None
        }
        return {**scores, "share": self.last.alpha}


def fine_tune(
    model: keras.Model,
    splits: Splits,
    own: Split,
    held_out: Split,
    settings: TrainingSettings,
    rows: FoundRows | None = None,
    on_round_end: RoundCallback = lambda step, steps, accuracy: None,
) -> Outcome:
    """Train the model in place, give it the weights with the largest alpha that passes the check, and return the scores.

    splits: of the data that it learned from. own, held_out: the person's images to learn from, and the others. settings: those of
    its training. rows: of validation digits, as the number reader finds them; None: numbers are not checked.
    Raises KeyboardInterrupt after Ctrl-C, between two batches.
    """
    earlier_weights = model.get_weights()
    before = _guard_scores(model, held_out, splits.validation, rows)
    learn(model, splits.training, own, settings, on_round_end)
    interpolations = []
    for alpha in interpolate_weights(model, earlier_weights):
        after = _guard_scores(model, held_out, splits.validation, rows)
        interpolations.append(Interpolation(alpha, after, objections(before, after)))
        if not interpolations[-1].objections:
            break
    return Outcome(before, interpolations)


def learn(model: keras.Model, training: Split, own: Split, settings: TrainingSettings, on_round_end: RoundCallback) -> None:
    """Train the model in place, at a low rate. training, own, settings: as in images_of_round. Raises as fine_tune does."""
    steps = ROUNDS * STEPS_PER_ROUND
    warm_up = round(WARM_UP_FRACTION * steps)
    compile_for_digits(model, warm_up_and_cosine_decay(steps, warm_up, PEAK_LEARNING_RATE))
    stream = itertools.chain.from_iterable(
        batched(images_of_round(training, own, settings, number), ROUND_BATCH_SIZE) for number in range(ROUNDS)
    )
    with StopBetweenBatches() as stop, prefetch(stream, STEPS_PER_ROUND, stop) as upcoming:
        for number in range(ROUNDS):
            accuracy, _ = train_batches(model, itertools.islice(upcoming, STEPS_PER_ROUND), stop)
            on_round_end((number + 1) * STEPS_PER_ROUND, steps, accuracy)


def images_of_round(training: Split, own: Split, settings: TrainingSettings, number: int) -> Iterator[Batch]:
    """Return what a round learns from, STEPS_PER_ROUND batches in all: an iterator as of batches.augmented_epoch.

    training, own: images of the data set and of the person, at least one of each. settings: those that the model was trained
    with. number: the round's, from 0. With augment, the images are augmented, one digit in 25, of the person's too, is replaced
    by a drawn one, and outliers are added, as in the second phase of a training.
    """
    rng = np.random.default_rng([settings.seed, number])
    total = STEPS_PER_ROUND * ROUND_BATCH_SIZE
    digits = round(total / (1 + batches.OUTLIERS_PER_DIGIT)) if settings.augment else total
    own_count = round(OWN_IMAGES_FRACTION * digits)
    indices = _draw_evenly(rng, len(training.labels), digits - own_count)
    own_indices = _draw_evenly(rng, len(own.labels), own_count)
    images = np.concatenate([training.images[indices], own.images[own_indices]])
    labels = np.concatenate([training.labels[indices], own.labels[own_indices]])
    return augmented_epoch(images, labels, settings, settings.epochs + number)  # a number that no epoch of the training had


def _draw_evenly(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    """Return random indices from 0 to n - 1, (count,) int: each as often as any other, or once more."""
    return np.concatenate([rng.permutation(n) for _ in range(-(-count // n))])[:count]


def interpolate_weights(model: keras.Model, earlier_weights: list[np.ndarray]) -> Iterator[float]:
    """Yield each of INTERPOLATION_ALPHAS; meanwhile the weights are (1 - alpha) * earlier_weights + alpha * new weights.

    earlier_weights: from model.get_weights() before it learned. The statistics of the normalisations are interpolated, too.
    """
    new_weights = model.get_weights()
    for alpha in INTERPOLATION_ALPHAS:
        model.set_weights([old + alpha * (new - old) for old, new in zip(earlier_weights, new_weights, strict=True)])
        yield alpha


def objections(before: GuardScores, after: GuardScores) -> list[str]:
    """Return what speaks against replacing the model, as clauses; nothing where it may be replaced."""
    found = []
    if after.held_out.correct < before.held_out.correct:
        found.append("fewer of your images that were held out are read right than before")
    lost = before.validation.correct - after.validation.correct
    if lost > MAX_ACCURACY_DROP * before.validation.n:
        found.append(f"{lost} of the validation images are forgotten, more than {100 * MAX_ACCURACY_DROP:.1f} % of them")
    if before.rows and after.rows and before.rows.correct - after.rows.correct > MAX_ROW_DROP * before.rows.n:
        lost = before.rows.correct - after.rows.correct
        found.append(
            f"{lost} of {before.rows.n:,} rows of digits are no longer read, more than {100 * MAX_ROW_DROP:.1f} % of them"
        )
    return found


def _guard_scores(model: keras.Model, held_out: Split, validation: Split, rows: FoundRows | None) -> GuardScores:
    scored = (score(model, *part) for part in (held_out, validation))
    on_held_out, on_validation = (dataclasses.replace(result, loss=loss) for result, loss in scored)
    return GuardScores(on_held_out, on_validation, None if rows is None else rows.score(network.predict(model, rows.crops)))
