"""How the program ends early: one sentence and exit code 2, never a traceback. A leaf like files.py."""

import os
import sys
from typing import NoReturn

COMPLETION = ("-sc", "--shell_completion")  # Hydra's flags: a shell asks what may follow


def refuse(message: object) -> NoReturn:
    """Print why, and leave with 2."""
    print(f"resexp: {printable(str(message))}", file=sys.stderr)
    sys.exit(2)


def printable(text: str) -> str:
    """Text of files that others may have written, with whatever a terminal would act on escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nobody_reads() -> NoReturn:
    """Leave with 1 when what is printed goes nowhere, as behind `| head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def refuse_unusable(error: OSError) -> NoReturn:
    """Refuse a folder of runs that cannot be used; what happens within a run is on its record."""
    if isinstance(error, BrokenPipeError):
        raise error
    what = error.filename or "a file"
    refuse(f"cannot use {what}: {error.strerror}; mend that, or choose another folder for the runs")
