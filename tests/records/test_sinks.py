"""Rows reach every sink, and a tracker shows a resumed run once."""

import json
import os
import struct
import subprocess
import sys
import threading
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from helpers import mentions
from omegaconf import OmegaConf

from resexp.config.catalog import option
from resexp.config.compose import compose, resolve
from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.records.sinks import Console, Recorded, send
from resexp.records.tensorboard import TensorBoard
from resexp.records.wandb_api import WandbApi


def row(step):
    return {
        "step": step, "epoch": step / 2, "learning_rate": 0.1, "train_loss": 1 / step,
        "train_error_percent": 10.0, "test_loss": 2 / step, "test_error_percent": 20.0,
        "examples_per_second": 5.0, "seconds": 1.0,
    }  # fmt: skip


def scalars(folder, name):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.tensor_proto.float_val[0] for event in events.Tensors(name)}


def test_a_row_reaches_the_folder_and_the_log(tmp_path, capsys):
    run = RunFolder(tmp_path / "resnet8")
    run.write_config({})
    sinks = [Recorded(run), Console(run.name, steps=10, initial=0)]
    send(sinks, row(4))
    for sink in sinks:
        sink.close("done")
    assert [found["step"] for found in run.rows()] == ["4"]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[:2] == ["resnet8", "4/10"]
    assert "test 0.500 20.00%" in line


def test_tensorboard_reads_back_what_was_measured_and_shows_a_resumed_run_once(tmp_path):
    run = RunFolder(tmp_path / "runs" / "sweep" / "resnet8")
    first = TensorBoard(run, [], folder=str(tmp_path / "board"))
    for step in (1, 2, 3):  # the third is lost with a crash
        first.row(row(step))
    first.close("interrupted")
    resumed = TensorBoard(run, [row(1), row(2)], folder=str(tmp_path / "board"))
    resumed.row(row(4))
    resumed.close("done")
    found = scalars(tmp_path / "board" / "sweep" / "resnet8", "train_loss")
    assert found == {step: 1 / step for step in (1, 2, 4)}


def test_a_closed_tracker_leaves_no_thread_behind(tmp_path):
    """A sweep has one tracker after the other in one process."""
    before = threading.active_count()
    board = TensorBoard(RunFolder(tmp_path / "sweep" / "resnet8"), [], folder=str(tmp_path / "board"))
    board.row(row(1))
    assert threading.active_count() > before
    board.close("done")
    assert threading.active_count() == before


def test_training_with_a_tracker_gives_the_same_run(resexp, tmp_path):
    tiny = ["model.depth=8", "model.width=4", "schedule.steps=4", "interval=2", "train.threads=1"]
    assert resexp("train", *tiny).returncode == 0
    done = resexp("train", *tiny, "tracker=tensorboard")
    assert "already" in done.stdout, "a tracker is no part of a run's identity"
    done = resexp("train", *tiny, "tracker=tensorboard", "name=tracked")
    assert done.returncode == 0, done.stderr
    (rows,) = (tmp_path / "results" / "runs" / "tracked").glob("*/rows.csv")
    found = scalars(tmp_path / "results" / "tensorboard" / "tracked" / rows.parent.name, "test_error_percent")
    assert list(found) == [2, 4]
    config = json.loads((rows.parent / "config.json").read_text())
    assert config["tracker"]["name"] == "tensorboard"


def test_a_tracker_that_fails_costs_no_row(resexp, tmp_path, monkeypatch):
    """The folder has a row before any tracker is sent it."""

    class Failing:
        def row(self, row):
            if row["step"] == 4:
                raise RuntimeError("no connection")

        def close(self, status):
            pass

    monkeypatch.setattr("resexp.experiments.written._trackers", lambda *arguments: [Failing()])
    tiny = ["model.depth=8", "model.width=4", "schedule.steps=6", "interval=2", "train.threads=1"]
    assert resexp("train", *tiny).returncode == 1
    (rows,) = (tmp_path / "results" / "runs" / "single").glob("*/rows.csv")
    assert [line.partition(",")[0] for line in rows.read_text().splitlines()] == ["step", "2", "4"]


def settings_of(tracker: str) -> dict:
    """The settings of a tracker's option, but for its folder."""
    settings = OmegaConf.to_container(option("tracker", tracker))
    return {key: settings[key] for key in ("library", "project", "options")}


