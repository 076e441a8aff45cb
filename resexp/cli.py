"""The `resexp` command: dispatches to the sub-commands and turns errors into exit codes.

Heavy imports are deferred until a sub-command needs them, so that `--help` is fast.
"""

import ast
import signal
import sys
from importlib import import_module
from pathlib import Path

from resexp import __version__
from resexp.exits import (
    COMPLETION,
    NOT_ON_WINDOWS,
    OutputError,
    copies,
    hint,
    leave,
    nobody_reads,
    refuse,
    standard_streams,
)

COMMANDS = Path(__file__).parent / "commands"
USAGE = """\
resexp: reproduce the experiments that show why residual networks work.

usage: resexp COMMAND ...

{commands}

  See also: resexp COMMAND --help, resexp --version.
"""


def main() -> None:
    """Entry point. Exit codes: 2 for invalid input, 130 and 143 after SIGINT and SIGTERM."""
    if sys.platform == "win32":
        refuse(NOT_ON_WINDOWS)
    try:
        with standard_streams():
            _dispatch(sys.argv[1:])
    except BrokenPipeError:
        nobody_reads()
    except OutputError as error:
        refuse(error)
    except KeyboardInterrupt:
        leave(signal.SIGINT)


def commands() -> dict[str, str]:
    """Name and one-line help of each command, i.e. of each file in commands/ that defines `main`."""
    found = {}
    for path in sorted(COMMANDS.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "\ndef main(arguments" in text:
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    return found


def _dispatch(arguments: list[str]) -> None:
    known = commands()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE.format(commands="\n".join(f"  {name:<9} {line}" for name, line in known.items())), end="")
    elif arguments[0] == "--version":
        print(f"resexp {__version__}")
    elif arguments[0] in known:
        _run(arguments[0], arguments[1:])
    elif arguments[0] in COMPLETION:
        from resexp.commands.completion import complete

        complete(known, _run, arguments)
    else:
        refuse(f"unknown command {arguments[0]!r}{hint(arguments[0], known)}; commands: {', '.join(known)}")


def _run(command: str, arguments: list[str]) -> None:
    module = import_module(f"resexp.commands.{command}")
    if copies() > 1 and not hasattr(module, "BY_TORCHRUN"):
        refuse(
            f"torchrun has started {copies()} processes, which only resexp train can share: start"
            f" `resexp {command}` without it"
        )
    module.main(arguments)
