"""PDF, PNG and facts of a figure: byte-identical when redrawn from the same tables."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure


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


def save(figure: Figure, folder: Path, name: str, facts: dict) -> None:
    """Write `<name>.pdf`, `<name>.png` and, beside them, what the caption says as `<name>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
    figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    print(f"{folder / name}.pdf .png .json")
