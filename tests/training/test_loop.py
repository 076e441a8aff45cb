"""The loop against a slow, obvious one, and what must hold when it stops and goes on."""

import copy
import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from helpers import mentions
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from resexp.config.compose import compose, resolve
from resexp.data.batches import Batches, Split
from resexp.experiments import build
from resexp.records.identity import digest
from resexp.tasks.classification import Classification
from resexp.training import checkpoint, loop
from resexp.training.evaluate import Evaluator
from resexp.training.loop import DivergedError, Trainer, fit
from resexp.training.precision import (
    autocast,
    cast_at_once,
    channels_last,
    channels_last_layout,
    cudnn_benchmark,
    set_tf32,
)
from resexp.training.schedules import StepDecay

CPU = torch.device("cpu")


def schedule(steps=30, **changes):
    return StepDecay(
        **{
            "steps": steps, "learning_rate": 0.1, "divisor": 10.0, "divide_at": [0.5, 0.75], "warm_up": False,
            "warm_up_learning_rate": 0.01, "warm_up_error_percent": 80.0,
            "warm_up_window": 5,
        } | changes
    )  # fmt: skip


def make_trainer(seed=0, precision="float32", **changes):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(96, 3, 6, 6, generator=generator)
    y = x.mean(dim=(2, 3)).argmax(dim=1)  # something that can be learned
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(128, 4)
    )
    batches = Batches(x, y, 20, lambda x, y, g: (x + 0.1 * torch.randn(x.shape, generator=g), y), generator)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, fused=True)
    return Trainer(
        model,
        Classification(),
        batches,
        optimizer,
        schedule(**changes),
        splits={"test": Split(x, y, lambda x: x, 1000)},
        autocast=autocast(precision, CPU),
        channels_last=True,
    )


def run(trainer, steps=30, stop_at=None):
    rows = fit(trainer, steps=steps, interval=7, after_step=lambda: trainer.step == stop_at)
    return [{k: v for k, v in row.items() if k not in ("seconds", "examples_per_second")} for row in rows]


def test_the_same_numbers_as_a_slow_obvious_loop():
    trainer = make_trainer()
    trainer.channels_last = False  # dropout draws its mask in the order of the memory
    model, batches = copy.deepcopy(trainer.model), make_trainer().batches
    torch.manual_seed(5)
    rows = run(trainer)
    torch.manual_seed(5)
    momentum = [torch.zeros_like(p) for p in model.parameters()]
    losses, errors, expected = [], [], []
    for step in range(30):
        rate = 0.1 if step < 15 else 0.01 if step < 22 else 0.001
        x, y = batches.next()
        logits = model(x)
        loss = -logits.log_softmax(1)[torch.arange(20), y].mean()
        gradients = torch.autograd.grad(loss, model.parameters())
        with torch.no_grad():
            for p, v, g in zip(model.parameters(), momentum, gradients, strict=True):
                v.mul_(0.9).add_(g + 1e-4 * p)
                p.sub_(rate * v)
        losses.append(loss.item())
        errors.append(100 * (logits.argmax(1) != y).float().mean().item())
        if (step + 1) % 7 == 0 or step == 29:
            model.eval()
            x, y = trainer.splits["test"].inputs, trainer.splits["test"].targets
            logits = model(x)
            model.train()
            expected.append(
                {
                    "step": step + 1,
                    "epoch": (step + 1) * 20 / 96,
                    "learning_rate": rate,
                    "train_loss": sum(losses) / len(losses),
                    "train_error_percent": sum(errors) / len(errors),
                    "test_loss": F.cross_entropy(logits, y).item(),
                    "test_error_percent": 100 * (logits.argmax(1) != y).float().mean().item(),
                }
            )
            losses, errors = [], []
    assert len(rows) == len(expected) == 5
    for row, right in zip(rows, expected, strict=True):
        assert row == pytest.approx(right, rel=1e-4)


