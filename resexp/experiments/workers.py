"""Several processes that share a sweep: each goes through all runs and skips those that are held.

The lock on a run's folder is all that they need to know of each other, so a sweep may as well be
started by hand in several terminals, or on several machines over one file system.
"""

import atexit
import os
import signal
import subprocess
import sys

VARIABLE = "RESEXP_WORKER"


def worker_index() -> int:
    """0 for the process that a person started, 1 and up for those that it started."""
    return int(os.environ.get(VARIABLE, "0"))


def start_others(count: int) -> list[subprocess.Popen]:
    """Start the same command `count` - 1 times more; they end with this process at the latest."""
    if worker_index():
        return []
    others = [
        subprocess.Popen(
            [sys.executable, "-m", "resexp", "train", *sys.argv[1:]],
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
