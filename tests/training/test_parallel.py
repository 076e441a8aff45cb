"""Processes that train one network equal one process with the whole batch."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from helpers import ROOT, numbers, only_run, status
from PIL import Image
from torch import nn

from resexp.config.compose import compose, resolve
from resexp.experiments import build
from resexp.experiments.runs import settle
from resexp.models.norms import BatchNorm
from resexp.training.loop import fit
from resexp.training.parallel import ALONE, Alone, Together

CPU = torch.device("cpu")


@pytest.fixture
def root(tmp_path):
    """Three classes of small images; five images are left for the last batch of the test."""
    random = np.random.default_rng(0)
    for split, count in (("train", 9), ("val", 7)):
        for label, name in enumerate(("cat", "dog", "owl")):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 100, (40 + number, 50, 3)) + 70 * label
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "images"


def choices(root, *others):
    return [
        "dataset=imagefolder", f"dataset.root={root}", "dataset.num_classes=3", "dataset.size=[16,16]",
        "dataset.load.size=16", "dataset.load.resize=20", "dataset.load.workers=0", "model=resnet",
        "model.depth=8", "model.width=4", "norm=layer", "batch_size=8", "schedule.steps=6", "interval=4",
        "train.threads=1", "train.device=cpu", *others,
    ]  # fmt: skip


def config(root, *others):
    return settle(resolve(compose("train", choices(root, *others))))


@pytest.fixture
def double(monkeypatch):
    """Everything in float64, the loss included, which is float32 otherwise."""
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    yield
    torch.set_default_dtype(torch.float32)


LOADING = threading.Lock()  # of the stand-ins: images are augmented by the generator of the whole process


class InThreads(Alone):
    """One of several threads that stand in for processes; they exchange through a list."""

    def __init__(self, rank, barrier, given):
        self.rank, self.size, self.barrier, self.given = rank, len(given), barrier, given

    def exchanged(self, value):
        self.given[self.rank] = value
        self.barrier.wait(300)
        found = list(self.given)
        self.barrier.wait(300)
        return found

    def replicated(self, model):
        weights, seen = list(model.parameters()), itertools.count(1)

        def average(weight):
            if next(seen) % len(weights):
                return  # some are still to come
            found = self.exchanged([weight.grad for weight in weights])
            for weight, *gradients in zip(weights, *found, strict=True):
                weight.grad = sum(gradients) / self.size

        for weight in weights:
            weight.register_post_accumulate_grad_hook(average)
        return model

    def sums(self, *values):
        return tuple(map(sum, zip(*self.exchanged(values), strict=True)))

    def most(self, *numbers):
        return tuple(map(max, zip(*self.exchanged(numbers), strict=True)))


def trained(settings, processes):
    trainer = build.trainer(settings, CPU, processes)
    processes.most(0)  # all are built: that, too, draws from the generator of the whole process
    advance = trainer.batches.advance

    def alone():
        with LOADING:
            advance()

    trainer.batches.advance = alone
    steps, interval = settings["schedule"]["steps"], settings["interval"]
    return trainer, list(fit(trainer, steps=steps, interval=interval, after_step=lambda: False))


def by_threads(settings, count):
    given, barrier, found = [None] * count, threading.Barrier(count), [None] * count

    def work(rank):
        found[rank] = trained(settings, InThreads(rank, barrier, given))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def same(rows, others):
    for row, other in zip(rows, others, strict=True):
        for key in row.keys() - {"seconds", "examples_per_second"}:
            assert float(row[key]) == pytest.approx(float(other[key]), rel=1e-9, abs=1e-9), key


def test_parts_of_a_batch_give_the_numbers_of_the_whole(root, double):
    """The fourth process has no batch of the test."""
    settings = config(root, "norm=group", "norm.groups=2")
    (one, rows), found = trained(settings, ALONE), by_threads(settings, 4)
    assert one.model.state_dict()["stem.0.weight"].dtype == torch.float64
    for trainer, others in found:
        same(rows, others)
        for name, weight in one.model.state_dict().items():
            torch.testing.assert_close(trainer.model.state_dict()[name], weight, rtol=0, atol=1e-9)


def test_the_state_of_each_process_is_that_of_one(root, double):
    """So the first process can save it for all, also in the middle of an interval, and any number resume."""
    one = trained(config(root, "schedule.steps=3"), ALONE)[0].state_dict()
    for trainer, _ in by_threads(config(root, "schedule.steps=3"), 2):
        state = trainer.state_dict()
        assert state["batches"] == one["batches"]
        for meter, right in zip(state["meters"], one["meters"], strict=True):
            torch.testing.assert_close(meter, right)


def test_synchronized_normalization_has_the_weights_of_the_other(root):
    """torch's own, which computes on GPUs alone; a checkpoint fits both."""
    settings = config(root, "norm=batch", "train.sync_batch_norm=true")
    by = InThreads(0, None, [None, None])
    plain, gathered = (build.trainer(settings, CPU, each).model for each in (ALONE, by))
    norms = [
        type(module) for module in gathered.modules() if isinstance(module, nn.modules.batchnorm._NormBase)
    ]
    assert set(norms) == {nn.SyncBatchNorm}
    assert len(norms) == sum(type(module) is BatchNorm for module in plain.modules())
    for (name, here), (other, there) in zip(
        plain.state_dict().items(), gathered.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(here, there)


@pytest.fixture
def group_of_one():
    dist.init_process_group(
        "gloo", store=dist.HashStore(), rank=0, world_size=1, timeout=timedelta(seconds=10)
    )
    yield Together()
    dist.destroy_process_group()


def test_one_process_of_a_group_computes_as_one_without(root, group_of_one):
    settings = config(root, "schedule.steps=3")
    rows, others = (trained(settings, each)[1] for each in (ALONE, group_of_one))
    same(rows, others)


def test_what_is_exchanged_keeps_its_shape_and_type(group_of_one):
    loss, tally, examples = torch.tensor(0.1), torch.tensor([[3], [2**53]]), torch.tensor(7)
    for value, other in zip((loss, tally, examples), group_of_one.sums(loss, tally, examples), strict=True):
        assert torch.equal(value, other)
        assert value.dtype == other.dtype
    assert torch.isnan(group_of_one.sums(torch.tensor(math.nan), tally)[0])
    assert group_of_one.most(0, -3, True) == (0, -3, 1)


# Two processes of torchrun, in float64.

PROGRAM = """
import torch
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double # of the loss
from resexp.cli import main
main()
"""


def start(folder, arguments, processes):
    program = folder / "double.py"
    program.write_text(PROGRAM)
    before = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"] if processes > 1 else []
    return subprocess.Popen(
        [sys.executable, *before, program, "train", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def done(process):
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    return said


def process_of_rank(rank, parent):
    """Of the children of torchrun."""
    (found,) = (
        int(path)
        for path in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if f"\0RANK={rank}\0" in Path(f"/proc/{path}/environ").read_text()
    )
    return found


def wait_for_step(folder, step):
    for _ in range(3000):
        for run in folder.glob("results/runs/single/*"):
            rows = numbers(run) if (run / "rows.csv").is_file() else []
            if rows and int(rows[-1]["step"]) >= step:
                return run
        time.sleep(0.1)
    raise AssertionError("no rows in five minutes")


@pytest.mark.slow
def test_two_processes_equal_one_and_resume_with_either_number(root, tmp_path):
    arguments = choices(root, "norm=group", "norm.groups=2", "schedule.steps=60", "interval=5")
    folders = [tmp_path / name for name in ("one", "two", "stopped", "killed")]
    for folder in folders:
        folder.mkdir()
    one, two, stopped, killed = folders
    done(start(one, arguments, 1))
    expected = numbers(only_run(one))
    assert done(start(two, arguments, 2)).count("done at step 60 of 60") == 1
    same(numbers(only_run(two)), expected)
    assert only_run(two).name == only_run(one).name

    process = start(stopped, arguments, 2)
    run = wait_for_step(stopped, 5)
    os.kill(process_of_rank(1, process.pid), signal.SIGTERM)  # not the one that writes
    process.communicate(timeout=300)
    assert process.returncode != 0
    assert status(run)["status"] == "interrupted"
    assert len(list(run.glob(f"checkpoint-{status(run)['step']:08d}-*.pt"))) == 1
    assert "resuming from step" in done(start(stopped, arguments, 1))
    same(numbers(run), expected)
    sessions = json.loads((run / "provenance.json").read_text())["sessions"]
    assert [session["processes"] for session in sessions] == [2, 1]

    process = start(killed, [*arguments, "train.checkpoint_minutes=0"], 2)
    run = wait_for_step(killed, 5)
    os.kill(process_of_rank(1, process.pid), signal.SIGKILL)
    said = process.communicate(timeout=300)[0]
    assert process.returncode != 0
    assert "another process of torchrun was killed" in said
    assert status(run)["status"] == "failed"
    assert "resuming from step" in done(start(killed, arguments, 2))
    same(numbers(run), expected)
