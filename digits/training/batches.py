"""The stream of batches that a network learns from: shuffled, augmented, cut into batches, prefetched by a second thread.

Everything random is drawn from the seed and the number of the epoch, never from what was drawn before. So a training that
is killed and resumed sees the same images in the same order.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from digits.augmentation import augment, outliers
from digits.common.config import NUM_CLASSES
from digits.training import drawn_digits
from digits.training.schedule import second_phase_epochs
from digits.training.settings import TrainingSettings

# The first three were set by hand: benchmarks/ingredients.py can train without outliers, without drawn digits and without the
# second phase.
OUTLIERS_PER_DIGIT = 0.1  # images of no digit in an epoch, for each image of one
DRAWN_FRACTION = 0.1  # of an epoch's digits, that are drawn ones of the same label instead: see drawn_digits.py
SECOND_PHASE_PROBABILITY_SCALE = 0.4  # in the second phase, factor on DRAWN_FRACTION and augmentation's probabilities
AUGMENTATION_CHUNK_SIZE = 500  # images augmented in one call: 0.4 MB, which fits a processor's cache

Batch = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28) uint8; labels (N,) uint8, 0 to 9, or 10 for an outlier


def outlier_count(images: np.ndarray) -> int:
    """Return how many outliers an epoch adds to these images, (N, 28, 28)."""
    return round(OUTLIERS_PER_DIGIT * len(images))


def augmented_epoch(images: np.ndarray, labels: np.ndarray, settings: TrainingSettings, epoch: int) -> Iterator[Batch]:
    """Yield what an epoch learns from, shuffled, in chunks of AUGMENTATION_CHUNK_SIZE images.

    images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9. settings: augment, seed and epochs are used. epoch: from 0.
    With augment, each image comes as a new variant, some of them are drawn digits instead, and outliers with the label 10 are
    added; else the images come as they are.
    """
    rng = np.random.default_rng([settings.seed, epoch])
    in_second_phase = epoch >= settings.epochs - second_phase_epochs(settings.epochs)
    probability_scale = SECOND_PHASE_PROBABILITY_SCALE if in_second_phase else 1.0
    if settings.augment:
        no_digits = outliers.draw(outlier_count(images), images, labels, rng)
        images = np.concatenate([images, no_digits])
        labels = np.concatenate([labels, np.full(len(no_digits), outliers.OUTLIER_LABEL, labels.dtype)])
    order = rng.permutation(len(images))
    for start in range(0, len(images), AUGMENTATION_CHUNK_SIZE):
        indices = order[start : start + AUGMENTATION_CHUNK_SIZE]
        chunk, chunk_labels = images[indices], labels[indices]
        if settings.augment:
            is_drawn = (chunk_labels < NUM_CLASSES) & (rng.random(len(chunk)) < probability_scale * DRAWN_FRACTION)
            chunk[is_drawn] = drawn_digits.draw(chunk_labels[is_drawn], rng)
            chunk = augment.augment(chunk, chunk_labels, rng, probability_scale)
        yield chunk, chunk_labels


def batched(chunks: Iterator[Batch], batch_size: int) -> Iterator[Batch]:
    """Yield the same images and labels, in the same order, as batches of this size. The last batch holds what is left.

    chunks: at least one pair of arrays (M, 28, 28) and (M,). batch_size: 1 or more.
    """
    images, labels = next(chunks)
    for more_images, more_labels in itertools.chain(chunks, [(images[:0], labels[:0])]):
        while len(labels) >= batch_size:
            yield images[:batch_size], labels[:batch_size]
            images, labels = images[batch_size:], labels[batch_size:]
        images, labels = np.concatenate([images, more_images]), np.concatenate([labels, more_labels])
    if len(labels):
        yield images, labels
