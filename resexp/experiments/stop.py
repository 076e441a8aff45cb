"""Asking a run to stop: by a signal, or because its time is up."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STARTED = time.monotonic()  # of the command: train.max_minutes counts from here


def time_is_up(max_minutes: float | None) -> bool:
    """Whether the command has run for so long."""
    return max_minutes is not None and time.monotonic() - STARTED >= 60 * max_minutes


class Signals:
    """The first SIGINT or SIGTERM of a command, for all of its threads; the second acts as usual."""

    def __init__(self):
        self.received: int | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note a signal in `received` instead of dying of it."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals reach the main thread only, which notes them for this one, too
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
