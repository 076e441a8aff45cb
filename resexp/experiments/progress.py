"""How far runs are, as their folders have it, in lines that fit a terminal."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from resexp.exits import printable
from resexp.experiments import expected
from resexp.experiments.expected import Times, in_words
from resexp.files import DamagedError
from resexp.records.contents import FINISHED, Contents, ReadOnce
from resexp.records.run import RunFolder

FAILED = ("failed", "damaged")
BAR = 8  # characters
SEED = re.compile(rb'"seed": \d+')  # in a run's config


@dataclass(frozen=True, slots=True)
class Seen:
    """A run at one moment.

    Args:
        name: of its folder.
        status, step, steps, error: see RunFolder.state.
        errors: error of each split in its last row, as text.
        left: about how many seconds it still takes; 0 once it has finished, None: not known, or it failed.
    """

    name: str
    status: str
    step: int
    steps: int
    error: str
    errors: str
    left: float | None = None

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED


class Overview:
    """Runs as their folders have them; those that have finished are read once.

    Args:
        found: the runs.
        settings: those that are at hand, by the folder's name; others are read from the folders.
    """

    def __init__(self, found: list[RunFolder], settings: Mapping[str, dict]):
        self.found, self.settings, self.times = found, dict(settings), Times()
        self._finished: dict[Path, Seen] = {}
        self._timed: set[Path] = set()
        self._shared: dict[bytes, dict | None] = {}

    def add(self, found: Iterable[RunFolder]) -> None:
        """Runs that have begun since, among those that are known."""
        known = {folder.path for folder in self.found}
        if new := [folder for folder in found if folder.path not in known]:
            self.found = sorted([*self.found, *new], key=lambda folder: folder.name)

    def now(self) -> list[Seen]:
        """All runs, in the order given."""
        runs = {folder.path: self._finished.get(folder.path) or self._look(folder) for folder in self.found}
        self._finished = {path: run for path, run in runs.items() if run.is_finished}
        if len(self._finished) < len(runs):
            self._read_times()
            own = self._of_running(runs)
            for folder in self.found:
                if (run := runs[folder.path]).status not in (*FINISHED, *FAILED):
                    runs[folder.path] = replace(run, left=self._left(folder, run, own))
        return [runs[folder.path] for folder in self.found]

    def _look(self, folder: RunFolder) -> Seen:
        contents = ReadOnce(folder.path)
        run = look(contents)
        if folder.name not in self.settings and (settings := self._but_for_the_seed(contents)):
            self.settings[folder.name] = settings
        return run

    def _but_for_the_seed(self, contents: Contents) -> dict | None:
        """The settings of a run; runs that differ in the seed alone take equally long, and share one's."""
        try:
            text = SEED.sub(b"", contents.config_file())
            if text not in self._shared:
                config = contents.config()
                self._shared[text] = config if expected.is_known(config) else None
            return self._shared[text]
        except (DamagedError, OSError):
            return None

    def _of_running(self, runs: Mapping[Path, Seen]) -> Times:
        """The times of running runs so far: all there is until the first has finished."""
        times = Times()
        for folder in self.found:
            settings = self.settings.get(folder.name)
            if settings and runs[folder.path].status == "running":
                times.add(settings, *(expected.duration(folder) or (0, 0.0)))
        return times

    def _read_times(self) -> None:
        for folder in self.found:
            if folder.path not in self._finished or folder.path in self._timed:
                continue
            self._timed.add(folder.path)
            settings = self.settings.get(folder.name)
            if settings and not self.times.has_enough(settings) and (took := expected.duration(folder)):
                self.times.add(settings, *took)

    def _left(self, folder: RunFolder, run: Seen, own: Times) -> float | None:
        """By a running run's own pace, else by that of others, if any is known."""
        settings = self.settings.get(folder.name)
        if settings is None:
            return None
        took = expected.duration(folder) if run.status == "running" else None
        if took is None or not took[0] or run.step != took[0]:
            seconds = self.times.of_run(settings, done=run.step)
            return own.of_run(settings, done=run.step) if seconds is None else seconds
        steps, seconds = took
        since = time.time() - (folder.path / "rows.csv").stat().st_mtime
        return max(0.0, seconds / steps * (run.steps - steps) - max(0.0, since))


