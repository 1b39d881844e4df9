"""Readers that all requests to the server share."""

import io
import os
import queue
from concurrent.futures import ThreadPoolExecutor

import cv2

from digits.common.config import CORES
from digits.model.classifier import DEFAULT_MODEL
from digits.reading.page_images import Page, page_count
from digits.reading.reader import Reader
from digits.reading.results import Reading


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

        It waits for its turn; the first to come is read first. Raises UserError for a wrong pattern.
        """
        return self._threads.submit(self._read, data, expect, page).result()

    def page_count(self, data: bytes) -> int:
        """Return the number of pages in the content of a file, as page_images.page_count. It waits for its turn, too."""
        return self._threads.submit(page_count, io.BytesIO(data)).result()

    def _read(self, data: bytes, expect: str | None, page: int | None) -> Reading:
        file = io.BytesIO(data)
        reader = self._idle.get()  # there is one for each thread, so this does not wait
        try:
            return reader.read(Page(file, page) if page else file, expect)
        finally:
            self._idle.put(reader)
