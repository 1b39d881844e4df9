"""Many images, read on all cores, in the order given."""

import collections
import concurrent.futures
import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager

from digits.common.config import CORES
from digits.common.processes import worker_processes
from digits.reading.form import Form
from digits.reading.reader import Reader, ReaderArguments
from digits.reading.results import Reading

ImagePath = str | os.PathLike
Task = list[tuple[ImagePath, bool, str | None]]  # images for one process at a time: (path, is its thumbnail wanted, expect)

# One process reads this many single digits, at 5 ms each, in the 0.3 s that another takes to start. A number takes 20 times as
# long, but what an image shows is not known before it is read.
MIN_PARALLEL_IMAGES = 64
MIN_PARALLEL_SHEETS = 2  # a sheet of a form has many numbers
IMAGES_PER_TASK = 8  # images, 40 ms of work: far more than handing a task to a process takes
PENDING_TASKS_PER_PROCESS = 4  # tasks: enough that no process waits, and few, so that memory does not grow with the folder

# In a process that reads for another: a pool's initializer has no other place for them.
_reader: Reader
_form: Form | None


def read_all(
    reader: Reader, paths: Sequence[ImagePath], thumbnails: int, expect: str | None = None, form: Form | None = None
) -> Iterator[Reading]:
    """Yield the Reading of each path, in order.

    thumbnails: how many Readings, from the first on, need a thumbnail; the others may have None, which saves time.
    expect: as in Reader.read, of all images. form: of which each image is a sheet, and each Reading is then a FormReading.
    An image that brings down the process that reads it, as a broken decoder may, gives a Reading with the status "error",
    and all others are read.
    """
    min_parallel, per_task = (MIN_PARALLEL_IMAGES, IMAGES_PER_TASK) if form is None else (MIN_PARALLEL_SHEETS, 1)
    if len(paths) < min_parallel or CORES == 1:
        yield from (_read(reader, form, path, expect) for path in paths)
        return
    wanted = [(path, i < thumbnails, expect) for i, path in enumerate(paths)]
    tasks = collections.deque(wanted[start : start + per_task] for start in range(0, len(wanted), per_task))
    max_pending = PENDING_TASKS_PER_PROCESS * CORES
    while tasks:
        try:
            with _processes(reader, form, CORES) as pool:
                yield from _read_in_order(pool, tasks, max_pending)
        except BrokenProcessPool:  # it does not say which of the pending images did it
            pending = [tasks.popleft() for _ in range(min(max_pending, len(tasks)))]
            yield from _read_one_by_one(reader, form, list(itertools.chain.from_iterable(pending)))


def _read_in_order(pool: ProcessPoolExecutor, tasks: collections.deque[Task], max_pending: int) -> Iterator[Reading]:
    """Yield the Readings of the tasks. Each task is taken from the deque when it has been read."""
    pending: collections.deque[concurrent.futures.Future[list[Reading]]] = collections.deque()
    while tasks:
        pending.extend(pool.submit(_read_task, task) for task in itertools.islice(tasks, len(pending), max_pending))
        readings = pending.popleft().result()
        tasks.popleft()
        yield from readings


def _read_one_by_one(reader: Reader, form: Form | None, images: Task) -> Iterator[Reading]:
    """Yield the Readings of the images, each read alone in another process; one that brings it down is an error."""
    remaining = collections.deque(images)
    while remaining:
        try:
            with _processes(reader, form, 1) as pool:
                while remaining:
                    (reading,) = pool.submit(_read_task, [remaining[0]]).result()
                    remaining.popleft()
                    yield reading
        except BrokenProcessPool:
            path, _, _ = remaining.popleft()
            make_reading = Reading if form is None else form.unread
            yield make_reading(os.fsdecode(path), "error", message="the program that decodes it failed")


def _processes(reader: Reader, form: Form | None, count: int) -> AbstractContextManager[ProcessPoolExecutor]:
    """Return a pool of processes with a copy of this reader and of the form in each."""
    return worker_processes(count, _make_reader, reader.arguments, form)


def _make_reader(arguments: ReaderArguments, form: Form | None) -> None:
    """Prepare a process for reading."""
    global _reader, _form
    _reader, _form = Reader(*arguments), form


def _read_task(task: Task) -> list[Reading]:
    """Return the Readings of a task's images."""
    readings = [_read(_reader, _form, path, expect) for path, _, expect in task]
    return [
        reading if with_thumbnail else dataclasses.replace(reading, thumbnail=None)
        for reading, (_, with_thumbnail, _) in zip(readings, task, strict=True)
    ]


def _read(reader: Reader, form: Form | None, path: ImagePath, expect: str | None) -> Reading:
    return reader.read(path, expect) if form is None else form.read(reader, path)
