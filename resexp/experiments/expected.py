"""How long runs take: by the time that finished runs of the same experiment took, else by their size."""

import datetime
import heapq
import math
from collections.abc import Iterable
from statistics import median

from resexp.records.run import RunFolder

SAMPLES = 5  # finished runs of one kind that are read


class Times:
    """Seconds a step takes in the runs of an experiment, from those on record."""

    def __init__(self):
        self._seconds: dict[tuple, list[float]] = {}

    def add(self, settings: dict, steps: int, seconds: float) -> None:
        """A run with these settings took so long for so many steps."""
        if steps > 0:
            self._seconds.setdefault(_kind(settings), []).append(seconds / steps)

    def has_enough(self, settings: dict) -> bool:
        """Whether further runs of this kind would change nothing."""
        return len(self._seconds.get(_kind(settings), ())) >= SAMPLES

    def of_step(self, settings: dict) -> float | None:
        """Seconds per step: of runs that differ in the seed at most, else of all others in proportion to
        their size; None if there are none.
        """
        if found := self._seconds.get(_kind(settings)):
            return median(found)
        per_size = [median(found) / kind[-1] for kind, found in self._seconds.items()]
        return median(per_size) * size(settings) if per_size else None

    def of_run(self, settings: dict, *, done: int = 0) -> float | None:
        """Seconds of a whole run, or of what is left after `done` steps; None: not known."""
        seconds = self.of_step(settings)
        return None if seconds is None else seconds * max(0, steps_of(settings) - done)


def recorded(runs: Iterable[tuple[dict, RunFolder]]) -> Times:
    """The times of those runs that have finished.

    Args:
        runs: settings and folder of each.
    """
    times = Times()
    for settings, folder in runs:
        if not times.has_enough(settings) and folder.is_finished and (took := duration(folder)):
            times.add(settings, *took)
    return times


def duration(folder: RunFolder) -> tuple[int, float] | None:
    """Steps taken and seconds they took, by the last row; of a measurement 1 step, and its session."""
    try:
        if row := folder.last_row():
            steps, seconds = folder.last_step(), float(row["seconds"])
        else:
            session = folder.provenance()["sessions"][-1]
            start, end = (datetime.datetime.fromisoformat(session[key]) for key in ("start", "end"))
            steps, seconds = 1, (end - start).total_seconds()
    except (IndexError, KeyError, TypeError, ValueError):  # damaged, or of an earlier version
        return None
    return (steps, seconds) if 0 <= seconds < math.inf else None


def is_known(settings: dict) -> bool:
    """Whether these are settings of a run: a config that somebody else wrote may hold anything."""
    try:
        hash(_kind(settings))
        return (
            settings["command"] in ("train", "measure") and 0 < size(settings) * steps_of(settings) < math.inf
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return False


def steps_of(settings: dict) -> int:
    """Steps of a whole run; a measurement is one step."""
    return settings.get("schedule", {}).get("steps", 1)


def size(settings: dict) -> float:
    """The work of a step, in arbitrary units: examples x positions x depth x channels^2.

    It compares networks of one family: networks that halve their positions double their channels. Of a
    measurement the work is not known from its settings, and each counts 1.
    """
    if settings["command"] == "measure":
        return 1.0
    model = settings.get("model", {})
    channels = (model.get("width") or model.get("growth") or 1) * (model.get("widen") or 1)
    positions = math.prod(settings.get("dataset", {}).get("size") or [1])
    return float(settings.get("batch_size", 1) * positions * (model.get("depth") or 1) * channels**2)


def length(run: dict, times: Times) -> float:
    """By which runs are compared: seconds if any are known, else the size of all steps."""
    seconds = times.of_run(run)
    return size(run) * steps_of(run) if seconds is None else seconds


def longest_first(runs: list[dict], times: Times) -> list[dict]:
    """The order in which a sweep's runs are started; runs of equal length stay in the order given.

    Otherwise the longest may be started last, with no other beside it.
    """
    return sorted(runs, key=lambda run: -length(run, times))


def together(seconds: Iterable[float], workers: int) -> float:
    """Seconds until runs of these lengths are finished, if each worker takes the longest that is left."""
    busy_until = [0.0] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(busy_until, busy_until[0] + each)
    return max(busy_until)


def in_words(seconds: float) -> str:
    """About how long: `40 s`, `12 min`, `1 h 10 min`, `3 days`."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 600) * 10, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(seconds / 86400)} days"


def _kind(settings: dict) -> tuple:
    """Runs of one kind take about equally long; the last entry is their size."""
    names = settings.get("labels") or {"measure": settings.get("measure", {}).get("name")}
    return *(value for key, value in names.items() if key != "seed"), settings.get("case"), size(settings)
