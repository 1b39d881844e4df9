"""Many images, read on all cores, in the order given."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import io
import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from typing import NamedTuple

from digits.common.config import CORES
from digits.common.processes import worker_processes
from digits.reading.form import Form
from digits.reading.image import ImageSource
from digits.reading.page_images import Page
from digits.reading.reader import Reader, ReaderArguments
from digits.reading.results import Reading


class FetchedImage(NamedTuple):
    """An image whose file was fetched from elsewhere. page: its number; None: the file must have one page alone."""

    name: str
    content: bytes
    page: int | None


ImagePath = str | os.PathLike


class ImageToRead(NamedTuple):
    """An image for a process, and whether its Reading needs a thumbnail. expect: as in Reader.read."""

    image: ImagePath | FetchedImage
    with_thumbnail: bool
    expect: str | None


Task = list[ImageToRead]  # for one process at a time

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
    wanted: Task = [ImageToRead(path, i < thumbnails, expect) for i, path in enumerate(paths)]
    tasks = collections.deque(wanted[start : start + per_task] for start in range(0, len(wanted), per_task))
    max_pending = PENDING_TASKS_PER_PROCESS * CORES
    while tasks:
        try:
            with _processes(reader.arguments, form, CORES) as pool:
                yield from _read_in_order(pool, tasks, max_pending)
        except BrokenProcessPool:  # it does not say which of the pending images did it
            pending = [tasks.popleft() for _ in range(min(max_pending, len(tasks)))]
            with ReadingProcess(reader.arguments, form) as process:
                yield from map(process.read, itertools.chain.from_iterable(pending))


class ReadingProcess(contextlib.ExitStack):
    """A process that reads one image at a time. One that brings it down is an error, and a new process reads the next.

    To be used in a with statement, which ends it.
    """

    def __init__(self, arguments: ReaderArguments, form: Form | None) -> None:
        super().__init__()
        self._arguments, self._form = arguments, form
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the process and wait for it. Raises BrokenProcessPool if it ends, as without its model."""
        self._pool = self.enter_context(_processes(self._arguments, self._form, 1))
        self._pool.submit(int).result()

    def read(self, to_read: ImageToRead) -> Reading:
        """Return the Reading of an image."""
        if self._pool is None:
            self._pool = self.enter_context(_processes(self._arguments, self._form, 1))
        try:
            return self._pool.submit(_read_task, [to_read]).result()[0]
        except BrokenProcessPool:
            self.close()
            self._pool = None
            return unread(_name_of(to_read.image), "the program that decodes it failed", self._form)


def unread(name: str, message: str, form: Form | None) -> Reading:
    """Return the Reading of an image that can't be read. message: why. form: as in read_all."""
    return Reading(name, "error", message=message) if form is None else form.unread(name, "error", message)


def _read_in_order(pool: ProcessPoolExecutor, tasks: collections.deque[Task], max_pending: int) -> Iterator[Reading]:
    """Yield the Readings of the tasks. Each task is taken from the deque when it has been read."""
    pending: collections.deque[concurrent.futures.Future[list[Reading]]] = collections.deque()
    while tasks:
        pending.extend(pool.submit(_read_task, task) for task in itertools.islice(tasks, len(pending), max_pending))
        readings = pending.popleft().result()
        tasks.popleft()
        yield from readings


def _processes(arguments: ReaderArguments, form: Form | None, count: int) -> AbstractContextManager[ProcessPoolExecutor]:
    """Return a pool of processes with a reader, made with the arguments, and a copy of the form in each."""
    return worker_processes(count, _make_reader, arguments, form)


def _make_reader(arguments: ReaderArguments, form: Form | None) -> None:
    """Prepare a process for reading."""
    global _reader, _form
    _reader, _form = Reader(*arguments, num_threads=1), form


def _read_task(task: Task) -> list[Reading]:
    """Return the Readings of a task's images."""
    readings = []
    for image, with_thumbnail, expect in task:
        reading = _read(_reader, _form, image, expect)
        readings.append(reading if with_thumbnail else dataclasses.replace(reading, thumbnail=None))
    return readings


def _read(reader: Reader, form: Form | None, image: ImagePath | FetchedImage, expect: str | None) -> Reading:
    if isinstance(image, FetchedImage):
        file = io.BytesIO(image.content)
        reading = _read_source(reader, form, file if image.page is None else Page(file, image.page), expect)
        return dataclasses.replace(reading, image=image.name)
    return _read_source(reader, form, image, expect)


def _read_source(reader: Reader, form: Form | None, source: ImageSource, expect: str | None) -> Reading:
    return reader.read(source, expect) if form is None else form.read(reader, source)


def _name_of(image: ImagePath | FetchedImage) -> str:
    return image.name if isinstance(image, FetchedImage) else os.fsdecode(image)
