"""Batches are made ahead in another thread: in order, with their errors, and no more than was asked for."""

import time

import pytest

from digits.training.interrupt import StopBetweenBatches
from digits.training.prefetch import prefetch


def test_prefetched_batches_keep_their_order_and_their_errors():
    def items():
        yield from range(5)
        raise OSError("the disk is gone")

    taken = []
    with pytest.raises(OSError, match="gone"), StopBetweenBatches() as stop, prefetch(items(), 3, stop) as upcoming:
        for item in upcoming:
            taken.append(item)
    assert taken == list(range(5))


def test_no_more_than_the_buffer_is_made_ahead():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    with StopBetweenBatches() as stop, prefetch(items(), 3, stop) as upcoming:
        assert next(upcoming) == 0
        time.sleep(0.1)
        assert len(made) == 4
