"""Many pictures, read by all cores, streamed in the order given."""

import collections
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from concurrent.futures.process import BrokenProcessPool

import cv2

from digits.config import CORES
from digits.recognizer import Recognizer, failed_reading

FEWEST = 64  # pictures; fewer are read before the processes have started. chosen
CHUNK = 8  # pictures handed to a process at a time. chosen
AHEAD = 4  # chunks a process that may be under way: the folder grows, the memory does not. chosen

_recognizer = None  # in a process that reads for another


def examine_all(recognizer, paths, thumbnails):
    """Yield the Reading of each path, in order. Those after the first so many thumbnails come without one.

    A picture that brings down the process that reads it, as a broken decoder may, is an error and costs no other picture.
    """
    if len(paths) < FEWEST or CORES == 1:
        yield from map(recognizer.examine, paths)
        return
    chunks = collections.deque(
        [(path, i < thumbnails) for i, path in enumerate(paths[start : start + CHUNK], start)]
        for start in range(0, len(paths), CHUNK)
    )
    while chunks:
        try:
            with _processes(recognizer, CORES) as pool:
                yield from _in_order(pool, chunks, AHEAD * CORES)
        except BrokenProcessPool:
            # One of those under way did it.
            yield from _one_by_one(recognizer, [chunks.popleft() for _ in range(min(AHEAD * CORES, len(chunks)))])


def _in_order(pool, chunks, ahead):
    """Yield the Readings of the chunks, a deque from which each is taken when it has been read."""
    waiting = collections.deque()
    while chunks:
        waiting.extend(pool.submit(_examine, chunk) for chunk in itertools.islice(chunks, len(waiting), ahead))
        readings = waiting.popleft().result()
        chunks.popleft()
        yield from readings


def _one_by_one(recognizer, chunks):
    """Yield the Readings of the chunks, read in one process, a picture at a time; one that brings it down is an error."""
    pictures = collections.deque(itertools.chain.from_iterable(chunks))
    while pictures:
        try:
            with _processes(recognizer, 1) as pool:
                while pictures:
                    (reading,) = pool.submit(_examine, [pictures[0]]).result()
                    pictures.popleft()
                    yield reading
        except BrokenProcessPool:
            path, _ = pictures.popleft()
            yield failed_reading(path, "the program that decodes it failed")


@contextlib.contextmanager
def _processes(recognizer, count):
    """Yield a pool of processes with this recognizer in each. At the end, what has not begun is left."""
    pool = concurrent.futures.ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),  # the same on every system, and no lock is inherited
        initializer=_begin,
        initargs=(recognizer.model_path, recognizer.card),
    )
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for the process that hands out work
    try:
        for _ in range(count):
            pool.submit(int)  # each starts a process
    finally:
        signal.signal(signal.SIGINT, earlier)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(model_path, card):
    """Prepare a process for reading."""
    global _recognizer
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _recognizer = Recognizer(model_path, card)


def _end_with_parent():
    """End this process when the one that it reads for is gone, as after a kill: it would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _examine(chunk):
    """Return the Readings of a chunk, [(path, with its thumbnail)]."""
    readings = [_recognizer.examine(path) for path, _ in chunk]
    return [
        reading if with_thumbnail else reading._replace(thumbnail=None)
        for reading, (_, with_thumbnail) in zip(readings, chunk, strict=True)
    ]
