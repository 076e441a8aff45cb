"""Tab completion of what Hydra does not know: commands, and the names that they take."""

from collections.abc import Iterable
from pathlib import Path

from resexp.experiments.listing import groups, options
from resexp.experiments.overview import begun


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
