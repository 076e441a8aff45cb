"""Rows reach every sink, and a tracker shows a resumed run once."""

import json

from resexp.records.run import RunFolder
from resexp.records.sinks import Console, Recorded, send
from resexp.records.tensorboard import TensorBoard


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
