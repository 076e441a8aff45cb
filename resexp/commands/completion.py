"""Tab completion: Hydra knows settings; commands, and the names that they take, are added here."""

import contextlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from resexp.commands.status import begun
from resexp.config.catalog import groups, options


def complete(commands: Iterable[str], run: Callable[[str, list[str]], None], arguments: list[str]) -> None:
    """Answer `resexp -sc query=SHELL`, which a shell asks with the line typed so far in COMP_LINE.

    Args:
        commands: names of all commands.
        run: executes one of them.
        arguments: as the shell's script gives them.
    """
    line = os.environ.get("COMP_LINE", "")
    found = suggestions(line, commands) if line else None  # no line: the shell's script is asked for
    if found is not None:
        return print("\n".join(found))
    if not line:
        return run("train", arguments)
    words = line.split(maxsplit=2)
    os.environ["COMP_LINE"] = " ".join([*words[:1], *words[2:]])
    with contextlib.redirect_stderr(io.StringIO()):  # an unfinished line is no error
        run(words[1], arguments)


def suggestions(line: str, commands: Iterable[str]) -> list[str] | None:
    """What may stand at the end of a line typed so far; None where Hydra is to say it.

    Args:
        line: from the program's name on; with a space at its end a new word begins.
        commands: of resexp.
    """
    words = line.split()
    typed = words.pop() if words and not line.endswith(" ") else ""
    match words[1:]:
        case []:
            known = commands
        case ["train" | "measure", *_]:
            return None
        case ["collect" | "status"]:
            known = sorted({*options("experiment"), *begun(Path("results/runs"))})
        case ["list"]:
            known = groups()
        case _:
            known = []
    return [name for name in known if name.startswith(typed)]
