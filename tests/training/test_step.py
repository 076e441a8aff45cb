"""How a step is recorded and replayed, with a stand-in for CUDA's graphs; test_cuda.py has the real."""

import gc
import threading
from contextlib import contextmanager

import pytest
import torch
from helpers import mentions
from torch.utils._python_dispatch import TorchDispatchMode

from resexp.training import step
from resexp.training.step import Captured, CaptureError, Meter, Watch, own_stream


class Graph:
    """Records that it was replayed."""

    def __init__(self):
        self.replays, self.registered = 0, []

    def replay(self):
        self.replays += 1

    def register_generator_state(self, generator):
        self.registered.append(generator)


@pytest.fixture
def cuda(monkeypatch):
    """What Captured uses of torch.cuda; `seen` holds how each recording was asked for."""
    seen = []

    @contextmanager
    def graph(graph, **options):
        seen.append(options | {"collecting": gc.isenabled()})
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "the thread's")
    return seen


def test_three_eager_calls_are_followed_by_capture_and_replay(cuda):
    calls, generator = [], torch.Generator()
    captured = Captured(lambda: calls.append("carried out"), [generator])
    for _ in range(7):
        captured()
    assert len(calls) == 3 + 1, "recording calls it once, and computes nothing"
    assert captured.graph.replays == 7 - 3, "each call is the work of one"
    assert captured.graph.registered == [generator]
    assert cuda == [{"stream": "the thread's", "capture_error_mode": "thread_local", "collecting": False}], (
        "no older graph is freed meanwhile"
    )
    assert gc.isenabled()


def test_a_failed_capture_stops_the_run_and_names_the_setting(cuda):
    def function():
        if cuda:  # being recorded
            try:
                raise RuntimeError("operation not permitted when stream is capturing\nand more")
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")

    captured = Captured(function, [])
    for _ in range(3):
        captured()
    first = "operation not permitted when stream is capturing"
    with pytest.raises(CaptureError, match=mentions("CUDA graph", first, "train.capture=false")):
        captured()
    assert gc.isenabled()


def out_of_memory_in(captured, *, end_fails):
    def function():
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        finally:
            if end_fails:
                raise RuntimeError("operation failed due to a previous error during capture")

    for _ in range(3):
        captured()
    captured.function = function
    captured()


def test_lack_of_memory_is_no_fault_of_the_capture(cuda):
    with pytest.raises(torch.OutOfMemoryError):
        out_of_memory_in(Captured(lambda: None, []), end_fails=False)
    assert gc.isenabled()


def test_lack_of_memory_that_breaks_the_capture_is_said_as_such(cuda):
    with pytest.raises(CaptureError, match=mentions("out of memory", "batch_size", "train.workers")):
        out_of_memory_in(Captured(lambda: None, []), end_fails=True)


def test_on_a_cpu_there_are_no_streams():
    with own_stream(torch.device("cpu")):
        assert torch.ones(2).sum() == 2


def test_a_thread_keeps_its_stream(monkeypatch):
    made = []
    monkeypatch.setattr(step, "_OF_THREAD", threading.local())
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: made.append(device) or len(made))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)
    gpus = [torch.device("cuda", i) for i in (0, 1)]
    assert [own_stream(gpu) for gpu in (*gpus, *gpus)] == [1, 2, 1, 2]
    assert made == gpus


class Kernels(TorchDispatchMode):
    """Counts the operations that a GPU would launch a kernel for."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += not function.is_view
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("at", [1, 4, 7, None])
def test_the_first_loss_that_is_not_finite_is_found(bad, at):
    watch = Watch(torch.device("cpu"))
    for taken in range(1, 8):
        watch.add(torch.tensor(bad if taken == at else 1e38))  # their sum would overflow
    assert watch.first_bad(7) == (at or 0)
    restored = Watch(torch.device("cpu"))
    restored.restore(7, at or 0)
    restored.add(torch.tensor(1.0))
    assert restored.first_bad(8) == (at or 0)


def test_metrics_take_six_kernels():
    meter, watch = Meter(1, torch.device("cpu")), Watch(torch.device("cpu"))
    loss, tally = torch.tensor(2.5), torch.tensor([3])
    with Kernels() as kernels:
        meter.add(loss, tally, 20)
        watch.add(loss)
    assert kernels.count == 6
    meter.count(20)
    assert meter.read() == (2.5, [3], 20)
