"""One run and sweeps as a person meets them: train, stop, resume, fail."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest
import torch
from helpers import LONG, ROOT, TINY, numbers, only_run, status, wait_for_rows

from resexp import cli
from resexp.experiments import stop
from resexp.experiments.trained_run import TrainedRun
from resexp.records.run import RunFolder

RESUMED = re.compile(r" from step [1-9]\d*$", re.MULTILINE)


def test_a_run_killed_at_a_random_step_resumes_to_the_same_numbers(resexp, background, tmp_path):
    assert resexp("train", "name=whole", *LONG).returncode == 0
    whole = only_run(tmp_path, "whole")
    process = background("train", *LONG, "train.checkpoint_minutes=0")
    for _ in range(3600):
        if list((tmp_path / "results/runs/single").glob("*/checkpoint-*")):
            break
        time.sleep(0.05)
    time.sleep(random.random())
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = only_run(tmp_path)
    assert "interrupted" in resexp("status", "single").stdout
    done = resexp("train", *LONG)
    assert RESUMED.search(done.stdout)
    assert numbers(run) == numbers(whole)
    states = [torch.load(next(p.glob("*.pt")), weights_only=True)["model"] for p in (run, whole)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    sessions = json.loads((run / "provenance.json").read_text())["sessions"]
    assert [session.get("status") for session in sessions] == [None, "done"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_checkpoint(resexp, tmp_path, number, code):
    """Sent to this process, which carries the command out, once the run has a row."""

    def send():
        wait_for_rows(tmp_path, 1)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    done = resexp("train", *LONG, "schedule.steps=3000")  # which ends by itself, if the signal does nothing
    sender.join()
    assert done.returncode == code
    run = only_run(tmp_path)
    assert status(run)["status"] == "interrupted"
    (saved,) = run.glob("checkpoint-*.pt")
    assert int(saved.stem.split("-")[1]) == status(run)["step"]


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_a_sweep_and_its_workers_with_checkpoints(background, tmp_path, number, code):
    """In a process of its own, whose end its workers notice."""
    process = background("train", "-m", *LONG, "schedule.steps=100000", "seed=0,1,2", "train.workers=2")
    wait_for_rows(tmp_path, 1, runs=2)
    process.send_signal(number)
    assert process.wait() == code
    runs = [path.parent for path in (tmp_path / "results/runs").glob("*/*/config.json")]
    assert len(runs) == 2, "the third is not begun"
    for run in runs:
        assert status(run)["status"] == "interrupted"
        assert list(run.glob("checkpoint-*.pt"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1"], ["-m", "seed=0,1,2", "train.workers=2"]])
def test_two_signals_whenever_they_come_print_no_traceback(sweep, number, tmp_path):
    for gap in (0, 0.05, 0.2, 0.5):
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "resexp", "train", *LONG, "schedule.steps=100000", *sweep],
                cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
        wait_for_rows(tmp_path, 1)
        process.send_signal(number)
        time.sleep(gap)
        process.send_signal(number)
        assert process.wait(60) in (-number, 128 + number)
        time.sleep(1)  # a worker may still be saving
        assert "Traceback" not in (tmp_path / "said").read_text()


def test_time_that_is_up_is_no_failure_and_the_same_command_resumes(monkeypatch, capfd, tmp_path):
    """In this process, by a clock that is up after 60 questions: a start under load takes any time."""
    sweep = ["train", "-m", *LONG, "schedule.steps=100000", "seed=0,1", "train.max_minutes=9"]
    said = []
    for _ in range(2):
        questions = iter(range(10**6))
        monkeypatch.setattr(stop, "time_is_up", lambda minutes, asked=questions: next(asked) > 60)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["resexp", *sweep])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        said.append(capfd.readouterr().out)
    assert "1 interrupted, 1 missing" in said[0]
    steps = [json.loads(path.read_text())["step"] for path in tmp_path.rglob("status.json")]
    assert len(steps) == 1
    assert steps[0] > 60, "the second command went on where the first had stopped"


def test_a_run_that_another_process_holds_is_refused(resexp, tmp_path):
    """Its lock is held here through another open file, which the system treats as another process's."""
    assert resexp("train", *LONG, "schedule.steps=15").returncode == 0
    run = RunFolder(only_run(tmp_path))
    run.write_status("running", step=15, steps=15)
    with run.held():
        assert "running" in resexp("status").stdout
        done = resexp("train", *LONG, "schedule.steps=15")
    assert done.returncode == 2
    assert re.fullmatch(r"resexp: .*results/runs/single/.*`resexp status`.*\n", done.stderr)


