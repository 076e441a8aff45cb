"""Shared by the tests of commands: small settings, a run's folder and its rows."""

import copy
import csv
import json
import re
import time
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from omegaconf import OmegaConf
from torch import nn

from resexp import build_model
from resexp.config.catalog import option
from resexp.plots.figures import load

ROOT = Path(__file__).parents[1]
TINY = ["model.width=4", "batch_size=64", "train.threads=1"]
SMALL_MEASUREMENT = ["threads=1", "measure.networks=20", "measure.width=8", "measure.inputs=32"]
LONG = [*TINY, "model=resnet", "model.depth=8", "schedule.steps=150", "interval=15"]
TIMES = {"examples_per_second", "seconds"}


def only_run(folder: Path, name="single") -> Path:
    (path,) = (p for p in (folder / "results" / "runs" / name).iterdir() if p.is_dir())
    return path


def numbers(run: Path) -> list[dict]:
    """The rows without what depends on the clock."""
    with (run / "rows.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def status(run: Path) -> dict:
    return json.loads((run / "status.json").read_text())


def wait_for_rows(folder: Path, count: int, runs: int = 1) -> Path:
    """A run's folder, once so many runs have so many rows; on a busy machine a start takes a minute."""
    for _ in range(1800):
        files = list((folder / "results" / "runs").glob("*/*/rows.csv"))
        if len(files) >= runs and all(len(file.read_text().splitlines()) > count for file in files):
            return files[0].parent
        time.sleep(0.1)
    raise AssertionError("no rows in three minutes")


def mentions(*words: str) -> str:
    """A regular expression for one line that contains all of these words, in any order.

    For error messages: a test names the setting, its value and what is allowed, and leaves the wording
    open. A word is matched whole: `model.depth` is not found in `model.depths`, nor `0` in `10` or `0.5`.
    """

    def whole(word: str) -> str:
        start = r"(?<![\w-])(?<!\w[.])" if re.match(r"\w", word) else ""
        end = r"(?!\w|[.]\w)" if re.search(r"\w$", word) else ""
        return rf"(?=.*{start}{re.escape(word)}{end})"

    return rf"\A{''.join(map(whole, words))}.*\Z"


@cache
def part(group: str, name: str) -> dict:
    """The settings of an option, with numbers that fit small networks: of 4 channels, of 3 blocks."""
    few = {"drawn": {"kept": 2}, "group": {"groups": 2}}.get(name, {})
    return OmegaConf.to_container(option(group, name), resolve=True) | few


def with_parts(config: dict, chosen: dict[str, str]) -> dict:
    """A resolved config with other options of groups, wherever it repeats them.

    As Hydra composes it (tests/experiments/test_combinations.py), but in no time: Hydra takes 0.13 s.

    Args:
        chosen: group -> option, such as {"norm": "group"}.
    """
    other = {group: part(group, name) for group, name in chosen.items()}

    def replaced(node: dict) -> dict:
        found = {key: replaced(value) if isinstance(value, dict) else value for key, value in node.items()}
        return found | {key: other[key] for key in other.keys() & node.keys() if node[key] == config[key]}

    return replaced(config)


def settled(name: str, depth: int, width: int = 4, **choices) -> nn.Module:
    """A small network whose normalizations have statistics of their own: none is the identity by chance."""
    model = build_model(name, model__depth=depth, model__width=width, **choices)
    with torch.no_grad():
        model.train()(torch.randn(64, 1, 40, generator=torch.Generator().manual_seed(1)))
    return model.eval()


class Fixed:
    """A run (resexp.measure.run) of one given network, which training has left as it was.

    Its splits are the same examples; `splits` and `asked` are the splits and stages that have been asked for.
    """

    stages = ("initial", "trained")

    def __init__(self, model, x, y):
        self.model, self.x, self.y = model, x, y
        self.device, self.config, self.splits = getattr(x, "device", None), {}, set()
        self.asked = set()

    def network(self, stage="trained"):
        self.asked.add(stage)
        return copy.deepcopy(self.model).eval()

    def batches(self, split, batch_size):
        self.splits.add(split)
        return list(zip(self.x.split(batch_size), self.y.split(batch_size), strict=True))

    def examples(self, split, count):
        return self.x[:count], self.y[:count]

    def each(self, name, keys, compute):
        return [list(compute(key)) for key in keys]


class Given:
    """Tables of a figure (resexp.plots.tables.Tables), made up; published ones are the project's."""

    def __init__(self, **tables):
        self.tables, self.names = tables, list(tables)

    def __contains__(self, name):
        return name in self.tables

    def __getitem__(self, name):
        return self.tables[name].copy()

    def reference(self, name):
        return pd.read_csv(ROOT / "results" / "reference" / f"{name}.csv")


def script(name):
    """The module of a plotting script."""
    return load(ROOT / "scripts" / f"plot_{name}.py")
