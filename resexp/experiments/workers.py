"""Several workers that share a sweep: each goes through all runs and skips those that are held.

The lock on a run's folder is all that they need to know of each other, so a sweep may as well be
started by hand in several terminals, or on several machines over one file system. On a CPU a worker
is a process. On a GPU it is a thread with a CUDA stream of its own: the kernels of several small
networks then overlap, which those of several processes do not, and the data is there once.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from resexp.records.run import BusyError

VARIABLE = "RESEXP_WORKER"
_OF_THREAD = threading.local()


def worker_index() -> int:
    """0 for the process that a person started, 1 and up for the workers that it started."""
    return getattr(_OF_THREAD, "index", int(os.environ.get(VARIABLE, "0")))


def start_threads(count: int, run: Callable[[dict], object], runs: Sequence[dict]) -> list[threading.Thread]:
    """Start `count` - 1 threads that go through all runs beside this one.

    Args:
        run: carries out the run of a config.
        runs: resolved configs.
    """

    def work(index: int) -> None:
        _OF_THREAD.index = index
        for config in runs:
            try:
                run(config)
            except BusyError:
                continue  # another worker's

    others = [threading.Thread(target=work, args=(index,)) for index in range(1, count)]
    for other in others:
        other.start()
    return others


def start_processes(count: int) -> list[subprocess.Popen]:
    """Start the same command `count` - 1 times more; they end with this process at the latest."""
    if worker_index():
        return []
    others = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "resexp", "train", *sys.argv[1:]],
            env=os.environ | {VARIABLE: str(index)},
        )
        for index in range(1, count)
    ]
    if others:  # so that the lines below run when this process is told to end while it waits
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for other in others:
        atexit.register(other.wait)  # runs after the line below: last registered, first run
        atexit.register(other.terminate)  # it stops with a checkpoint; ended ones do not mind
    return others
