"""The stream of batches that a network learns from, composed by a process of its own while another one learns.

Everything random is drawn from the seed and the number of the epoch. So a training that is killed and resumed sees the same
batches in the same order.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from digits.common.config import NUM_CLASSES
from digits.common.errors import UserError
from digits.common.processes import worker_processes
from digits.composition.glyphs import GlyphPool
from digits.composition.pages import Sources
from digits.composition.papers import PaperPool
from digits.data.dataset import Dataset, Split
from digits.training.interrupt import StopBetweenBatches
from digits.training.prefetch import in_order

PREFETCHED_BATCHES = 32  # batches, 40 MB: enough for the 10 to 15 s in which the sources of a new epoch are made
VALIDATION_FRACTION = 1 / 12  # of the digits, for validation: 5,000 of MNIST's 60,000; the shipped weights never learned these
VALIDATION_SEED = 0  # every training holds the same digits back, and is validated on the same windows of them

Batch = tuple[np.ndarray, np.ndarray]  # inputs and targets of a network, N of each
Compose = Callable[[Sources, np.random.Generator, int], Iterator[Batch]]  # of sources, rng and batch size


def split(data: Dataset) -> tuple[Split, Split]:
    """Return (the digits to compose training windows of, the digits held back for validation).

    The same digits are held back whatever a part's settings, so that no part validates on what an earlier one learned from.
    They are random and not stratified: of MNIST they are those that the shipped weights never learned. Raises UserError where a
    digit is missing in one of the two, because windows are composed of all ten.
    """
    order = np.random.default_rng(VALIDATION_SEED).permutation(len(data.y_train))
    held_back = round(VALIDATION_FRACTION * len(order))
    parts = [Split(data.x_train[places], data.y_train[places]) for places in np.split(order, [len(order) - held_back])]
    for part, purpose in zip(parts, ("to learn from", "to validate on"), strict=True):
        missing = set(range(NUM_CLASSES)) - set(part.labels.tolist())
        if missing:
            raise UserError(
                f"The data has no {min(missing)} {purpose}.\n"
                "Expected images of all ten digits, some hundreds at least: windows are composed of them."
            )
    training, validation = parts
    return training, validation


@dataclass(frozen=True)
class BatchStream:
    """The batches of a training from one epoch on.

    compose: makes batches without end. training: digits to compose pages of. seed: of the training. first_epoch: from 0.
    steps_per_epoch: batches in each epoch. batch_size: what a batch holds.
    """

    compose: Compose
    training: Split
    seed: int
    first_epoch: int
    steps_per_epoch: int
    batch_size: int

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches without end. Each epoch has new handwriting and new paper."""
        for epoch in itertools.count(self.first_epoch):
            rng = np.random.default_rng([self.seed, epoch])
            sources = Sources(GlyphPool(*self.training, rng), PaperPool(rng))
            yield from itertools.islice(self.compose(sources, rng, self.batch_size), self.steps_per_epoch)


def validation_batches(compose: Compose, validation: Split, count: int, batch_size: int) -> list[Batch]:
    """Return this many batches, of digits and shapes of marks that are not learned; always the same ones."""
    rng = np.random.default_rng(VALIDATION_SEED)
    sources = Sources(GlyphPool(*validation, rng), PaperPool(rng), held_back=True)
    return list(itertools.islice(compose(sources, rng, batch_size), count))


@contextlib.contextmanager
def compose_ahead(stream: BatchStream, stop: StopBetweenBatches) -> Iterator[Iterator[Batch]]:
    """Yield an iterator over the stream's batches, which another process composes, up to PREFETCHED_BATCHES of them ahead.

    The iterator raises what composing a batch raises, and KeyboardInterrupt after Ctrl-C.
    """
    with worker_processes(1, _begin, stream) as process:
        batches = in_order(lambda: process.submit(_next_batch), PREFETCHED_BATCHES, stop)
        yield ((_widened(inputs), _widened(targets)) for inputs, targets in batches)


_batches: Iterator[Batch]  # in the composing process: a pool's initializer has no other place for it


def _begin(stream: BatchStream) -> None:
    """Prepare the composing process."""
    global _batches
    _batches = iter(stream)


def _next_batch() -> Batch:
    """Return the next batch, numbers with a fraction in float16, half of what has to pass between the processes."""
    inputs, targets = next(_batches)
    return _narrowed(inputs), _narrowed(targets)


def _narrowed(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16) if array.dtype == np.float32 else array


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array
