"""PDF, PNG and facts of a figure: byte-identical when redrawn from the same tables."""

import argparse
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from resexp.files import atomic

# it remarks on the missing date, which is missing so that a figure redraws to the same bytes
logging.getLogger("fontTools").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Folders:
    """Where a plotting script reads and writes."""

    tables: Path
    reference: Path
    figures: Path


def folders() -> Folders:
    """From the command line; by default the folders in results/."""
    parser = argparse.ArgumentParser()
    for name in ("tables", "reference", "figures"):
        parser.add_argument(f"--{name}", type=Path, default=Path("results") / name)
    return Folders(**vars(parser.parse_args()))


def read(folder: Path, name: str) -> pd.DataFrame:
    """A table by the path that the script names it with; exits with a hint if it is not there."""
    path = folder / Path(name).name
    if not path.exists():
        sys.exit(f"no {path}: make it with resexp, or take it from git (git checkout {name})")
    return pd.read_csv(path)


def made_with(folder: Path, *experiments: str) -> dict:
    """Devices, torch versions and commits of the experiments' runs, for a figure's facts."""
    records = [json.loads((folder / f"{experiment}.json").read_text()) for experiment in experiments]
    sessions = [session for record in records for run in record["runs"] for session in run["sessions"]]
    return {
        "devices": sorted({session["device"] for session in sessions}),
        "torch": sorted({session["versions"]["torch"] for session in sessions}),
        "commits": sorted({str(session["commit"]) for session in sessions}),
    }


def save(figure: Figure, folder: Path, name: str, facts: dict) -> None:
    """Write `<name>.pdf`, `<name>.png` and, beside them, what the caption says as `<name>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / f"{name}.pdf") as pdf:  # in its place when all is written: make looks at it
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})
        (folder / f"{name}.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    print(f"{folder / name}.pdf .png .json")
