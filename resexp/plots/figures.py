"""Figures from tables: one script a figure, found by listing a folder; only stale ones are drawn again.

A script plot_<name>.py has
    TABLES: the tables that it draws, see resexp.plots.tables.Wanted,
    REFERENCE: the tables of published numbers, if any,
    draw(tables) -> Figure,
    facts(tables) -> dict: what the caption says: what was measured, on what, and how it departs.
"""

import argparse
import importlib.util
import json
import logging
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import matplotlib as mpl
from matplotlib.figure import Figure

from resexp.files import atomic
from resexp.plots import style
from resexp.plots.tables import Folders, MissingTableError, Tables, inputs

# fontTools remarks on the missing date, which is missing so that a figure redraws to the same bytes
logging.getLogger("fontTools").setLevel(logging.ERROR)


def main(script: str) -> None:
    """Draw the figure of one script; exit with 1 and a hint where its tables are missing."""
    folders = _parse(argparse.ArgumentParser())[0]
    try:
        print(draw(Path(script), folders))
    except MissingTableError as error:
        sys.exit(str(error))


def main_all() -> NoReturn:
    """Draw the stale figures of a folder of scripts, several at once; exit with 1 if one failed."""
    parser = argparse.ArgumentParser("python -m resexp.plots.figures", description=main_all.__doc__)
    parser.add_argument("--scripts", type=Path, default=Path("scripts"), help="default: scripts")
    parser.add_argument("--all", action="store_true", help="also those that are up to date")
    folders, options = _parse(parser)
    stale = [
        script
        for script in sorted(options.scripts.glob("plot_*.py"))
        if has_tables(script, folders) and (options.all or is_stale(script, folders))
    ]
    failed = 0
    with ProcessPoolExecutor(min(len(stale), os.cpu_count() or 1) or 1) as pool:
        for script, drawn in [(script, pool.submit(draw, script, folders)) for script in stale]:
            if error := drawn.exception():
                print(f"{script}: {type(error).__name__}: {error}", file=sys.stderr)
                failed = 1
            else:
                print(drawn.result())
    sys.exit(failed)


def draw(script: Path, folders: Folders) -> str:
    """Draw a script's figure, whatever the user's own settings of matplotlib; says what was written.

    Its facts begin with the names of its tables, by which `resexp report` finds it.

    Raises:
        MissingTableError: it has nothing to draw.
    """
    module = load(script)
    tables = Tables(module.TABLES, folders)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style.SETTINGS)
        facts = {"tables": tables.names, **module.facts(tables)}
        return save(module.draw(tables), folders.figures, name_of(script), facts)


def save(figure: Figure, folder: Path, name: str, facts: dict) -> str:
    """Write `<name>.pdf`, `<name>.png` and, beside them, what the caption says as `<name>.json`.

    The same tables give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / f"{name}.pdf") as pdf:  # in its place when all is written: it tells what is stale
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})
        text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return f"{folder / name}.pdf .png .json"


def load(script: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(script: Path) -> str:
    """Of a script's figure."""
    return script.stem.removeprefix("plot_")


def has_tables(script: Path, folders: Folders) -> bool:
    """Whether a script's figure can be drawn."""
    try:
        Tables(load(script).TABLES, folders)
    except MissingTableError:
        return False
    return True


def is_stale(script: Path, folders: Folders) -> bool:
    """Whether a figure is missing, or older than its tables, its script or what scripts share."""
    figure, module = folders.figures / f"{name_of(script)}.pdf", load(script)
    if not figure.exists():
        return True
    shared = Path(__file__).parent.glob("*.py")
    sources = [script, *shared, *inputs(module.TABLES, getattr(module, "REFERENCE", ()), folders)]
    return max(path.stat().st_mtime for path in sources) > figure.stat().st_mtime


def _parse(parser: argparse.ArgumentParser) -> tuple[Folders, argparse.Namespace]:
    for name in ("tables", "reference", "figures"):
        parser.add_argument(f"--{name}", type=Path, default=Path("results") / name)
    options = parser.parse_args()
    return Folders(options.tables, options.reference, options.figures), options


if __name__ == "__main__":
    main_all()