def look(contents: Contents) -> Seen:
    """A run as its folder has it now, without the time left."""
    state, row = contents.state(), contents.last_row()
    left = 0.0 if state["status"] in FINISHED else None
    return Seen(
        contents.name, state["status"], state["step"], state["steps"], state["error"], errors_of(row), left
    )


def errors_of(row: Mapping[str, str]) -> str:
    """The error of each split in a row: `train 12.30%, test 20.10%`."""
    found = []
    for key, value in row.items():
        if key and key.endswith("_error_percent"):
            try:
                found.append(f"{key.removesuffix('_error_percent')} {float(value):.2f}%")
            except (TypeError, ValueError):  # damaged
                continue
    return ", ".join(found)


def failures_last(runs: Iterable[Seen]) -> list[Seen]:
    """The same runs, in the same order but for those that failed."""
    return sorted(runs, key=lambda run: run.status in FAILED)


def totals(runs: list[Seen], workers: int = 1) -> str:
    """`12 of 40 finished, 2 running, 1 failed, about 1 h 10 min left`.

    Args:
        runs: all of a sweep.
        workers: of the sweep; there are at least as many as runs that are running.
    """
    said = [f"{sum(run.is_finished for run in runs)} of {len(runs)} finished"]
    for status in ("diverged", "running", *FAILED):
        if count := sum(run.status == status for run in runs):
            said.append(f"{count} {status}")
    running = sum(run.status == "running" for run in runs)
    left = [run.left for run in runs if not run.is_finished and run.status not in FAILED]
    if left and None not in left:
        seconds = expected.together(left, max(1, workers, running))
        said.append(f"about {in_words(seconds)} left" if seconds else "nearly finished")
    return ", ".join(said)


def running_lines(runs: Iterable[Seen], width: int) -> list[str]:
    """One line on each running run: name, bar, steps, error of the last split, time left.

    Args:
        runs: those that are not running are left out.
        width: of the lines, in characters. Names are shortened to fit.
    """
    running = [run for run in runs if run.status == "running"]
    counts = [f"{run.step}/{run.steps}" if run.steps else "" for run in running]
    tails = [_tail(run) for run in running]
    count_width = max(map(len, counts), default=0)
    room = width - BAR - 7 - count_width - max(map(len, tails), default=0)
    names = [shortened(run.name, room) for run in running]
    name_width = max(map(len, names), default=0)
    return [
        f"{name:<{name_width}}  |{_bar(run)}| {count:>{count_width}}  {tail}".rstrip()
        for run, name, count, tail in zip(running, names, counts, tails, strict=True)
    ]


def _bar(run: Seen) -> str:
    from tqdm import tqdm  # slow to import

    how = {"elapsed": 0, "ascii": " #", "bar_format": f"{{bar:{BAR}}}"}
    return tqdm.format_meter(n=run.step, total=max(1, run.steps), **how)


def _tail(run: Seen) -> str:
    left = f"{in_words(run.left)} left" if run.left else ""
    return "  ".join(part for part in (run.errors.rpartition(", ")[2], left) if part)


def shortened(name: str, width: int) -> str:
    """A run's name without most of its digest; what is still too long is cut in the middle."""
    head, _, digest = name.rpartition("-")
    name = f"{head}-{digest[:4]}" if head else name
    name = printable(name)
    if len(name) <= width:
        return name
    end = max(1, (width - 2) * 2 // 3)
    return f"{name[: max(0, width - 2 - end)]}..{name[-end:]}"


def cut(text: str, width: int) -> str:
    """The text in so many characters, with dots where something is left out."""
    text = printable(text)
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."
