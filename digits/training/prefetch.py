"""What a second thread or process makes ahead, while this one learns from what is ready."""

import collections
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from digits.training.interrupt import StopBetweenBatches

Item = TypeVar("Item")


@contextlib.contextmanager
def prefetch(batches: Iterator[Item], buffer_size: int, stop: StopBetweenBatches) -> Iterator[Iterator[Item]]:
    """Yield an iterator over the batches, of which a second thread makes up to buffer_size ahead.

    So one core augments images while another one learns. batches: none of them is None. The iterator raises what making a
    batch raises, and KeyboardInterrupt after Ctrl-C.
    """
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as worker:
        try:
            yield in_order(lambda: worker.submit(next, batches, None), buffer_size, stop)
        finally:
            worker.shutdown(cancel_futures=True)


def in_order(submit: Callable[[], "Future[Item | None]"], buffer_size: int, stop: StopBetweenBatches) -> Iterator[Item]:
    """Return an iterator over the results of what submit starts, in order, until one is None; buffer_size are started at once.

    The iterator raises what a task raises, and KeyboardInterrupt after Ctrl-C.
    """
    futures = collections.deque(submit() for _ in range(buffer_size))

    def results() -> Iterator[Item]:
        while (result := stop.wait_for(futures.popleft())) is not None:
            futures.append(submit())
            yield result

    return results()
