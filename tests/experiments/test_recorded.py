"""How a piece of work ended is on record whatever happens."""

import re

import pytest
import torch
from helpers import mentions

from resexp.experiments.recorded import record
from resexp.records import provenance
from resexp.records.run import RunFolder
from resexp.training.step import CaptureError

CPU = torch.device("cpu")


@pytest.mark.parametrize("ending", [KeyboardInterrupt, BrokenPipeError])
def test_an_interrupted_measurement_is_said_to_be_interrupted(tmp_path, ending):
    def interrupted():
        raise ending

    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ending):
        record(folder, {"name": "x"}, torch.device("cpu"), 1, interrupted)
    state = folder.recorded()
    assert (state["status"], state["step"], state["error"]) == ("interrupted", 0, "")


def failing(error):
    def work():
        raise error

    return work


def test_a_failed_capture_is_on_record_before_it_ends_the_process(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(CaptureError):
        record(folder, {"name": "x"}, CPU, 1, failing(CaptureError("no graph")))
    state = folder.recorded()
    assert (state["status"], state["error"]) == ("failed", "CaptureError: no graph")
    assert "no graph" in (folder.path / "error.txt").read_text()
    assert folder.provenance()["sessions"][0]["status"] == "failed"


def test_lack_of_memory_is_said_as_such(tmp_path):
    folder = RunFolder(tmp_path / "run")
    lacking = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nand more")
    assert record(folder, {"name": "x"}, CPU, 1, failing(lacking)) == "failed"
    assert re.match(mentions("out of memory", "batch_size", "2 GiB"), folder.recorded()["error"])


@pytest.mark.parametrize("dirty", [True, False, None])
def test_how_the_code_differs_from_its_commit_is_kept_beside_the_provenance(tmp_path, monkeypatch, dirty):
    monkeypatch.setattr(provenance, "source", lambda: {"commit": "0" * 40, "dirty": dirty})
    monkeypatch.setattr(provenance, "changes", lambda: b"--- a\n+++ b\n")
    folder = RunFolder(tmp_path / "run")
    for _ in range(2):
        record(folder, {"name": "x"}, CPU, 1, lambda: ("interrupted", 0))
    assert [session.get("diff") for session in folder.provenance()["sessions"]] == 2 * (
        ["tree.diff"] if dirty else [None]
    )
    kept = {path.name: path.read_text() for path in folder.path.glob("*.diff")}
    assert kept == ({"tree.diff": "--- a\n+++ b\n"} if dirty else {})
    assert "+++ b" not in (folder.path / "provenance.json").read_text()
