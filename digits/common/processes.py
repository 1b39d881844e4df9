"""Processes that work for this one."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cv2


@contextlib.contextmanager
def worker_processes(count: int, prepare: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of this many processes. At the end, tasks that have not begun are dropped.

    prepare, arguments: what each process calls first. Each has one thread of OpenCV, and ends when this process ends. Ctrl-C is
    left to this process, where this is its main thread: others may not change what a signal does.
    """
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),  # the same on every system, and no lock is inherited
        initializer=_start,
        initargs=(prepare, arguments),
    )
    is_main = threading.current_thread() is threading.main_thread()
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None  # inherited by the processes
    try:
        for _ in range(count):
            pool.submit(int)  # each starts a process
    finally:
        if is_main:
            signal.signal(signal.SIGINT, earlier)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start(prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Prepare a process of the pool. It ends when the one that started it is gone; else it would wait for tasks without end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    prepare(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
