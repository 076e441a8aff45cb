"""SGD against torch's own, and what it leaves out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.training.sgd import SGD

ROOT = Path(__file__).parents[2]
SETTINGS = [
    {"momentum": 0.9, "weight_decay": 1e-4, "fused": True},
    {"momentum": 0.9, "weight_decay": 1e-4, "nesterov": True, "fused": False},
    {"foreach": True},
]


def trained(optimizer_class, settings, *, steps, state=None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))
    optimizer = optimizer_class(model.parameters(), lr=0.1, **settings)
    if state is not None:
        optimizer.load_state_dict(state)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(4, 5)).square().mean().backward()
        optimizer.step()
    return list(model.parameters()), optimizer.state_dict()


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_same_weights_and_state_as_torchs(settings):
    theirs, their_state = trained(torch.optim.SGD, settings, steps=5)
    ours, our_state = trained(SGD, settings, steps=5)
    assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))
    assert our_state["param_groups"] == their_state["param_groups"]
    assert our_state["state"].keys() == their_state["state"].keys()
    theirs, _ = trained(torch.optim.SGD, settings, steps=3, state=their_state)
    ours, _ = trained(SGD, settings, steps=3, state=our_state)
    assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))


@pytest.mark.parametrize("momentum", [1.0, 2.0, float("nan")])
def test_a_momentum_out_of_its_range_is_refused(momentum):
    with pytest.raises(ValueError, match=mentions("optimizer.momentum", "0", "1", str(momentum))):
        SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=momentum)


def test_it_refuses_what_torchs_refuses():
    with pytest.raises(ValueError, match="Invalid momentum"):
        SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=-1.0)


def test_a_run_does_not_import_torchs_compiler(tmp_path):
    script = """
import sys
from resexp import cli
sys.argv = ["resexp", "train", "model=resnet", "model.depth=8", "dataset=fake", "dataset.load.train_size=64",
            "dataset.load.test_size=16", "batch_size=32", "schedule.steps=2", "train.checkpoint_minutes=0"]
cli.main()
assert "torch" in sys.modules
assert not {"torch._dynamo", "torch._inductor", "sympy"} & sys.modules.keys()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
