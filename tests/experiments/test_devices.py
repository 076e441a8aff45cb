import contextlib
import glob
import threading

import pytest
import torch
from helpers import mentions

from resexp.config.compose import compose, resolve
from resexp.experiments import devices, train, workers
from resexp.experiments.data import on_device
from resexp.experiments.devices import cores, device_of, device_of_worker, threads_of
from resexp.experiments.stop import Signals
from resexp.records.run import BusyError


def test_threads_are_as_asked_else_as_the_environment_says_else_a_share_of_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_of(None, workers) for workers in (1, 2, 9)] == [6, 3, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_of(None) == 2
    assert threads_of(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads_of(None) == 6


def test_cores_where_the_system_does_not_say_which_are_ours(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 12)
    assert cores() == 12
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert cores() == 1


@pytest.fixture
def no_cuda(monkeypatch):
    """A machine without CUDA whose driver is too old; cards are added to the list that is returned."""
    cards = []

    def init():
        raise RuntimeError(
            "The NVIDIA driver on your system is too old (found version 11040).\nPlease update"
        )

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(glob, "glob", lambda pattern: cards)
    return cards


def test_a_machine_without_a_card_computes_on_its_cpu(no_cuda):
    assert device_of("auto") == torch.device("cpu")


def test_a_card_that_torch_cannot_use_is_said_instead_of_training_on_the_cpu(no_cuda, monkeypatch):
    no_cuda.append("/dev/nvidia0")
    with pytest.raises(ValueError, match=mentions("NVIDIA GPU", "driver", "too old", "cpu")):
        device_of("auto")
    assert device_of("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match=mentions("device=cuda", "0", "too old")):
        device_of("cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device_of("auto") == torch.device("cpu"), "the card was hidden on purpose"


def test_a_card_without_kernels_is_said(monkeypatch):
    def ones(*size, device):
        raise torch.AcceleratorError(
            "CUDA error: no kernel image is available for execution on the device\n..."
        )

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla K80")
    monkeypatch.setattr(torch, "ones", ones)
    devices._that_computes.cache_clear()
    for asked in ("auto", "cuda", "cuda:0"):
        with pytest.raises(ValueError, match=mentions("Tesla K80", "no kernel image", "cpu")):
            device_of(asked)


def test_apples_gpus_are_refused_with_the_reason():
    with pytest.raises(ValueError, match=mentions("mps", "float64", "cpu")):
        device_of("mps")


@pytest.fixture
def three_cards(monkeypatch):
    """Stand-ins: torch says that there are three cards, and each of them computes."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(devices, "_that_computes", lambda device: device)


@pytest.mark.parametrize("asked", ["auto", "cuda"])
def test_workers_are_spread_over_the_cards(three_cards, asked):
    found = [str(device_of_worker(asked, index)) for index in range(5)]
    assert found == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]


@pytest.mark.parametrize("asked", ["cuda:1", "cpu"])
def test_workers_stay_on_the_device_that_is_named(three_cards, asked):
    assert {str(device_of_worker(asked, index)) for index in range(5)} == {asked}


def test_one_card_is_named_as_ever(three_cards, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert {str(device_of_worker("auto", index)) for index in range(3)} == {"cuda"}


def test_threads_of_a_sweep_train_on_their_own_cards(three_cards, monkeypatch, tmp_path):
    small = ["model=mlp", f"train.runs={tmp_path}", "train.device=auto", "train.workers=4"]
    runs = [resolve(compose("train", [*small, f"seed={seed}"])) for seed in range(4)]
    trained, here = [], threading.Barrier(4)

    def stand_in(folder, config, device, steps, work):
        here.wait(60)  # so that each worker gets a run
        folder.write_status("done", step=steps, steps=steps)
        trained.append((workers.worker_index(), str(device)))
        return "done"

    monkeypatch.setattr(train, "record", stand_in)
    monkeypatch.setattr(train, "in_words", str)
    signals = Signals()

    def one(run):
        with contextlib.suppress(BusyError):
            train.run(run, signals)

    wait = train.start_workers(runs, one, signals)
    for run in runs:
        one(run)
    wait()
    assert len(trained) == 4
    assert set(trained) == {(0, "cuda:0"), (1, "cuda:1"), (2, "cuda:2"), (3, "cuda:0")}


def test_each_device_keeps_its_dataset():
    config = resolve(compose("train", []))
    first, second = torch.device("cpu"), torch.device("cpu", 0)  # two names: torch has no second device here
    kept = [on_device(config, device) for device in (first, second)]
    assert [on_device(config, device) for device in (first, second)] == kept
