"""What the page says of runs: how long they took, where, from what, how they ended."""

import pandas as pd
import pytest

from resexp.report import runs
from resexp.report.contents import Experiment, Run
from resexp.report.page import _errors

MORNING = {
    "start": "2026-01-01T10:00:00+00:00", "end": "2026-01-01T10:10:00+00:00",
    "device": "CPU", "command": "resexp train", "commit": "a" * 40, "dirty": False,
}  # fmt: skip
EVENING = MORNING | {  # an hour later elsewhere, which is 5 minutes
    "start": "2026-01-01T20:00:00+02:00", "end": "2026-01-01T18:05:00+00:00", "device": "GPU", "dirty": True,
}  # fmt: skip


def run(*sessions, status="done", seed=0):
    return Run(f"run{seed}", {"model": "plain", "seed": seed}, status, 20, 20, "", list(sessions))


def test_a_run_takes_the_time_of_all_its_sessions_and_shows_the_device_of_the_last():
    resumed = run(MORNING, EVENING)
    assert resumed.minutes == 15
    assert run(MORNING, {"start": "2026-01-01T10:00:00"}).minutes == 10, "the other has not ended"
    assert run().minutes is None
    (row,) = runs.runs(Experiment("x", runs=[resumed])).rows
    assert ("15.0", 15.0) in row
    assert "GPU" in row
    assert "CPU" not in row


@pytest.mark.parametrize(("session", "said"), [(MORNING, "no"), (EVENING, "yes"), ({}, "not known")])
def test_uncommitted_changes_are_said(session, said):
    found = dict(runs.provenance(Experiment("x", runs=[run(session)])).rows)
    assert found["uncommitted changes"] == said


def test_every_ending_but_a_result_is_a_failure():
    statuses = ["done", "failed", "diverged", "damaged", "interrupted", "running", "missing"]
    experiment = Experiment("x", runs=[run(status=status) for status in statuses])
    assert [one.status for one in experiment.failures] == ["failed", "diverged", "damaged", "interrupted"]


def test_final_errors_are_those_of_runs_that_have_ended():
    rows = pd.DataFrame(
        {
            "run": f"run{seed}",
            "model": "plain",
            "depth": 8,
            "seed": seed,
            "step": 20,
            "test_error_percent": error,
        }
        for seed, error in enumerate((10.0, 20.0, 90.0))
    )
    ended = [run(seed=0), run(seed=1), run(seed=2, status="running")]
    (row,) = _errors(Experiment("x", runs=ended, rows=rows), pd.DataFrame()).rows
    assert row[0][1] == 15
