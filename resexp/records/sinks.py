"""Destinations of a run's rows during training."""

import sys
from collections.abc import Iterable
from typing import Protocol

from tqdm import tqdm

from resexp.records.run import RunFolder


class Sink(Protocol):
    """Receives each row of a run as it is produced. Trackers (conf/tracker) are sinks."""

    def row(self, row: dict) -> None:
        """One row: step, epoch, learning_rate, then the columns of each split and timings."""

    def close(self, status: str) -> None:
        """The run ended with this status: done, interrupted, diverged or failed."""


class Recorded:
    """Appends rows to the run's rows.csv."""

    def __init__(self, folder: RunFolder):
        self.folder = folder

    def row(self, row: dict) -> None:
        self.folder.append_row(row)

    def close(self, status: str) -> None:
        pass


class Console:
    """A progress bar on a terminal, otherwise one line per row.

    Args:
        label: of the run.
        steps: of the whole run.
        initial: steps already taken.
    """

    def __init__(self, label: str, *, steps: int, initial: int):
        self.label, self.steps, self.on_terminal = label, steps, sys.stderr.isatty()
        self.bar = tqdm(total=steps, initial=initial, desc=label, disable=not self.on_terminal)

    def step(self) -> None:
        """Advance the progress bar by one step."""
        self.bar.update()

    def row(self, row: dict) -> None:
        line = _line(row)
        self.bar.set_postfix_str(line)
        if not self.on_terminal:
            print(f"{self.label}  {row['step']}/{self.steps}  {line}", flush=True)

    def close(self, status: str) -> None:
        self.bar.close()


def send(sinks: Iterable[Sink], row: dict) -> None:
    """Send a row to each sink, in order."""
    for sink in sinks:
        sink.row(row)


def _line(row: dict) -> str:
    """Loss and error of each split except val, the learning rate and the speed, as text."""
    names = [key.removesuffix("_loss") for key in row if key.endswith("_loss")]
    errors = [f"{n} {row[f'{n}_loss']:.3f} {row[f'{n}_error_percent']:.2f}%" for n in names if n != "val"]
    speed = f"{row['examples_per_second']:.0f} examples/s"
    return "  ".join([*errors, f"lr {row['learning_rate']:.3g}", speed])