@pytest.mark.parametrize("stop_at", [1, 6, 7, 8, 29])
def test_resuming_from_a_checkpoint_gives_the_same_numbers(tmp_path, stop_at):
    torch.manual_seed(3)
    whole = make_trainer()
    expected = run(whole)
    first = make_trainer()
    rows = run(first, stop_at=stop_at)
    checkpoint.save(tmp_path, first.step, first.state_dict(), run="one")
    torch.manual_seed(99)  # the checkpoint brings back the global generator that dropout draws from
    second = make_trainer(seed=8)
    second.load_state_dict(checkpoint.load(tmp_path, CPU, run="one")[0])
    assert second.step == stop_at
    rows += run(second)
    assert rows == expected
    for a, b in zip(whole.model.state_dict().values(), second.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert [row["step"] for row in second.rows] == [7, 14, 21, 28, 30]


def test_warm_up_ends_when_the_error_has_fallen_and_is_restored(tmp_path):
    def warming_up(**changes):
        return make_trainer(warm_up=True, steps=400, warm_up_error_percent=45.0, **changes)

    def rates(trainer, steps):
        result = []
        for _ in range(steps):
            trainer.train_step()
            result.append(trainer.learning_rate)
        return result

    expected = rates(warming_up(), 100)
    start = expected.index(0.1)
    assert 5 < start < 90
    assert start % 5 == 0, "the error is looked at every five steps"
    assert expected == [0.01] * start + [0.1] * (100 - start)
    first = warming_up()
    rates(first, start - 2)
    checkpoint.save(tmp_path, first.step, first.state_dict(), run="one")
    second = warming_up(seed=4)
    second.load_state_dict(checkpoint.load(tmp_path, CPU, run="one")[0])
    assert rates(second, 100 - start + 2) == expected[start - 2 :]


def test_a_loss_that_is_not_finite_is_named_by_its_step():
    trainer = make_trainer()
    rows = []
    trainer_step = trainer.train_step

    def step():
        if trainer.step == 9:
            with torch.no_grad():
                trainer.model[5].bias.fill_(float("nan"))
        trainer_step()

    trainer.train_step = step
    with pytest.raises(DivergedError, match="step 10") as error:
        rows += run(trainer)
    assert error.value.step == 10
    assert [row["step"] for row in trainer.rows] == [7]


def test_evaluation_does_not_depend_on_the_batch_size_and_restores_the_mode():
    trainer = make_trainer()
    whole = trainer.splits["test"]
    options = {"autocast": trainer.autocast, "channels_last": False}
    splits = [Split(whole.inputs, whole.targets, whole.prepare, size) for size in (1, 7, 96)]
    evaluate = Evaluator(trainer.model, trainer.task, **options)
    results = [evaluate(split) for split in splits]
    for result in results:
        assert result == pytest.approx(results[0], rel=1e-5)
    assert trainer.model.training


def test_bfloat16_keeps_weights_and_statistics_in_float32():
    trainer = make_trainer(precision="bfloat16")
    run(trainer)
    values = [v for v in trainer.model.state_dict().values() if v.is_floating_point()]
    assert {v.dtype for v in values} == {torch.float32}
    exact = make_trainer()
    assert run(make_trainer(precision="bfloat16"))[0] != run(exact)[0], "but the products are rounded"


@pytest.mark.parametrize(
    ("precision", "named"),
    [("float8", ["precision", "float32", "tf32", "float8"]), ("tf32", ["precision=tf32", "float32"])],
)
def test_unknown_and_unsupported_precisions_are_refused(precision, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        autocast(precision, CPU)


def test_set_tf32_switches_products_and_convolutions():
    set_tf32(True)
    assert torch.backends.cudnn.allow_tf32
    set_tf32(False)
    assert not torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4)])
def test_channels_last_layout_changes_the_order_in_memory_only(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    y = channels_last_layout(x)
    assert torch.equal(x, y)
    assert y.stride(1) == 1, "channels lie side by side"
    if len(shape) == 4:
        assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("device", "precision", "automatic"),
    [
        ("cpu", "float32", True), ("cpu", "bfloat16", True),
        ("cuda", "float32", False), ("cuda", "tf32", False), ("cuda", "bfloat16", True),
    ],
)  # fmt: skip
def test_channels_last_where_its_kernels_are_fast(device, precision, automatic):
    device = torch.device(device)
    assert channels_last("auto", precision, device) is automatic
    for asked in (True, False):
        assert channels_last(asked, precision, device) is asked


def test_algorithms_are_tried_out_for_bfloat16_on_a_gpu():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert cudnn_benchmark("auto", "bfloat16", gpu)
    assert not cudnn_benchmark("auto", "float32", gpu)
    assert not cudnn_benchmark("auto", "bfloat16", cpu)
    assert cudnn_benchmark(True, "float32", gpu)
    assert not cudnn_benchmark(False, "bfloat16", gpu)


def test_layout_and_algorithms_are_no_part_of_what_a_run_is():
    digests = {
        digest(resolve(compose("train", [f"train.{key}={asked}"])))
        for key in ("channels_last", "cudnn_benchmark")
        for asked in ("auto", "true", "false")
    }
    assert len(digests) == 1


def test_a_run_resumes_in_another_memory_layout(tmp_path):
    """Momentum is moved along: a fused update reads it in the order of the weights."""

    def rows_of(before, after):
        first = build.trainer(small(before), CPU)
        run(first, stop_at=9)
        checkpoint.save(tmp_path, first.step, first.state_dict(), run="one")
        second = build.trainer(small(after), CPU)
        second.load_state_dict(checkpoint.load(tmp_path, CPU, run="one")[0])
        for parameter, buffers in second.optimizer.state.items():
            assert buffers["momentum_buffer"].stride() == parameter.stride()
        return run(second)[-1]["train_loss"]

    def small(channels_last):
        network = ["model.depth=8", "model=resnet", "model.width=8", "schedule.steps=30", "batch_size=20"]
        return resolve(compose("train", [*network, f"train.channels_last={channels_last}"]))

    assert rows_of(True, False) == pytest.approx(rows_of(True, True), rel=1e-4)


