"""Tab completion: Hydra completes settings; this module adds commands and their arguments."""

import contextlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from resexp.config.catalog import groups, options
from resexp.records.folders import experiments

# Hydra's own function for zsh needs bashcompinit, and adds a space behind `model=`.
ZSH = """\
_resexp() {
  local -a found
  found=(${(f)"$(COMP_LINE="${BUFFER[1,CURSOR]}" COMP_POINT="$CURSOR" resexp -sc query=bash 2>/dev/null)"})
  found=(${=found})
  compadd -Q -S '' -- $found
}
compdef _resexp resexp
"""


def complete(commands: Iterable[str], run: Callable[[str, list[str]], None], arguments: list[str]) -> None:
    """Answer `resexp -sc query=SHELL`; the shell passes the current command line in COMP_LINE.

    Args:
        commands: names of all commands.
        run: executes a command.
        arguments: passed by the shell script.
    """
    line = os.environ.get("COMP_LINE", "")
    found = suggestions(line, commands) if line else None  # no line: the shell script itself is requested
    if found is not None:
        return print("\n".join(found))
    if arguments[1:2] == ["install=zsh"]:
        return print(ZSH, end="")
    if not line:
        return run("train", arguments)
    words = line.split(maxsplit=2)
    os.environ["COMP_LINE"] = " ".join([*words[:1], *words[2:]])
    with contextlib.redirect_stderr(io.StringIO()):  # an incomplete line is not an error
        run(words[1], arguments)


def suggestions(line: str, commands: Iterable[str]) -> list[str] | None:
    """Completions of the last word of a command line; None if Hydra has to complete it.

    Args:
        line: starts with the program's name; a trailing space starts a new word.
        commands: of resexp.
    """
    words = line.split()
    typed = words.pop() if words and not line.endswith(" ") else ""
    match words[1:]:
        case []:
            known = commands
        case ["train" | "measure", *_]:
            return None
        case ["collect" | "status" | "report"]:
            known = set(options("experiment"))
            with contextlib.suppress(OSError):  # the command itself says what it may not read
                known |= set(experiments(Path("results/runs")))
        case ["list"]:
            known = groups()
        case _:
            known = []
    return [name for name in sorted(known) if name.startswith(typed)]
