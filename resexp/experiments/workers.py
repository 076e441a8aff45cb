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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from resexp.exits import leave
from resexp.records.run import BusyError

# of a worker: its index; of it and of who started it: whether that one draws the progress of the sweep
VARIABLE, DRAWN = "RESEXP_WORKER", "RESEXP_DRAWN"
_OF_THREAD = threading.local()


def worker_index() -> int:
    """0 for the process that the user started, 1, 2, ... for the workers it started."""
    return getattr(_OF_THREAD, "index", int(os.environ.get(VARIABLE, "0")))


def asked(runs: Sequence[dict]) -> int:
    """Workers of a sweep, by its settings; measurements have one."""
    return runs[0].get("train", {}).get("workers", 1)


def is_drawn() -> bool:
    """Whether the process that the user started draws the progress of all runs; then no run draws its own."""
    return bool(os.environ.get(DRAWN))


@contextmanager
def drawn() -> Iterator[None]:
    """Within the block, runs of this process and of workers that it starts draw nothing."""
    os.environ[DRAWN] = "1"
    try:
        yield
    finally:
        del os.environ[DRAWN]


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
    """Start `count` - 1 further processes with the same command; they end when this process ends.

    Where this one draws, what they print is printed by it, above what it draws.
    """
    if worker_index():
        threading.Thread(target=_end_with_parent, daemon=True).start()
        return []
    others = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "resexp", "train", *sys.argv[1:]],
            env=os.environ | {VARIABLE: str(index)},
            stdin=subprocess.PIPE,  # never written to; its end says that this process has ended
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} if is_drawn() else {}),
        )
        for index in range(1, count)
    ]
    for other in others if is_drawn() else ():
        for pipe, stream in ((other.stdout, "stdout"), (other.stderr, "stderr")):
            threading.Thread(target=_pass_on, args=(pipe, stream), daemon=True).start()
    if others:  # exit through atexit on SIGTERM
        signal.signal(signal.SIGTERM, lambda number, frame: leave(number))
    for other in others:
        atexit.register(other.wait)  # atexit runs last registered first: terminate, then wait
        atexit.register(other.terminate)  # saves a checkpoint; no effect on finished processes
    return others


def _pass_on(pipe: Iterable[str], stream: str) -> None:
    for line in pipe:
        print(line, end="", file=getattr(sys, stream), flush=True)


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, then send SIGTERM, which saves a checkpoint.

    Without it a worker trains on after its parent was killed. The kernel's own signal (PR_SET_PDEATHSIG) does
    not serve: it comes once for each thread of the parent, and a second SIGTERM ends a process at once.
    """
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
