"""Readers that all requests to the server share."""

import io
import os
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

from digits.common.config import CORES
from digits.model.classifier import DEFAULT_MODEL
from digits.reading.form import Field, Form, FormReading
from digits.reading.image import LoadedImage, load_image
from digits.reading.page_images import Page, page_count
from digits.reading.reader import Reader
from digits.reading.results import Reading

Result = TypeVar("Result")


class ReaderPool:
    """One Reader and one thread for each core: two threads must not use one Reader, and more of them would only take memory.

    model_path: as in Reader. Raises UserError where the model can't be used.
    """

    def __init__(self, model_path: str | os.PathLike = DEFAULT_MODEL) -> None:
        first = Reader(model_path)
        self.models, self.card = first.models, first.classifier.card
        others = [Reader(*first.arguments) for _ in range(CORES - 1)]
        self._threads = ThreadPoolExecutor(CORES)
        self._idle: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        for reader in (first, *others):
            self._idle.put(reader)
        cv2.setNumThreads(1)  # the readers keep all cores busy already

    def read(self, data: bytes, expect: str | None = None, page: int | None = None) -> Reading:
        """Return what is written in an image, the content of its file. expect: as in Reader.read. page: as in decode_page.

        It waits for its turn, as all methods do; the first to come is read first. Raises UserError for a wrong pattern.
        """
        return self._run(lambda reader: reader.read(_source(data, page), expect))

    def read_form(self, data: bytes, form: Form, page: int) -> FormReading:
        """Return what is written in the fields of a sheet, the content of its file. page: as in decode_page."""
        return self._run(lambda reader: form.read(reader, _source(data, page)))

    def make_form(self, fields: tuple[Field, ...], reference: bytes, page: int) -> Form:
        """Return a form whose sheets are aligned to the reference, the content of its file. Raises UserError as Form does."""
        return self._run(lambda reader: Form.with_reference(fields, _source(reference, page)))

    def load(self, data: bytes, page: int, max_side: int) -> LoadedImage:
        """Return an image, the content of its file, as load_image does. Raises UserError where it can't be read."""
        return self._run(lambda reader: load_image(_source(data, page), max_side))

    def page_count(self, data: bytes) -> int:
        """Return the number of pages in the content of a file, as page_images.page_count."""
        return self._run(lambda reader: page_count(io.BytesIO(data)))

    def _run(self, task: Callable[[Reader], Result]) -> Result:
        """Return what a task gives in one of the threads. It may use the Reader: no other thread does meanwhile."""
        return self._threads.submit(self._with_reader, task).result()

    def _with_reader(self, task: Callable[[Reader], Result]) -> Result:
        reader = self._idle.get()  # there is one for each thread, so this does not wait
        try:
            return task(reader)
        finally:
            self._idle.put(reader)


def _source(data: bytes, page: int | None) -> io.BytesIO | Page:
    file = io.BytesIO(data)
    return Page(file, page) if page else file
