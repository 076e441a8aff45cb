"""Stop requests: signals, the time limit, and a process that can no longer be used."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from resexp.exits import leave

STARTED = time.monotonic()  # of the command: train.max_minutes counts from here
# The last three are sent by a terminal that is closed, and by cluster schedulers before they kill a process.
NOTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def time_is_up(max_minutes: float | None) -> bool:
    """Whether the command has reached its time limit; None: there is none."""
    return max_minutes is not None and time.monotonic() - STARTED >= 60 * max_minutes


class Signals:
    """The first stop signal that a command receives, seen by all of its threads; a second one acts as usual.

    Signals that were ignored before, e.g. SIGHUP under nohup, stay ignored.
    `broken` is set by a thread that has left the process unusable: the others stop, too, and the command ends
    with exit code 1.
    """

    def __init__(self):
        self.received: int | None = None
        self.broken = False
        self._before: dict = {}

    @property
    def stopping(self) -> bool:
        """Whether runs are to stop with a checkpoint."""
        return self.broken or self.received is not None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within the block, store a signal in `received` instead of letting it end the process."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread can handle signals; it records them for all threads
            return
        handlers = {number: signal.getsignal(number) for number in NOTED}
        self._before = {n: h for n, h in handlers.items() if h not in (signal.SIG_IGN, None)}

        def note(number: int, frame) -> None:
            self.received = number
            before = self._before[number]  # a second signal acts at once, without Python's traceback
            signal.signal(number, signal.SIG_DFL if before is signal.default_int_handler else before)

        try:
            for number in self._before:
                signal.signal(number, note)
            yield
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def end_if_received(self) -> bool:
        """After everything is saved, let the handler from before act, e.g. a launcher's, or exit.

        Returns:
            Whether a handler has acted and has not ended the process: the work is to go on. That is how
            submitit treats SIGTERM, which SLURM sends long before it takes a preempted job's node away: a job
            that ended by itself in between would not be requeued.
        Raises:
            SystemExit: with 128 + the signal's number; with 1 if the process is broken.
        """
        if self.broken:
            sys.exit(1)
        if self.received is None:
            return False
        handler, number = self._before.get(self.received), self.received
        if callable(handler) and handler is not signal.default_int_handler:
            handler(number, None)
            self.received = None
            return True
        leave(number)
