"""Ctrl-C, held back until the batch that is being learned has ended."""

import concurrent.futures
import signal
import types
from typing import Any, Self, TypeVar

POLL_INTERVAL = 0.1  # seconds between two looks while waiting: short for a person who waits for Ctrl-C, rare for a processor

Result = TypeVar("Result")


class StopBetweenBatches:
    """Within its context, Ctrl-C raises KeyboardInterrupt between two batches, and a second Ctrl-C raises it at once.

    Raised at any moment, as Python does it, KeyboardInterrupt may be lost inside TensorFlow, or leave memory in disorder and
    crash the process.
    """

    def __init__(self) -> None:
        self._requested = False
        self._earlier: Any = None

    def __enter__(self) -> Self:
        self._earlier = signal.getsignal(signal.SIGINT)
        if self._earlier is not signal.SIG_IGN:  # a job in a shell's background ignores Ctrl-C, and goes on doing so
            signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        signal.signal(signal.SIGINT, self._earlier)
        if kind is None:
            self.check()  # Ctrl-C may have come after the last batch

    def _request(self, number: int, frame: types.FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since the context began."""
        if self._requested:
            raise KeyboardInterrupt

    def wait_for(self, future: "concurrent.futures.Future[Result]") -> Result:
        """Return the future's result, or raise what it raised, or KeyboardInterrupt as soon as Ctrl-C is pressed."""
        while not future.done():
            self.check()
            concurrent.futures.wait([future], timeout=POLL_INTERVAL)
        return future.result()
