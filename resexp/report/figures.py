"""Figures with what they show: the image, small enough to travel within the page, and its facts."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import PIL.Image  # matplotlib needs it, too

from resexp.files import read_json

# Quality of WebP and share of the width, tried in this order: the first makes 120 kB of a PNG of 400 kB.
SQUEEZES = ((80, 1.0), (65, 0.8), (50, 0.6))
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

    def squeezed(self, quality: int, share: float) -> "Image":
        """Its image as WebP; the page shows it at its own size, whatever was left of its pixels."""
        with PIL.Image.open(self.image) as image:
            size, held = image.size, io.BytesIO()
            small = image.convert("RGB").resize([round(side * share) for side in size])
            small.save(held, "WEBP", quality=quality)
        text = base64.b64encode(held.getvalue()).decode()
        return Image(f"data:image/webp;base64,{text}", *size)


class Image(NamedTuple):
    """An image within the page: a data URI, and how many pixels wide and high it is shown."""

    source: str
    width: int
    height: int


def images(figures: Sequence[Figure], most: int) -> dict[str, Image]:
    """The images of figures by their names, squeezed until all of them take at most so many characters.

    If even the last squeeze takes more, it is what it is.
    """
    for squeeze in SQUEEZES:
        found = {figure.name: figure.squeezed(*squeeze) for figure in figures}
        if sum(len(image.source) for image in found.values()) <= most:
            break
    return found


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
