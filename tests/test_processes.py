"""Processes that work for this one: prepared, deaf to Ctrl-C, and gone when it is done or dead."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import cv2
import pytest
from conftest import PROJECT

from digits.common.processes import worker_processes

# A process that starts another, says that one's id and would wait for a minute.
PARENT = """
import os, time
from digits.common.processes import worker_processes
with worker_processes(1, int) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_a_prepared_process_runs_tasks_and_ends_with_its_pool(tmp_path):
    earlier = signal.getsignal(signal.SIGINT)
    with worker_processes(1, os.chdir, tmp_path) as pool:
        tasks = [pool.submit(os.getcwd), pool.submit(os.getpid), pool.submit(signal.getsignal, signal.SIGINT)]
        threads = pool.submit(cv2.getNumThreads)
        folder, process_id, on_ctrl_c = (task.result(timeout=60) for task in tasks)
        assert os.path.samefile(folder, tmp_path), "it was not prepared"
        assert process_id in {child.pid for child in multiprocessing.active_children()}
        assert on_ctrl_c == signal.SIG_IGN and signal.getsignal(signal.SIGINT) is earlier
        assert threads.result(timeout=60) == 1
        pending = [pool.submit(time.sleep, 0.05) for _ in range(10)]
    assert pending[-1].cancelled(), "a task that had not begun was not dropped"
    assert process_id not in {child.pid for child in multiprocessing.active_children()}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_process_ends_when_the_one_that_started_it_is_killed():
    process = subprocess.Popen([sys.executable, "-c", PARENT], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    process.kill()
    try:
        process.communicate(timeout=20)  # its output ends when all who hold it have ended
    except subprocess.TimeoutExpired:
        os.kill(worker, signal.SIGKILL)
        pytest.fail("the process outlived the one that started it")
