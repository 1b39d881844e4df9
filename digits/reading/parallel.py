"""Many images, read on all cores, in the order given."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import cv2

from digits.common.config import CORES
from digits.common.processes import end_with_parent
from digits.model.card import ModelCard
from digits.reading.reader import Reader
from digits.reading.results import Reading

ImagePath = str | os.PathLike
Task = list[tuple[ImagePath, bool]]  # images for one process at a time: (path, whether its thumbnail is wanted)

MIN_PARALLEL_IMAGES = 64  # images; one process reads this many, at 5 ms each, in the 0.3 s that another takes to start
IMAGES_PER_TASK = 8  # images, 40 ms of work: far more than handing a task to a process takes
PENDING_TASKS_PER_PROCESS = 4  # tasks: enough that no process waits, and few, so that memory does not grow with the folder

_reader: Reader  # in a process that reads for another: a pool's initializer has no other place for it


def read_all(reader: Reader, paths: Sequence[ImagePath], thumbnails: int) -> Iterator[Reading]:
    """Yield the Reading of each path, in order.

    thumbnails: the first of them come with a thumbnail, this many at least; the others may come without, which saves time.
    An image that brings down the process that reads it, as a broken decoder may, gives a Reading with the status "error",
    and all others are read.
    """
    if len(paths) < MIN_PARALLEL_IMAGES or CORES == 1:
        yield from map(reader.read, paths)
        return
    wanted = [(path, i < thumbnails) for i, path in enumerate(paths)]
    tasks = collections.deque(wanted[start : start + IMAGES_PER_TASK] for start in range(0, len(wanted), IMAGES_PER_TASK))
    max_pending = PENDING_TASKS_PER_PROCESS * CORES
    while tasks:
        try:
            with _processes(reader, CORES) as pool:
                yield from _read_in_order(pool, tasks, max_pending)
        except BrokenProcessPool:  # it does not say which of the pending images did it
            pending = [tasks.popleft() for _ in range(min(max_pending, len(tasks)))]
            yield from _read_one_by_one(reader, list(itertools.chain.from_iterable(pending)))


def _read_in_order(pool: ProcessPoolExecutor, tasks: collections.deque[Task], max_pending: int) -> Iterator[Reading]:
    """Yield the Readings of the tasks. Each task is taken from the deque when it has been read."""
    pending: collections.deque[concurrent.futures.Future[list[Reading]]] = collections.deque()
    while tasks:
        pending.extend(pool.submit(_read_task, task) for task in itertools.islice(tasks, len(pending), max_pending))
        readings = pending.popleft().result()
        tasks.popleft()
        yield from readings


def _read_one_by_one(reader: Reader, images: Task) -> Iterator[Reading]:
    """Yield the Readings of the images, each read alone in another process; one that brings it down is an error."""
    remaining = collections.deque(images)
    while remaining:
        try:
            with _processes(reader, 1) as pool:
                while remaining:
                    (reading,) = pool.submit(_read_task, [remaining[0]]).result()
                    remaining.popleft()
                    yield reading
        except BrokenProcessPool:
            path, _ = remaining.popleft()
            yield Reading(os.fsdecode(path), "error", message="the program that decodes it failed")


@contextlib.contextmanager
def _processes(reader: Reader, count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes with a copy of this reader in each. At the end, tasks that have not begun are dropped."""
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),  # the same on every system, and no lock is inherited
        initializer=_start_process,
        initargs=(reader.classifier.model_path, reader.classifier.card),
    )
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for the process that hands out tasks
    try:
        for _ in range(count):
            pool.submit(int)  # each starts a process
    finally:
        signal.signal(signal.SIGINT, earlier)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_process(model_path: os.PathLike, card: ModelCard) -> None:
    """Prepare a process for reading."""
    global _reader
    cv2.setNumThreads(1)
    end_with_parent()
    _reader = Reader(model_path, card)


def _read_task(task: Task) -> list[Reading]:
    """Return the Readings of a task's images."""
    readings = [_reader.read(path) for path, _ in task]
    return [
        reading if with_thumbnail else dataclasses.replace(reading, thumbnail=None)
        for reading, (_, with_thumbnail) in zip(readings, task, strict=True)
    ]
