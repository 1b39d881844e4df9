"""The stream of windows that the number reader learns from, composed by a process of its own while another one learns.

Everything random is drawn from the seed and the number of the epoch. So a training that is killed and resumed sees the same
windows in the same order.
"""

import collections
import contextlib
import itertools
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from digits.common.processes import end_with_parent
from digits.composition import windows
from digits.composition.glyphs import GlyphPool
from digits.composition.pages import Sources
from digits.composition.papers import PaperPool
from digits.composition.windows import Batch
from digits.data.dataset import Split
from digits.training.interrupt import StopBetweenBatches

PREFETCHED_BATCHES = 32  # batches, 40 MB: enough for the 10 to 15 s in which the sources of a new epoch are made
VALIDATION_SEED = 0  # every training is validated on windows of one seed


@dataclass(frozen=True)
class WindowStream:
    """The windows of a training from one epoch on.

    training: digits to compose windows of. seed: of the training. first_epoch: from 0. steps_per_epoch: batches in each epoch.
    batch_size: windows in each batch.
    """

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
            yield from itertools.islice(windows.batches(sources, rng, self.batch_size), self.steps_per_epoch)


def validation_batches(validation: Split, count: int, batch_size: int) -> list[Batch]:
    """Return this many batches of windows, of digits and shapes of marks that are not learned; always the same ones."""
    rng = np.random.default_rng(VALIDATION_SEED)
    sources = Sources(GlyphPool(*validation, rng), PaperPool(rng), held_back=True)
    return list(itertools.islice(windows.batches(sources, rng, batch_size), count))


@contextlib.contextmanager
def compose_ahead(stream: WindowStream, stop: StopBetweenBatches) -> Iterator[Iterator[Batch]]:
    """Yield an iterator over the stream's batches, which another process composes, up to PREFETCHED_BATCHES of them ahead.

    The iterator raises what composing a batch raises, and KeyboardInterrupt after Ctrl-C.
    """
    pool = ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),  # the same on every system, and no lock is inherited
        initializer=_start_process,
        initargs=(stream,),
    )
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for the process that learns
    try:
        futures = collections.deque(pool.submit(_next_batch) for _ in range(PREFETCHED_BATCHES))
    finally:
        signal.signal(signal.SIGINT, earlier)

    def ready() -> Iterator[Batch]:
        while True:
            batch = stop.wait_for(futures.popleft())
            futures.append(pool.submit(_next_batch))
            inputs, targets = batch
            yield inputs.astype(np.float32), targets.astype(np.float32)

    try:
        yield ready()
    finally:
        pool.shutdown(cancel_futures=True)


_batches: Iterator[Batch]  # in the composing process: a pool's initializer has no other place for it


def _start_process(stream: WindowStream) -> None:
    """Prepare the composing process."""
    global _batches
    cv2.setNumThreads(1)
    end_with_parent()
    _batches = iter(stream)


def _next_batch() -> Batch:
    """Return the next batch, in float16, half of what has to pass between the processes."""
    inputs, targets = next(_batches)
    return inputs.astype(np.float16), targets.astype(np.float16)
