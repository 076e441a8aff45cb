"""What only a GPU can show: a step recorded as a CUDA graph is the step that was recorded."""

import re
import subprocess
import sys

import pytest
import torch

from resexp.config.catalog import options
from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import build, train, workers
from resexp.experiments.runs import folder_of
from resexp.experiments.stop import Signals
from resexp.training import checkpoint
from resexp.training.evaluate import Evaluator
from resexp.training.precision import set_tf32
from resexp.training.step import own_stream

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("default"),  # torch's own, e.g. at the first use of a library, are no failures
]
SMALL = [
    "model=resnet", "model.depth=8", "model.width=8", "batch_size=20", "schedule.steps=30",
    "schedule.learning_rate=0.02", "dataset=fake", "dataset.load.train_size=96", "train.device=cuda",
]  # fmt: skip
GPU = torch.device("cuda")
# What some parts need beside them.
BESIDE = {
    "activation=crelu": ["block=full_preactivation"],
    "block=fixup": ["norm=none"],
    "norm=group": ["norm.groups=2"],
    "shortcut=none": ["model=plain"],
}


@pytest.fixture(autouse=True)
def _on_a_stream_of_its_own():
    set_tf32(False)
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    with own_stream(GPU):
        yield
    torch.backends.cudnn.deterministic = before
    set_tf32(False)


def config(*overrides):
    overrides = [*SMALL, *overrides, *(more for o in overrides for more in BESIDE.get(o, []))]
    block = make(resolve(compose("train", overrides))["block"], "block")
    return resolve(compose("train", [*overrides, f"model.depth={3 * block.depth + 2}"]))


def trainer(*overrides):
    return build.trainer(config(*overrides), GPU)


def losses(one, steps):
    found, before = [], one.interval.loss.item()
    for _ in range(steps):
        one.train_step()
        found.append((one.interval.loss.item() - before) / 20)
        before += 20 * found[-1]
    return found


@pytest.mark.parametrize(
    "choice",
    [
        f"{group}={name}"
        for group in ("block", "norm", "shortcut", "activation", "branch")
        for name in options(group)
    ],
)
def test_captured_steps_are_the_eager_ones(choice):
    captured, eager = trainer(choice), trainer(choice, "train.capture=false")
    found = losses(captured, 20)
    assert captured.launch.graph is not None
    assert found == pytest.approx(losses(eager, 20), rel=1e-4)


@pytest.mark.parametrize(
    "overrides", [["model=fractal", "model.widths=[8,8]"], ["model=densenet"], ["model=vgg"]]
)
def test_captured_steps_of_other_networks(overrides):
    depth = {"model=fractal": 8, "model=densenet": 13, "model=vgg": 11}[overrides[0]]
    small = [o for o in SMALL if not o.startswith("model")]
    made = [
        build.trainer(resolve(compose("train", [*small, *overrides, f"model.depth={depth}", *more])), GPU)
        for more in ([], ["train.capture=false"])
    ]
    assert losses(made[0], 12) == pytest.approx(losses(made[1], 12), rel=1e-4)


