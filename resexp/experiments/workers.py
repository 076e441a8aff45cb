"""Workers that share a sweep: each iterates over all runs and skips those that are locked.

The lock on a run's folder is the only coordination between workers, so a sweep may also be started
by hand in several terminals, or on several machines with a shared file system. On a CPU a worker is a
process. On a GPU it is a thread with its own CUDA stream: the kernels of several small networks then
overlap, which those of separate processes do not, and the data is in memory once.
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
    """0 for the process that the user started, 1, 2, ... for the workers it started."""
    return getattr(_OF_THREAD, "index", int(os.environ.get(VARIABLE, "0")))


def start_threads(count: int, run: Callable[[dict], object], runs: Sequence[dict]) -> list[threading.Thread]:
    """Start `count` - 1 threads that iterate over all runs alongside this one.

    Args:
        run: executes the run of a config.
        runs: resolved configs.
    """

    def work(index: int) -> None:
        _OF_THREAD.index = index
        for config in runs:
            try:
                run(config)
            except BusyError:
                continue  # held by another worker

    others = [threading.Thread(target=work, args=(index,)) for index in range(1, count)]
    for other in others:
        other.start()
    return others


def start_processes(count: int) -> list[subprocess.Popen]:
    """Start `count` - 1 further processes with the same command; they end when this process ends."""
    if worker_index():
        return []
    others = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "resexp", "train", *sys.argv[1:]],
            env=os.environ | {VARIABLE: str(index)},
        )
        for index in range(1, count)
    ]
    if others:  # exit through atexit on SIGTERM
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for other in others:
        atexit.register(other.wait)  # atexit runs last registered first: terminate, then wait
        atexit.register(other.terminate)  # saves a checkpoint; no effect on finished processes
    return others
