"""Workers that are threads, as on a GPU: what one trains does not depend on the others."""

import threading

import pytest
import torch
from helpers import mentions

from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments import train, workers
from resexp.experiments.runs import folder_of
from resexp.experiments.stop import Signals
from resexp.training.loop import Trainer
from resexp.training.step import CaptureError

TIMES = ("seconds", "examples_per_second")


def configs(folder):
    small = ["model=resnet", "model.depth=8", "model.width=4", "batch_size=32", "schedule.steps=12"]
    where = [f"train.runs={folder}", "train.device=cpu", "train.threads=1", "interval=4"]
    return [resolve(compose("train", [*small, *where, f"seed={seed}"])) for seed in range(4)]


def rows(folder):
    found = [folder_of(config).rows() for config in configs(folder)]
    return [[{k: v for k, v in row.items() if k not in TIMES} for row in run] for run in found]


def test_threads_share_a_sweep_and_give_the_same_numbers(tmp_path):
    for config in configs(tmp_path / "alone"):
        assert train.run(config, Signals()) == "done"
    shared = configs(tmp_path / "shared")
    said = []

    def run(config):
        status = train.run(config, Signals())
        said.append((workers.worker_index(), config["seed"], status))
        return status

    for thread in workers.start_threads(4, run, shared):
        thread.join()
    assert rows(tmp_path / "shared") == rows(tmp_path / "alone")
    assert {index for index, _, _ in said} <= {1, 2, 3}, "this one is 0"
    assert {status for _, _, status in said} == {"done"}


def test_a_thread_leaves_a_run_that_another_holds(tmp_path):
    first, *_, last = shared = configs(tmp_path)
    with folder_of(first).held():
        for thread in workers.start_threads(2, lambda config: train.run(config, Signals()), shared):
            thread.join()
    assert folder_of(first).recorded()["status"] == "missing"
    assert folder_of(last).recorded()["status"] == "done"


@pytest.mark.parametrize("count", [1, 3])
def test_one_thread_less_than_workers_is_started(count):
    threads = workers.start_threads(count, lambda config: "done", [])
    assert len(threads) == count - 1
    for thread in threads:
        thread.join()


def test_threads_do_not_mix_settings_of_the_process(monkeypatch):
    monkeypatch.setattr(train, "device_of", torch.device)
    execution = {"device": "cuda", "workers": 2, "cudnn_benchmark": "auto"}

    def runs(*precisions):
        return [{"train": execution, "precision": precision} for precision in precisions]

    with pytest.raises(ConfigError, match=mentions("tf32", "train.workers=1")):
        train.start_workers(runs("tf32", "float32"), print, Signals())
    with pytest.raises(ConfigError, match=mentions("train.cudnn_benchmark", "bfloat16", "train.workers=1")):
        train.start_workers(runs("bfloat16", "float32"), print, Signals())
    execution["cudnn_benchmark"] = False
    seen = []
    train.start_workers(runs("bfloat16", "float32"), seen.append, Signals())()
    assert len(seen) == 2


def test_a_failed_capture_ends_the_process_and_the_others_keep_their_work(tmp_path, monkeypatch):
    first, second = configs(tmp_path)[:2]
    begun, broken = threading.Event(), threading.Event()
    step = Trainer.train_step

    def train_step(self):
        if threading.current_thread() is not threading.main_thread():
            step(self)
            begun.set()
            assert broken.wait(60)
            return
        assert begun.wait(60), "the other thread trains"
        raise CaptureError("no graph")

    monkeypatch.setattr(Trainer, "train_step", train_step)

    def other(config):
        with pytest.raises(SystemExit):  # which ends a thread without a word
            train.run(config, signals)

    signals = Signals()
    end = Signals.end_if_received
    monkeypatch.setattr(Signals, "end_if_received", lambda self: broken.set() or end(self))
    (thread,) = workers.start_threads(2, other, [second])
    with pytest.raises(SystemExit) as ended:
        train.run(first, signals)
    thread.join()
    assert ended.value.code == 1
    assert folder_of(first).recorded()["status"] == "failed"
    state = folder_of(second).recorded()
    assert (state["status"], state["step"]) == ("interrupted", 1)
    assert list(folder_of(second).path.glob("checkpoint-00000001-*.pt"))