def test_a_step_that_synchronizes_cannot_be_captured():
    # in a process of its own, which CUDA leaves in disorder
    code = """
import torch
from resexp.training.step import Captured, own_stream
with own_stream(torch.device("cuda")):
    total = torch.zeros((), device="cuda")
    captured = Captured(lambda: total.add_(total.item()), [])
    for _ in range(4):
        captured()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert re.search(r"CaptureError: .*train\.capture=false", ended.stderr)


@pytest.mark.parametrize("choice", [f"branch={name}" for name in options("branch")] + ["precision=bfloat16"])
def test_a_captured_evaluation_is_the_eager_one(choice):
    one = trainer(choice)
    eager = Evaluator(one.model, one.task, autocast=one.autocast, channels_last=one.channels_last)
    x, y = next(iter(one.splits["test"]))
    split = list(zip(x.split(10), y.split(10), strict=True))
    for _ in range(3):
        one.train_step()
        assert one.evaluate(split) == pytest.approx(eager(split), rel=1e-5)
    assert one.evaluate.launch.graph is not None


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_captured_steps_in_other_precisions(precision):
    set_tf32(precision == "tf32")
    captured, eager = (trainer(f"precision={precision}", *more) for more in ([], ["train.capture=false"]))
    assert losses(captured, 12) == pytest.approx(losses(eager, 12), rel=0.02)


def test_the_learning_rate_of_a_captured_step_changes():
    one = trainer("schedule.divide_at=[0.4]")
    losses(one, 11)
    before = [p.clone() for p in one.model.parameters()]
    one.optimizer.zero_grad(set_to_none=True)
    assert one.rate_on_device.item() == pytest.approx(0.02)
    losses(one, 2)
    assert one.rate_on_device.item() == pytest.approx(0.002)
    assert any(not torch.equal(p, q) for p, q in zip(before, one.model.parameters(), strict=True))


def test_a_captured_run_resumes_from_a_checkpoint(tmp_path):
    whole, first = trainer(), trainer()
    expected = losses(whole, 20)
    losses(first, 9)
    checkpoint.save(tmp_path, first.step, first.state_dict(), run="one")
    second = trainer("seed=5")
    second.load_state_dict(checkpoint.load(tmp_path, torch.device("cuda"), run="one")[0])
    assert losses(second, 11) == pytest.approx(expected[9:], rel=1e-4)


MEMBERS = 40  # more than the 32 streams that torch hands out in turn


def test_concurrent_members_learn_what_they_learn_alone(tmp_path):
    def configs(folder):
        where = [f"train.runs={folder}", "interval=10"]
        return [resolve(compose("train", [*SMALL, *where, f"seed={seed}"])) for seed in range(MEMBERS)]

    for config in configs(tmp_path / "alone"):
        assert train.run(config, Signals()) == "done"
    shared = configs(tmp_path / "shared")
    threads = workers.start_threads(4, lambda config: train.run(config, Signals()), shared)
    for thread in threads:
        thread.join()
    for alone, shared in zip(configs(tmp_path / "alone"), configs(tmp_path / "shared"), strict=True):
        pairs = zip(folder_of(alone).rows(), folder_of(shared).rows(), strict=True)
        for a, b in pairs:
            assert float(a["train_loss"]) == pytest.approx(float(b["train_loss"]), rel=1e-3)


def test_weights_cast_at_once_are_those_that_autocast_casts():
    # the algorithms are fixed, so that nothing but the casts could differ
    fixed = ["precision=bfloat16", "train.capture=false", "train.cudnn_benchmark=false"]
    one, other = trainer(*fixed), trainer(*fixed)
    other.forward = other.model
    assert losses(one, 6) == losses(other, 6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_both_layouts_give_the_same_losses(precision):
    last, first = (
        trainer(f"precision={precision}", f"train.channels_last={choice}") for choice in ("true", "false")
    )
    assert losses(last, 8) == pytest.approx(losses(first, 8), rel=1e-4 if precision == "float32" else 0.02)


def test_a_loss_that_is_not_finite_is_found_in_replayed_steps():
    one = trainer()
    losses(one, 8)
    with torch.no_grad():
        one.model.head.bias.fill_(float("nan"))
    losses(one, 2)
    assert one.watch.first_bad(one.step) == 9


def test_a_failed_capture_ends_the_command_with_its_status_on_disk(tmp_path):
    code = f"""
import torch
from resexp.config.compose import compose, resolve
from resexp.experiments import train
from resexp.experiments.stop import Signals
from resexp.tasks.classification import Classification
loss = Classification.loss
def waits(self, *a, **k):
    found = loss(self, *a, **k)
    found.item()
    return found
Classification.loss = waits
train.run(resolve(compose("train", {[*SMALL, f"train.runs={tmp_path}"]!r})), Signals())
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    (status,) = tmp_path.glob("*/*/status.json")
    assert "CaptureError" in status.read_text()