def test_a_sweep_continues_after_a_diverged_run(resexp, tmp_path):
    sweep = [
        "train",
        "-m",
        *LONG,
        "name=wild",
        "norm=none",
        "schedule.learning_rate=1e8,1e-4",
        "schedule.steps=20",
    ]
    done = resexp(*sweep)
    assert done.returncode == 0, done.stderr
    assert "1 diverged, 1 done" in done.stdout
    said = resexp("status", "wild").stdout
    assert re.search(r"diverged .*not finite.* step \d+", said)
    assert resexp(*sweep).stdout == "1 diverged, 1 done\n", "neither is begun again"


def test_a_failed_run_names_its_error_file_and_the_sweep_continues(resexp, tmp_path):
    short = [*TINY, "model.depth=8", "schedule.steps=6", "interval=3"]
    assert resexp("train", *short).returncode == 0
    run = only_run(tmp_path)
    (run / "status.json").unlink()
    next(run.glob("checkpoint-*")).write_bytes(b"damaged")
    alone = resexp("train", *short)
    assert alone.returncode == 1
    assert "failed at step" in alone.stdout
    assert "error.txt" in alone.stdout
    assert "Traceback" not in alone.stderr
    assert re.search(rf"ValueError: .*{re.escape(run.name)}", (run / "error.txt").read_text())
    assert status(run)["step"] == 6, "as far as its rows reach"
    swept = resexp("train", "-m", *short, "seed=0,1")
    assert swept.returncode == 1
    assert "1 done, 1 failed" in swept.stdout


def test_workers_end_when_their_parent_is_killed(background, tmp_path):
    """SIGKILL leaves the parent no time to end them; they save a checkpoint all the same."""
    process = background("train", "-m", *LONG, "schedule.steps=100000", "seed=0,1", "train.workers=2")
    wait_for_rows(tmp_path, 1, runs=2)
    files = list((tmp_path / "results/runs").glob("*/*/rows.csv"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(600):
        if any(list(file.parent.glob("checkpoint-*.pt")) for file in files):
            break
        time.sleep(0.1)
    saved = [file.parent for file in files if list(file.parent.glob("checkpoint-*.pt"))]
    found = {file.parent.name: (status(file.parent), numbers(file.parent)[-1:]) for file in files}
    assert len(saved) == 1, f"the worker's run; the parent's own had no time: {found}"


def test_rows_beyond_the_checkpoint_are_cut_back(resexp, monkeypatch, tmp_path):
    """A killed run has rows of steps that its last checkpoint has not seen; they are trained again."""

    def train(steps):
        questions = iter(range(10**6))
        monkeypatch.setattr(stop, "time_is_up", lambda minutes: next(questions) > steps)
        assert resexp("train", *LONG, "schedule.steps=100000").returncode == 0

    train(20)
    run = RunFolder(only_run(tmp_path))
    (row,) = run.rows()
    for step in (30, 45):
        run.append_row(row | {"step": step, "train_loss": 7.0})
    run.write_status("running", step=0, steps=100000)
    train(60)
    rows = numbers(run.path)
    assert [int(row["step"]) for row in rows] == list(range(15, 76, 15))
    assert "7.0" not in {row["train_loss"] for row in rows}


def test_networks_kept_on_the_way_are_the_same_with_and_without_an_interruption(monkeypatch, tmp_path):
    """And keeping them changes neither the run's numbers nor what it is named by."""
    monkeypatch.chdir(tmp_path)
    settings = [*TINY, "model=resnet", "model.depth=8", "schedule.steps=10", "interval=5"]

    def train(name, *options):
        monkeypatch.setattr(sys, "argv", ["resexp", "train", *settings, f"name={name}", *options])
        with contextlib.suppress(SystemExit):
            cli.main()

    train("without")
    train("whole", "train.keep=log")
    questions = iter(range(10**6))
    with monkeypatch.context() as clock:
        clock.setattr(stop, "time_is_up", lambda minutes: next(questions) > 5)
        train("interrupted", "train.keep=log")
    first = TrainedRun(RunFolder(only_run(tmp_path, "interrupted")), torch.device("cpu"))
    assert first.stages == ["initial", "step-1", "step-2", "step-4", "trained"]
    train("interrupted", "train.keep=log")
    paths = [only_run(tmp_path, name) for name in ("without", "whole", "interrupted")]
    assert len({path.name for path in paths}) == 1
    assert numbers(paths[0]) == numbers(paths[1]) == numbers(paths[2])
    whole, again = (TrainedRun(RunFolder(path), torch.device("cpu")) for path in paths[1:])
    assert whole.stages == again.stages == ["initial", "step-1", "step-2", "step-4", "step-8", "trained"]
    weights = []
    for stage in whole.stages:
        ours, theirs = whole.network(stage).state_dict(), again.network(stage).state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), stage
        weights.append(ours["head.weight"])
    assert all(not torch.equal(before, after) for before, after in pairwise(weights))
