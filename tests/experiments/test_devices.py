import glob

import pytest
import torch
from helpers import mentions

from resexp.experiments import devices
from resexp.experiments.devices import cores, device_of, threads_of


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
