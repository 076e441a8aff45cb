"""How the command says no: one sentence, exit code 2, no traceback. A leaf like files.py."""

import sys
from typing import NoReturn


def refuse(message: object) -> NoReturn:
    """Print why, and leave with 2."""
    print(f"resexp: {message}", file=sys.stderr)
    sys.exit(2)
