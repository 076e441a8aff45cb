"""The progress of a sweep at the bottom of a terminal, drawn from the folders of its runs."""

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

from resexp.experiments import workers
from resexp.experiments.progress import Overview, running_lines, totals

INTERVAL = 1.0  # seconds between two drawings, and at least SHARE times what one takes
SHARE = 20


@contextmanager
def on_terminal(overview: Overview, count: int) -> Iterator[None]:
    """Within the block, draw a sweep's progress if stderr is a terminal and this is no worker.

    Args:
        overview: its runs.
        count: of workers.
    """
    if workers.worker_index() or not sys.stderr.isatty():
        yield
        return
    with workers.drawn(), Board(overview, count, sys.stderr):
        yield


class Board:
    """One line per running run and one of totals, redrawn by a thread. Printed text appears above them.

    Args:
        overview: the runs.
        count: of workers.
        stream: the terminal.
    """

    def __init__(self, overview: Overview, count: int, stream: TextIO):
        self.overview, self.count, self.stream = overview, count, stream
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._redraw, daemon=True)

    def __enter__(self) -> "Board":
        self._printed = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (Above(stream, self.stream) for stream in self._printed)
        self._lines = [
            tqdm(total=0, bar_format="{desc}", position=line, leave=False, file=self.stream)
            for line in range(self.count + 1)
        ]
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()
        for line in reversed(self._lines):
            line.close()
        for above in (sys.stdout, sys.stderr):
            above.end()
        sys.stdout, sys.stderr = self._printed

    def _redraw(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            with contextlib.suppress(OSError):  # a folder that is just removed: the next drawing is right
                self.draw()
            self._stop.wait(max(INTERVAL, SHARE * (time.monotonic() - started)))

    def draw(self) -> None:
        """Draw once."""
        texts = board_lines(self.overview, self.count, _columns(self.stream) - 1)
        for line, text in zip(self._lines, texts, strict=True):
            line.set_description_str(text)


def board_lines(overview: Overview, count: int, width: int) -> list[str]:
    """As many lines as workers and one: running runs, the totals, empty ones."""
    runs = overview.now()
    running = running_lines(runs, width)[:count]
    return [*running, totals(runs, count)[:width], *[""] * (count - len(running))]


class Above(io.TextIOBase):
    """A stream whose whole lines are printed above what tqdm draws, where both lead to a terminal.

    Args:
        stream: where they go.
        drawn: the terminal on which tqdm draws.
    """

    def __init__(self, stream: TextIO, drawn: TextIO):
        self.stream, self._begun, self._lock = stream, "", threading.Lock()
        self._terminal = drawn if stream.isatty() else None

    def write(self, text: str) -> int:
        with self._lock:
            whole, end, self._begun = (self._begun + text).rpartition("\n")
            if end and self._terminal:
                tqdm.write(whole, file=self._terminal)
            elif end:
                self.stream.write(whole + end)
            self.flush()
        return len(text)

    def end(self) -> None:
        """Write a line that has no end."""
        self.stream.write(self._begun)
        self._begun = ""

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def flush(self) -> None:
        (self._terminal or self.stream).flush()


def _columns(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or 80
    except OSError:
        return 80
