"""Ctrl-C during a training."""

import concurrent.futures
import os
import signal
import time

import pytest

from digits.training.interrupt import StopBetweenBatches

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a process")


@pytest.fixture(autouse=True)
def default_handler():
    """Ctrl-C raises KeyboardInterrupt, as in a program that was started in the foreground."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)


def test_ctrl_c_is_held_back_until_the_next_check():
    with pytest.raises(KeyboardInterrupt), StopBetweenBatches() as stop:
        stop.check()
        press_ctrl_c()
        reached = True
        stop.check()
    assert reached


def test_ctrl_c_after_the_last_batch_is_not_lost():
    with pytest.raises(KeyboardInterrupt), StopBetweenBatches():
        press_ctrl_c()


def test_a_second_ctrl_c_ends_at_once():
    with pytest.raises(KeyboardInterrupt), StopBetweenBatches():
        press_ctrl_c()
        press_ctrl_c()
        pytest.fail("it went on")


def test_ctrl_c_ends_waiting_for_a_batch():
    never = concurrent.futures.Future()
    with pytest.raises(KeyboardInterrupt), StopBetweenBatches() as stop:
        press_ctrl_c()
        stop.wait_for(never)


def test_a_job_in_the_background_of_a_shell_ignores_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopBetweenBatches() as stop:
        press_ctrl_c()
        stop.check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