def test_a_run_begun_on_another_device_is_refused(tmp_path):
    trainer = make_trainer()
    state = trainer.state_dict() | {"device": "cuda"}
    with pytest.raises(ValueError, match=mentions("cuda", "cpu", "train.device=cuda")):
        trainer.load_state_dict(state)
    assert trainer.step == 0


def test_a_closed_trainer_is_freed_at_once():
    trainer = make_trainer()
    run(trainer)
    model = weakref.ref(trainer.model)
    gc.disable()
    try:
        trainer.close()
        del trainer
        assert model() is None, "with all that it holds on the device"
    finally:
        gc.enable()


def test_a_run_resumed_behind_its_warm_up_stays_at_the_full_rate(tmp_path):
    """Networks of 110 layers: 0.1 once the warm-up is over (He et al. 2015, section 4.2)."""
    first = make_trainer(warm_up=True, warm_up_error_percent=101.0)
    for _ in range(8):
        first.train_step()
    assert first.learning_rate == 0.1
    checkpoint.save(tmp_path, first.step, first.state_dict(), run="one")
    second = make_trainer(warm_up=True, warm_up_error_percent=101.0)
    second.load_state_dict(checkpoint.load(tmp_path, CPU, run="one")[0])
    second.train_step()
    assert second.learning_rate == 0.1


def test_the_warm_up_looks_at_one_window_at_a_time(monkeypatch):
    """Errors of 100, 100, then 20 %: the third window is below 50 %, the mean since the start is not."""
    trainer = make_trainer(warm_up=True, warm_up_error_percent=50.0, steps=400)
    errors = iter([20, 20, 4] + [20] * 9)
    wrong = [count for error in errors for count in [error] * 5]
    monkeypatch.setattr(trainer.task, "tally", lambda output, target: torch.tensor([wrong[trainer.step]]))
    rates = []
    for _ in range(20):
        trainer.train_step()
        rates.append(trainer.learning_rate)
    assert rates == [0.01] * 15 + [0.1] * 5


@pytest.mark.parametrize("layers", ["shortcut=dropout", "branch=stochastic_depth"])
def test_random_layers_resume_their_random_stream(tmp_path, layers):
    def trainer():
        network = ["model=resnet", "model.depth=8", "model.width=4", "batch_size=20", "schedule.steps=20"]
        return build.trainer(resolve(compose("train", [*network, layers])), CPU)

    expected = run(trainer(), steps=20)
    first = trainer()
    rows = run(first, steps=20, stop_at=9)
    checkpoint.save(tmp_path, first.step, first.state_dict(), run="one")
    second = trainer()
    second.load_state_dict(checkpoint.load(tmp_path, CPU, run="one")[0])
    assert rows + run(second, steps=20) == expected


@pytest.mark.parametrize(
    "network",
    [
        ["model=resnet", "model.depth=8"],
        ["model=resnet", "model.depth=8", "branch=stochastic_depth"],
        ["model=resnet", "model.depth=8", "block=fixup", "norm=none"],
        ["model=fractal", "model.depth=8", "model.widths=[8,8]"],
        ["model=densenet", "model.depth=13"],
    ],
)
def test_weights_cast_at_once_are_those_that_autocast_casts(network):
    """On a GPU it saves a kernel per weight and gradient; here the bits are compared."""

    def trainer():
        small = ["batch_size=20", "schedule.steps=8", "precision=bfloat16"]
        return build.trainer(resolve(compose("train", [*network, *small])), CPU)

    one, other = trainer(), trainer()
    other.forward = cast_at_once(other.model)
    assert run(one, steps=8) == run(other, steps=8)
    for a, b in zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_casting_at_once_takes_one_operation_each_way():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    copies = []

    class Copies(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            if "_copy" in function.__name__:
                copies.append((function.__name__, len(arguments[0]) if "foreach" in str(function) else 1))
            return function(*arguments, **(keywords or {}))

    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)).bfloat16()
    with Copies(), autocast("bfloat16", CPU):
        cast_at_once(model)(x).float().sum().backward()
    assert [count for name, count in copies if "foreach" in name] == [6, 6], "weights and biases"
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
def test_the_ninth_network_of_a_process_is_compiled_as_well(monkeypatch):
    """torch stops at eight recompilations of one code, with a warning; here dynamo alone, without kernels."""
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compile_(model, backend="eager"))
    graphs = []
    for layers in range(1, 11):
        model = loop._compiled(Chain(layers))
        before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        model(torch.ones(2, 3))
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"] - before)
    assert graphs == [1] * 10


class Chain(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(count))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
