"""What a command would do, without doing it: `--dry-run`."""

import itertools
from collections.abc import Iterator

from resexp.config.compose import ConfigError
from resexp.experiments import expected
from resexp.experiments.expected import Times, in_words, length
from resexp.files import DamagedError
from resexp.records.contents import FINISHED
from resexp.records.folders import folders
from resexp.records.run import RunFolder


def lines(runs: list[dict], found: list[RunFolder], workers: int = 1) -> Iterator[str]:
    """One line per run: its status, where it would begin, about how long it would take; then the totals.

    Finished runs first, then the others in the order in which they would be started.

    Args:
        runs: settled.
        found: their folders.
        workers: of the sweep.
    """
    times = times_of(runs, found)
    states = [(run, folder, folder.state()["status"]) for run, folder in zip(runs, found, strict=True)]
    lengths = []
    for run, folder, status in sorted(states, key=lambda s: (s[2] not in FINISHED, -length(s[0], times))):
        begins = about = ""
        if status not in (*FINISHED, "running"):
            step = first_step(folder)
            begins, seconds = f"resumes at {step}" if step else "starts", times.of_run(run, done=step)
            about = "" if seconds is None else f"about {in_words(seconds)}"
            lengths.append(seconds)
        yield f"  {status:<12} {begins:<18} {about:<16} {folder.name}"
    yield totals([status for _, _, status in states], lengths, workers)


def totals(statuses: list[str], lengths: list[float | None], workers: int) -> str:
    """How many runs have finished, how many would run, and about how long that takes.

    Args:
        statuses: of all runs.
        lengths: seconds of each that would run; None: not known.
        workers: of the sweep.
    """
    finished = sum(status in FINISHED for status in statuses)
    said = f"{finished} of {len(statuses)} finished"
    if running := statuses.count("running"):
        said += f", {running} running in another process"
    if not lengths:
        return f"{said}; nothing to run"
    if None in lengths:
        return f"{said}; {len(lengths)} to run, how long is unknown: no run of this experiment has finished"
    beside = f" with {workers} workers" if workers > 1 else ""
    return f"{said}; {len(lengths)} to run, about {in_words(expected.together(lengths, workers))}{beside}"


def times_of(runs: list[dict], found: list[RunFolder]) -> Times:
    """The times of these runs that have finished; if none has, of others in the same folder."""
    times = expected.recorded(zip(runs, found, strict=True))
    if all(times.of_run(run) is None for run in runs):
        return expected.recorded(itertools.chain.from_iterable(map(_others, {f.path.parent for f in found})))
    return times


def first_step(folder: RunFolder) -> int:
    """The step of the newest checkpoint, from which a run that is not finished resumes; 0: there is none."""
    if not any(folder.path.glob("checkpoint-*.pt")):
        return 0
    from resexp.training.checkpoint import newest_step  # imports torch

    return newest_step(folder.path)


def without_download(run: dict) -> dict:
    """The same settings, by which no data is fetched."""
    dataset = run.get("dataset", {})
    if not dataset.get("load", {}).get("download"):
        return run
    return run | {"dataset": dataset | {"load": dataset["load"] | {"download": False}}}


def check(command, run: dict) -> None:
    """The command's check of a run, which writes nothing.

    Raises:
        ConfigError: a setting is invalid, or data would have to be downloaded.
    """
    offline = without_download(run)
    try:
        command.check(offline)
    except ConfigError as error:
        if offline is run:
            raise
        raise ConfigError(f"with --dry-run nothing is downloaded: {error}") from error


def _others(root) -> Iterator[tuple[dict, RunFolder]]:
    for folder in folders(root):
        try:
            config = folder.config()
        except DamagedError:
            continue
        if config.get("command") in ("train", "measure"):
            yield config, folder
