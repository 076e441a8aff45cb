"""Figures with what they show: the image, small enough to travel within the page, and its facts."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image  # matplotlib needs it, too

from resexp.files import read_json

QUALITY = 80  # of WebP; a figure of 400 kB as PNG is one of 120 kB
DEPARTURES = ("departures", "departures_from_the_paper")
APART = (*DEPARTURES, "tables", "figure", "after")  # shown in places of their own


@dataclass(frozen=True)
class Figure:
    """A figure in results/figures.

    Args:
        name: of its files.
        tables: that it is drawn from.
        facts: what the .json beside it says.
        image: its PNG.
    """

    name: str
    tables: Sequence[str]
    facts: Mapping
    image: Path

    @property
    def shows(self) -> str:
        """What it shows, in a phrase."""
        return str(self.facts.get("figure", self.name.replace("_", " ")))

    @property
    def after(self) -> str:
        """The published figure or table that it repeats."""
        return str(self.facts.get("after", ""))

    @property
    def departures(self) -> list[str]:
        """How it departs from what was published, each with the dataset that it is about."""
        return list(_departures(self.facts))

    @property
    def words(self) -> list[tuple[str, str]]:
        """What its lines and points are: facts that are sentences."""
        return [(k, v) for k, v in self.facts.items() if isinstance(v, str) and k not in APART]

    @property
    def others(self) -> dict:
        """The other facts: seeds, protocols, devices, commits."""
        return {k: v for k, v in self.facts.items() if not isinstance(v, str) and k not in APART}

    def embedded(self) -> tuple[str, int, int]:
        """A data URI of the image as WebP, its width and height in pixels."""
        with Image.open(self.image) as image:
            held = io.BytesIO()
            image.convert("RGB").save(held, "WEBP", quality=QUALITY)
            text = base64.b64encode(held.getvalue()).decode()
            return f"data:image/webp;base64,{text}", *image.size


def figures_in(folder: Path) -> tuple[list[Figure], list[str]]:
    """The figures of a folder, and the names of those whose facts do not say which tables they show.

    Raises:
        DamagedError: a .json holds no facts.
    """
    found, unknown = [], []
    for path in sorted(folder.glob("*.json")):
        facts, image = read_json(path), path.with_suffix(".png")
        if not image.exists():
            continue
        if isinstance(tables := facts.get("tables"), list):
            found.append(Figure(path.stem, tables, facts, image))
        else:
            unknown.append(path.stem)
    return found, unknown


def _departures(facts: Mapping, about: str = "") -> Iterator[str]:
    for key, value in facts.items():
        if key in DEPARTURES and isinstance(value, list):
            yield from (f"{about}: {line}" if about else str(line) for line in value)
        elif isinstance(value, Mapping):
            yield from _departures(value, about)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    yield from _departures(item, str(item.get("dataset", about)))
