"""How the command says no: one sentence, exit code 2, no traceback. A leaf like files.py."""

import os
import sys
from typing import NoReturn


def refuse(message: object) -> NoReturn:
    """Print why, and leave with 2."""
    print(f"resexp: {message}", file=sys.stderr)
    sys.exit(2)


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
