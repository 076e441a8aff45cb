"""How a piece of work ended is on record whatever happens."""

import re
from itertools import product

import numpy as np
import pytest
import torch
from helpers import mentions, numbers
from PIL import Image

from resexp.config.compose import compose, resolve
from resexp.experiments import train
from resexp.experiments.recorded import record
from resexp.experiments.runs import folder_of, settle
from resexp.experiments.stop import Signals
from resexp.records import provenance
from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.training import checkpoint
from resexp.training.step import CaptureError

IMAGES = [
    "dataset=imagefolder", "dataset.num_classes=2", "dataset.load.size=16", "dataset.load.workers=0",
    "batch_size=4", "model=imagenet_resnet18", "model.width=4", "schedule.steps=4", "interval=2",
    "train.threads=1",
    "train.checkpoint_minutes=0",
]  # fmt: skip
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


def test_the_threads_that_it_was_computed_with_are_on_record(tmp_path):
    """Whatever was asked for: they change the rounding."""

    def work():
        torch.set_num_threads(3)
        return "done", 1

    before = torch.get_num_threads()
    try:
        record(RunFolder(tmp_path / "run"), {"name": "x"}, CPU, 1, work)
    finally:
        torch.set_num_threads(before)
    assert RunFolder(tmp_path / "run").provenance()["sessions"][0]["threads"] == 3


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


def test_an_image_cut_in_its_body_is_named_and_the_checkpoint_before_it_goes_on(tmp_path, monkeypatch):
    """Its header is whole, so it is noticed when it is read: here at the evaluation behind step 2."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for split, label, number in product(("train", "val"), ("cat", "dog"), range(3)):
        path = tmp_path / "images" / split / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    whole, cut = (
        settle(resolve(compose("train", [*IMAGES, f"dataset.root={tmp_path / 'images'}", f"name={name}"])))
        for name in ("whole", "cut")
    )
    assert train.run(whole, Signals()) == "done"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert train.run(cut, Signals()) == "failed"
    state = folder_of(cut).recorded()
    assert re.match(mentions(str(path), "damaged"), state["error"])
    assert len(state["error"].splitlines()) == 1
    path.write_bytes(content)
    assert checkpoint.load(folder_of(cut).path, CPU, run=digest(cut))[0]["step"] == 1
    assert train.run(cut, Signals()) == "done"
    assert numbers(folder_of(cut).path) == numbers(folder_of(whole).path)


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
