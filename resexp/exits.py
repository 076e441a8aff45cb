"""Early exits: a one-line message and exit code 2 instead of a traceback. Imports nothing of resexp."""

import argparse
import difflib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

NOT_ON_WINDOWS = "resexp runs on Linux and macOS, not on Windows: use it in WSL, the Linux of Windows"
COMPLETION = ("-sc", "--shell_completion")  # Hydra's flags for tab completion


def hint(name: str, allowed: Iterable[str], prefix: str = "") -> str:
    """ " (did you mean ...?)" with the allowed name nearest to a mistyped one, or nothing."""
    near = difflib.get_close_matches(name, list(allowed), n=1)
    return f" (did you mean {prefix}{near[0]}?)" if near else ""


class OutputError(Exception):
    """Standard output, or standard error, cannot be written."""


class _Stream(io.FileIO):
    """A standard stream that may be lost: by a full disk behind a log, or with its terminal.

    The first error is raised, unless the command can do without; what is written later is dropped.
    """

    lost, needed, why = False, True, ""

    def write(self, data) -> int:
        if self.lost:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.lost, self.why = True, f"cannot write the output: {error.strerror}"
            if self.needed:
                raise OutputError(self.why) from error
            if self.fileno() != 2:
                print(f"resexp: {self.why}; the work goes on without it", file=sys.stderr, flush=True)
            return len(data)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Within the block, stdout and stderr are there, and errors of theirs are told from those of files."""
    _open_closed()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_wrapped(stream, n) for n, stream in ((1, sys.stdout), (2, sys.stderr)))
    sys.stderr.buffer.raw.needed = False
    try:
        yield
        sys.stdout.flush()
        if (raw := sys.stdout.buffer.raw).lost and raw.needed:  # and a library went on, as logging does
            raise OutputError(raw.why)
    finally:
        for stream in (sys.stdout, sys.stderr):
            go_on_without(stream)
            stream.flush()
        sys.stdout, sys.stderr = before


def go_on_without(stream) -> None:
    """From here on a stream is not needed: the command's results are in files."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if isinstance(raw, _Stream):
        raw.needed = False


def _open_closed() -> None:
    """Standard streams that were closed lead nowhere: otherwise a file of the run would take their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number


def _wrapped(stream, number: int) -> io.TextIOWrapper:
    try:
        number = stream.fileno()
        stream.flush()
        how = {"encoding": stream.encoding, "errors": stream.errors, "line_buffering": stream.line_buffering}
    except (AttributeError, OSError, ValueError):  # there is none
        how = {"encoding": "utf-8", "errors": "backslashreplace", "line_buffering": True}
    return io.TextIOWrapper(io.BufferedWriter(_Stream(number, "w", closefd=False)), **how)


def leave(number: int) -> NoReturn:
    """Exit after a signal, with 128 + its number; from here on another one ends the process without a word.

    Python's own handlers would print a traceback from whatever is still to be waited for.
    """
    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
    sys.exit(128 + number)


def copies() -> int:
    """How many processes torchrun has started with this command; 1 without torchrun."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def refuse(message: object) -> NoReturn:
    """Print why, and leave with 2."""
    print(f"resexp: {printable(str(message))}", file=sys.stderr)
    sys.exit(2)


class Parser(argparse.ArgumentParser):
    """The arguments of a command, of which mistyped ones are refused in a sentence."""

    def error(self, message: str) -> NoReturn:
        refuse(f"{message}; {' '.join(self.format_usage().split())}")


def printable(text: str) -> str:
    """Text of files that others may have written, with whatever a terminal would act on escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nobody_reads() -> NoReturn:
    """Exit with code 1 when stdout is closed, e.g. by `| head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def refuse_unusable(error: OSError) -> NoReturn:
    """Exit because the runs folder cannot be used. Errors within a run go to its own record instead."""
    if isinstance(error, BrokenPipeError):  # raised, Hydra would add a line of its own
        nobody_reads()
    what = error.filename or "a file"
    refuse(f"cannot use {what}: {error.strerror}; fix this or choose another folder for the runs")
