"""What only a GPU can show: a step recorded as a CUDA graph is the step that was recorded."""

from contextlib import nullcontext

import pytest
import torch

from resexp.experiments import build, train, workers
from resexp.experiments.compose import composed, resolved
from resexp.experiments.listing import options
from resexp.training import checkpoint

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
SMALL = [
    "model=resnet", "model.depth=8", "model.width=8", "batch_size=20", "schedule.steps=30",
    "schedule.learning_rate=0.02", "dataset=fake", "dataset.load.train_size=96", "train.device=cuda",
]  # fmt: skip


def trainer(*overrides):
    return build.trainer(resolved(composed("train", [*SMALL, *overrides])), torch.device("cuda"))


def losses(one, steps):
    found, before = [], one.interval.loss.item()
    for _ in range(steps):
        one.train_step()
        found.append((one.interval.loss.item() - before) / 20)
        before += 20 * found[-1]
    return found


@pytest.mark.parametrize(
    "choice",
    [f"{group}={name}" for group in ("block", "norm", "shortcut", "activation") for name in options(group)],
)
def test_captured_steps_are_the_eager_ones(choice):
    captured, eager = trainer(choice), trainer(choice, "train.capture=false")
    found = losses(captured, 20)
    assert captured.launch.failure == ""
    assert captured.launch.graph is not None
    assert found == pytest.approx(losses(eager, 20), rel=1e-4)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_captured_steps_in_other_precisions(precision):
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


def test_going_on_from_a_checkpoint(tmp_path):
    whole, first = trainer(), trainer()
    expected = losses(whole, 20)
    losses(first, 9)
    checkpoint.save(tmp_path, first.step, first.state_dict())
    second = trainer("seed=5")
    second.load_state_dict(checkpoint.load(tmp_path, torch.device("cuda")))
    assert losses(second, 11) == pytest.approx(expected[9:], rel=1e-4)


def test_members_side_by_side_learn_what_they_learn_alone(tmp_path):
    def configs(folder):
        where = [f"train.runs={folder}", "interval=10"]
        return [resolved(composed("train", [*SMALL, *where, f"seed={seed}"])) for seed in range(4)]

    for config in configs(tmp_path / "alone"):
        assert train.run(config) == "done"
    threads = workers.start_threads(4, train.run, configs(tmp_path / "shared"), nullcontext)
    for thread in threads:
        thread.join()
    for alone, shared in zip(configs(tmp_path / "alone"), configs(tmp_path / "shared"), strict=True):
        pairs = zip(train.folder_of(alone).rows(), train.folder_of(shared).rows(), strict=True)
        for a, b in pairs:
            assert float(a["train_loss"]) == pytest.approx(float(b["train_loss"]), rel=1e-3)
