"""A captured evaluation, with a stand-in for CUDA's graphs that carries out what was recorded."""

import gc
import weakref
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from resexp.config.compose import compose, resolve
from resexp.experiments import build
from resexp.training.evaluate import Evaluator

CPU = torch.device("cpu")
SMALL = [
    "model=resnet", "model.depth=8", "model.width=4", "batch_size=10", "dataset=fake",
    "dataset.load.train_size=40", "dataset.load.test_size=26", "train.device=cpu",
]  # fmt: skip


class Graph(TorchDispatchMode):
    """What is carried out within is taken back, and carried out on the same tensors at every replay."""

    def __init__(self):
        super().__init__()
        self.calls, self.before, self.replays = [], {}, 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function._schema.is_mutable:
            for old in filter(lambda a: isinstance(a, Tensor), arguments):
                self.before.setdefault(id(old), (old, old.clone()))
        made = function(*arguments, **(keywords or {}))
        self.calls.append((function, arguments, keywords or {}, made))
        return made

    def take_back(self):
        for tensor, value in self.before.values():
            tensor.copy_(value)

    def replay(self):
        self.replays += 1
        for function, arguments, keywords, made in self.calls:
            again = function(*arguments, **keywords)
            if not function.is_view:
                for old, new in zip(tree_leaves(made), tree_leaves(again), strict=True):
                    old.copy_(new)


@pytest.fixture
def cuda(monkeypatch):
    """What Captured uses of torch.cuda."""

    @contextmanager
    def recorded(graph, **_):
        with graph:
            yield
        graph.take_back()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recorded)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "the thread's")


def made(*overrides):
    trainer = build.trainer(resolve(compose("train", [*SMALL, *overrides])), CPU)
    how = {"autocast": trainer.autocast, "channels_last": trainer.channels_last}
    return trainer, Evaluator(trainer.model, trainer.task, captured=True, **how)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_captured_evaluation_gives_the_numbers_of_the_eager_one(cuda, precision):
    trainer, captured = made(f"precision={precision}")
    split = [batch for x, y in trainer.splits["test"] for batch in zip(x.split(4), y.split(4), strict=True)]
    assert [len(y) for _, y in split] == [4] * 6 + [2], "the last batch is smaller"
    for rows in range(1, 4):
        trainer.train_step()
        assert captured(split) == trainer.evaluate(split), "of the weights as they are now"
        assert trainer.model.training
        assert captured.launch.graph.replays == 6 * rows - 3, "all but three calls, and the smaller batches"


def test_memory_of_a_captured_evaluation_is_freed_at_once(cuda):
    trainer, captured = made()
    captured([batch for batch in trainer.splits["test"] for _ in range(4)])
    graph = weakref.ref(captured.launch.graph)
    gc.collect()
    gc.disable()
    try:
        captured.close()
        assert graph() is None
    finally:
        gc.enable()
