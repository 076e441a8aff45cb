"""What the processes of torchrun tell each other; tests/training/test_parallel.py starts it."""

import json
import re

import pytest
import torch
import torch.distributed as dist
from helpers import mentions

from resexp import train as train_from_python
from resexp.experiments import torchrun, train
from resexp.experiments.recorded import StoppedAtError
from resexp.experiments.stop import Signals
from resexp.training.parallel import ALONE, Alone


@pytest.fixture
def store(monkeypatch):
    """This process is the second of two; the store is in memory."""
    for name, value in {
        "TORCHELASTIC_RUN_ID": "1",
        "WORLD_SIZE": "2",
        "RANK": "1",
        "LOCAL_RANK": "1",
    }.items():
        monkeypatch.setenv(name, value)
    made = dist.HashStore()
    monkeypatch.setattr(torchrun, "_store", lambda: made)
    return made


def test_the_others_take_part_in_each_run_until_the_command_ends(store, capsys):
    store.set("run-0", json.dumps({"seed": 0}))
    store.set("run-1", json.dumps({"seed": 1}))
    store.set("run-2", "null")
    seen = []

    def take_part(config):
        print("not on the terminal")
        seen.append(config["seed"])

    torchrun.follow(take_part)
    assert seen == [0, 1]
    assert not capsys.readouterr().out


def test_a_failure_is_told_to_the_process_that_records(store, capsys):
    store.set("run-0", json.dumps({}))

    def take_part(config):
        raise ValueError("cat/3.png is damaged")

    with pytest.raises(SystemExit) as ended:
        torchrun.follow(take_part)
    assert ended.value.code == 1
    assert "cat/3.png is damaged" in capsys.readouterr().err
    lost = RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer")
    with pytest.raises(torchrun.LostError) as told, torchrun._failures_told(0):  # as in process 0
        raise lost
    assert re.search(mentions("process 1", "cat/3.png", "resumes"), str(told.value))
    assert "take_part" in told.value.__notes__[0]


def test_a_killed_process_tells_nothing(store):
    words = mentions("killed", "10 minutes", "resumes")
    with pytest.raises(torchrun.LostError, match=words), torchrun._failures_told(0):
        raise dist.DistNetworkError("connection reset by peer")


def test_errors_of_this_process_stay_as_they_are(store):
    with pytest.raises(RuntimeError, match="shapes do not fit"), torchrun._failures_told(0):
        raise RuntimeError("shapes do not fit")
    assert store.check(["failure-0"])


def test_a_run_that_diverges_has_not_failed(store):
    with pytest.raises(StoppedAtError), torchrun._failures_told(0):
        raise StoppedAtError("diverged", 7, "the loss is no number")
    assert not store.check(["failure-0"])


def test_each_process_takes_the_gpu_of_its_number(store, monkeypatch):
    """A stand-in: no machine with several GPUs has been at hand."""
    monkeypatch.setattr(
        torchrun, "device_of", lambda asked: torch.device("cuda" if asked == "auto" else asked)
    )
    assert torchrun.device_of_process("auto") == torch.device("cuda:1")
    assert torchrun.device_of_process("cpu") == torch.device("cpu")


class Other(Alone):
    """Beside a process that has said something else."""

    def __init__(self, *said):
        self.said = said

    def most(self, *numbers):
        return tuple(map(max, zip(numbers, self.said, strict=True)))


def test_all_processes_stop_when_one_is_told_to():
    signals = Signals()
    assert not train._is_to_stop(ALONE, signals, None)
    assert not train._is_to_stop(Other(0, 0), signals, None)
    assert train._is_to_stop(Other(0, 1), signals, None)
    assert signals.received is None
    assert train._is_to_stop(Other(15, 0), signals, None)
    assert signals.received == 15, "so that it exits by this signal, too"


@pytest.mark.parametrize("command", ["measure", "collect", "bench", "status"])
def test_other_commands_are_refused(store, resexp, command):
    done = resexp(command)
    assert done.returncode == 2
    assert re.search(mentions("2 processes", f"`resexp {command}`"), done.stderr.strip())


def test_python_is_refused(store, tmp_path):
    with pytest.raises(ValueError, match=mentions("torchrun", "resexp train")):
        train_from_python("resnet20", runs=tmp_path)


def test_another_process_leaves_after_a_signal_only_when_process_0_has_written(store, monkeypatch):
    looks = []

    def written_at_the_third_look(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            torchrun.end_of_record()

    monkeypatch.setattr(torchrun, "_FOLLOWED", iter((1, 2)))
    monkeypatch.setattr(torchrun.time, "sleep", written_at_the_third_look)
    torchrun.wait_for_record(needed=True)
    assert len(looks) == 3
    torchrun.wait_for_record(needed=False)  # the next run ends without a signal
    assert len(looks) == 3
