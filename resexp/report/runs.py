"""Runs: a summary, where they come from, how each ended, what went wrong."""

from collections import Counter
from collections.abc import Sequence

from resexp.report.contents import Experiment, Run, Table

SHOWN_OF_COMMIT = 10  # characters


def index(experiments: Sequence[Experiment]) -> Table:
    """One line per experiment."""
    rows = []
    for experiment in experiments:
        done, bad = _ended(experiment.runs), len(experiment.failures)
        name = (experiment.name, experiment.name, f"#{experiment.name}")
        counts = [(str(n), n) for n in (len(experiment.runs), done, bad)]
        rows.append([name, experiment.about, *counts])
    return Table("Experiments", ["experiment", "what it shows", "runs", "done", "failures"], rows)


def summary(experiment: Experiment) -> str:
    """How many runs there are, and how they ended."""
    counts = Counter(run.status for run in experiment.runs)
    how = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    number = len(experiment.runs)
    return f"{number} run{'s' * (number != 1)}: {how}" if number else "no runs on record"


def provenance(experiment: Experiment) -> Table | None:
    """What the runs of the table were started with, each value with the number of sessions.

    If there is no table: those in the runs folder.
    """
    sessions = [session for run in experiment.collected or experiment.runs for session in run.sessions]
    if not sessions:
        return None
    starts = sorted(str(session["start"]) for session in sessions if session.get("start"))
    rows = [
        ["command", _counted(session.get("command") for session in sessions)],
        ["commit", _counted(session.get("commit") or "none recorded" for session in sessions)],
        ["uncommitted changes", _counted(_dirty(session) for session in sessions)],
        ["device", _counted(session.get("device") for session in sessions)],
        ["cores", _counted(session.get("cores") for session in sessions)],
        ["Python", _counted(session.get("python") for session in sessions)],
    ]
    packages = sorted({name for session in sessions for name in session.get("versions", {})})
    rows += [[name, _counted(s.get("versions", {}).get(name) for s in sessions)] for name in packages]
    if starts:
        rows.append(["started", starts[0] if starts[0] == starts[-1] else f"{starts[0]} to {starts[-1]}"])
    source = "the table" if experiment.collected else "the runs folder"
    return Table(f"Provenance of {source}, {len(sessions)} sessions", ["", "value (sessions)"], rows)


def runs(experiment: Experiment) -> Table | None:
    """Every run with its labels, its status and its last session."""
    if not experiment.runs:
        return None
    labels = list(dict.fromkeys(label for run in experiment.runs for label in run.labels))
    rows = []
    for run in experiment.runs:
        last = run.sessions[-1] if run.sessions else {}
        values = [run.labels.get(label, "") for label in labels]
        rows.append(
            [
                run.name,
                *((str(v), v) if isinstance(v, int | float) else str(v) for v in values),
                run.status,
                _steps(run),
                ("", "") if run.minutes is None else (f"{run.minutes:.1f}", run.minutes),
                str(last.get("commit") or "")[:SHOWN_OF_COMMIT],
                _dirty(last) if last else "",
                str(last.get("device") or ""),
            ]
        )
    head = ["run", *labels, "status", "step", "minutes", "commit", "uncommitted changes", "device"]
    return Table("Runs", head, rows)


def failures(experiment: Experiment) -> Table | None:
    """The runs that did not end well, with the first line of what they said."""
    bad = experiment.failures
    rows = [[run.name, run.status, _steps(run), run.failure or "nothing was noted"] for run in bad]
    return Table("Runs that did not end well", ["run", "status", "step", "error"], rows) if bad else None


def _ended(runs: Sequence[Run]) -> int:
    return sum(run.status == "done" for run in runs)


def _steps(run: Run) -> tuple[str, int]:
    return (f"{run.step}/{run.steps}" if run.steps else str(run.step)), run.step


def _dirty(session) -> str:
    return {True: "yes", False: "no"}.get(session.get("dirty"), "not known")


def _counted(values) -> str:
    counts = Counter(str(value) for value in values if value is not None)
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{value} ({count})" for value, count in counts.most_common())
