"""Stop requests: signals and the time limit."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STARTED = time.monotonic()  # start of the command; train.max_minutes counts from here


def time_is_up(max_minutes: float | None) -> bool:
    """Whether the command has reached its time limit; None: there is none."""
    return max_minutes is not None and time.monotonic() - STARTED >= 60 * max_minutes


class Signals:
    """Records the first SIGINT or SIGTERM for all threads of a command; a second one acts as usual."""

    def __init__(self):
        self.received: int | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within the block, store a signal in `received` instead of letting it end the process."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread can handle signals; it records them for all threads
            return
        before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

        def note(number: int, frame) -> None:
            self.received = number
            signal.signal(number, before[number])

        try:
            for number in before:
                signal.signal(number, note)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
