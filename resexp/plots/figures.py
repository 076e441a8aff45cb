"""Draw figures from tables: one script per figure, found by listing a folder; only stale ones are redrawn.

A script plot_<name>.py defines
    TABLES: the tables that it draws, see resexp.plots.tables.Wanted,
    REFERENCE: names of its tables of published numbers, if any,
    draw(tables) -> Figure,
    facts(tables) -> dict: contents of the caption: what was measured, on what, and departures.
"""

import argparse
import gc
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resexp.exits import Parser
from resexp.files import atomic, own_or_shipped, refuse_missing
from resexp.plots import style
from resexp.plots.tables import Folders, MissingTableError, Tables, inputs

# fontTools warns about the missing date, which is omitted so that redrawing gives the same bytes
logging.getLogger("fontTools").setLevel(logging.ERROR)


def main(script: str) -> None:
    """Draw the figure of one script; exit with code 1 and a hint if its tables are missing."""
    folders = _parse(Parser())[0]
    try:
        print(draw(Path(script), folders))
    except MissingTableError as error:
        sys.exit(str(error))


def main_all(arguments: Sequence[str] | None = None) -> NoReturn:
    """Draw the stale figures of a folder of scripts, in parallel; exit with code 1 if any failed."""
    parser = Parser("resexp figures", description=main_all.__doc__)
    parser.add_argument(
        "--scripts", type=Path, default=own_or_shipped(Path("scripts"), "scripts"),
        help="default: scripts, or those that come with the program",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="redraw all figures, not only stale ones")
    folders, options = _parse(parser, arguments)
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
    if not stale:
        print(f"every figure in {folders.figures} whose tables exist is up to date")
    sys.exit(failed)


def draw(script: Path, folders: Folders) -> str:
    """Draw a script's figure, independently of the user's matplotlib settings.

    Its facts begin with the names of its tables, by which `resexp report` finds it.

    Returns:
        The files written, as text.
    Raises:
        MissingTableError: a table that it needs is missing.
    """
    module = load(script)
    tables = Tables(module.TABLES, folders)
    with mpl.rc_context(), _uncollected():
        mpl.rcdefaults()
        mpl.rcParams.update(style.SETTINGS)
        facts = {"tables": tables.names, **module.facts(tables)}
        return save(module.draw(tables), folders.figures, name_of(script), facts)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage within the block: it takes a fifth of the time in which a figure is drawn."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def save(figure: Figure, folder: Path, name: str, facts: dict) -> str:
    """Write `<name>.pdf`, `<name>.png`, and the contents of the caption to `<name>.json`.

    The same tables always give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lay_out(figure)
    with atomic(folder / f"{name}.pdf") as pdf:  # appears last: its date marks the figure as up to date
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})
        text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return f"{folder / name}.pdf .png .json"


def lay_out(figure: Figure) -> None:
    """Lay a figure out once, for all the files that it is written to.

    savefig does it for every file: it draws the whole figure without output, for the sake of the layout
    engine, which acts before anything is drawn.
    """
    figure.set_dpi(mpl.rcParams["savefig.dpi"])
    if (engine := figure.get_layout_engine()) is not None:
        FigureCanvasAgg(figure)  # measures text as the image will show it, and keeps the measures for it
        engine.execute(figure)
        figure.set_layout_engine(None)  # savefig would draw twice otherwise


def load(script: Path) -> ModuleType:
    """Import a script as a module."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(script: Path) -> str:
    """Name of a script's figure."""
    return script.stem.removeprefix("plot_")


def has_tables(script: Path, folders: Folders) -> bool:
    """Whether the tables that a script needs exist."""
    try:
        Tables(load(script).TABLES, folders)
    except MissingTableError:
        return False
    return True


def is_stale(script: Path, folders: Folders) -> bool:
    """Whether a figure is missing, or older than its tables, its script or resexp.plots."""
    figure, module = folders.figures / f"{name_of(script)}.pdf", load(script)
    if not figure.exists():
        return True
    shared = Path(__file__).parent.glob("*.py")
    sources = [script, *shared, *inputs(module.TABLES, getattr(module, "REFERENCE", ()), folders)]
    return max(path.stat().st_mtime for path in sources) > figure.stat().st_mtime


def _parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> tuple[Folders, argparse.Namespace]:
    """The folders: of the person's own results; the program's for tables and published numbers not there."""
    for name in ("tables", "reference"):
        folder = f"results/{name}"
        parser.add_argument(
            f"--{name}", type=Path, default=own_or_shipped(Path(folder), folder),
            help=f"default: {folder}, or what comes with the program",
        )  # fmt: skip
    parser.add_argument(
        "--figures", type=Path, default=Path("results/figures"), help="default: results/figures"
    )
    options = parser.parse_args(arguments)
    refuse_missing(parser, options, *({"tables", "reference", "scripts"} & vars(options).keys()))
    return Folders(options.tables, options.reference, options.figures), options


if __name__ == "__main__":
    main_all()
