"""Early exits: a one-line message and exit code 2 instead of a traceback. Imports nothing of resexp."""

import os
import sys
from typing import NoReturn

COMPLETION = ("-sc", "--shell_completion")  # Hydra's flags for tab completion


def refuse(message: object) -> NoReturn:
    """Print why, and leave with 2."""
    print(f"resexp: {printable(str(message))}", file=sys.stderr)
    sys.exit(2)


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
    if isinstance(error, BrokenPipeError):
        raise error
    what = error.filename or "a file"
    refuse(f"cannot use {what}: {error.strerror}; fix this or choose another folder for the runs")
