"""Files of a run that are removed while it runs: they are there again when it ends."""

import pytest
from faults.inside import SMALL, command, here  # noqa: F401
from helpers import numbers, only_run

from resexp.records.run import RunFolder
from resexp.records.sinks import Recorded

SHORT = [*SMALL, "dataset.val_size=3900", "schedule.steps=4", "interval=1"]


@pytest.mark.parametrize("ending", ["done", "diverged"])
def test_files_that_are_removed_are_written_again(here, capfd, monkeypatch, ending):  # noqa: F811
    settings = [*SHORT, *(["schedule.learning_rate=1e9"] if ending == "diverged" else [])]
    assert command(capfd, "train", "name=whole", *settings)[0] == 0
    row = Recorded.row

    def row_and_remove(sink, values):
        row(sink, values)
        for name in ("config.json", "rows.csv", "provenance.json", "status.json"):
            (sink.folder.path / name).unlink(missing_ok=True)

    monkeypatch.setattr(Recorded, "row", row_and_remove)
    assert command(capfd, "train", *settings)[0] == 0
    run, whole = only_run(here), only_run(here, "whole")
    assert RunFolder(run).state() == RunFolder(whole).state()
    assert RunFolder(run).state()["status"] == ending
    assert numbers(run) == numbers(whole)
    assert RunFolder(run).config() == RunFolder(whole).config() | {"name": "single"}
    assert len(RunFolder(run).provenance()["sessions"]) == 1