def tracked_twice(tracker, folder: Path) -> RunFolder:
    """A run that crashes after its third row is resumed from the second one, and goes on to the fourth."""
    run = RunFolder(folder / "runs" / "sweep" / "resnet8-0a1b2c3d4e")
    run.write_config(resolve(compose("train", ["model=resnet20"])))
    settings = settings_of(tracker) | {"folder": str(folder / "board")}
    WandbApi.check(**settings)
    first = WandbApi(run, [], **settings)
    for step in (1, 2, 3):
        first.row(row(step))
    first.close("interrupted")
    resumed = WandbApi(run, [row(1), row(2)], **settings)
    for step in (3, 4):
        resumed.row(row(step))
    resumed.close("done")
    return run


READ_TRACKIO = """
import json, sys
from trackio.sqlite_storage import SQLiteStorage
runs = SQLiteStorage.get_runs("resexp")
print(json.dumps({run: SQLiteStorage.get_logs("resexp", run) for run in runs}))
"""


def test_a_row_is_sent_once_to_one_run_of_the_tracker(tmp_path, monkeypatch):
    """Whichever library it is, here one that only notes what it is given."""
    sent, begun = [], []

    class Noted:
        def __init__(self, *, id, **given):
            begun.append((id, given["resume"], given["group"], given["project"]))

        def log(self, values, step):
            sent.append((step, values["train_loss"]))

        def finish(self):
            pass

    library = ModuleType("wandb")
    library.init, library.__spec__ = Noted, ModuleSpec("wandb", None)
    monkeypatch.setitem(sys.modules, "wandb", library)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    run = tracked_twice("wandb", tmp_path)
    assert sent == [(step, 1 / step) for step in (1, 2, 3, 4)]
    assert begun == 2 * [(digest(run.config()), "allow", "sweep", settings_of("wandb")["project"])]


@pytest.mark.slow
def test_trackio_reads_back_what_was_measured_in_one_run_however_often_it_resumes(tmp_path, monkeypatch):
    if find_spec("trackio") is None:  # an import would choose the folder
        pytest.skip("trackio is not installed")
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    run = tracked_twice("trackio", tmp_path)
    environment = os.environ | {"TRACKIO_DIR": str(tmp_path / "board")}
    read = [sys.executable, "-c", READ_TRACKIO]
    found = json.loads(subprocess.run(read, env=environment, capture_output=True, check=True).stdout)
    assert list(found) == [run.name]
    assert [(r["step"], r["train_loss"]) for r in found[run.name]] == [(k, 1 / k) for k in (1, 2, 3, 4)]


@pytest.mark.slow
def test_wandb_reads_back_what_was_measured_under_one_id(tmp_path):
    pytest.importorskip("wandb")
    run = tracked_twice("wandb", tmp_path)
    ids, losses = set(), []
    for path in sorted((tmp_path / "board" / "wandb").glob("offline-run-*/run-*.wandb")):
        for record in records_of_wandb(path):
            if record.HasField("run"):
                ids.add(record.run.run_id)
            if record.HasField("history"):
                found = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
                losses.append((int(found["_step"]), float(found["train_loss"])))
    assert ids == {digest(run.config())}
    assert losses == [(k, 1 / k) for k in (1, 2, 3, 4)]


def records_of_wandb(path):
    """The records of a .wandb file: a header of 7 bytes, then LevelDB's log format (doc/log_format.md)."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, record = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        if kind == 0:  # the rest of a block of 32 KiB is empty
            at = (at // 2**15 + 1) * 2**15
            continue
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield Record.FromString(record)
            record = b""
        if 2**15 - at % 2**15 < 7:
            at = (at // 2**15 + 1) * 2**15


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"library": "mlflow"}, ("tracker.library", "wandb", "trackio", "mlflow")),
        ({"project": ""}, ("tracker.project",)),
    ],
)
def test_a_tracker_that_cannot_track_is_refused(change, words, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(ValueError, match=mentions(*words)):
        WandbApi.check(**settings_of("wandb") | {"folder": str(tmp_path)} | change)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=mentions("trackio", "pip install 'resexp[trackio]'")):
        WandbApi.check(**settings_of("trackio"), folder=str(tmp_path))
