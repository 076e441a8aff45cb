"""`resexp train`: execute or resume one run, within its time limit."""

import functools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import torch

from resexp.config.compose import ConfigError
from resexp.exits import copies
from resexp.experiments import build, stop, torchrun, workers
from resexp.experiments.checks import check  # noqa: F401  part of the Command interface, see sweep.py
from resexp.experiments.devices import device_of, device_of_worker, threads_of
from resexp.experiments.recorded import StoppedAtError, in_words, record
from resexp.experiments.runs import folder_of
from resexp.experiments.written import Unwritten, Written
from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.training import checkpoint
from resexp.training.loop import DivergedError, Trainer, fit
from resexp.training.memory import keep_freed
from resexp.training.parallel import Alone, Together
from resexp.training.precision import cudnn_benchmark, set_tf32
from resexp.training.step import CaptureError, own_stream


def run(config: dict, signals: stop.Signals) -> str:
    """Execute the run of a checked config; resume it from its last checkpoint if there is one.

    Args:
        config: settled.
        signals: of the command.
    Returns:
        Its status: done, diverged, interrupted or failed; missing if it was not started in time.
    Raises:
        BusyError: another process is running it.
        SystemExit: after SIGINT (130) or SIGTERM (143), once a checkpoint is saved; 1 after a CaptureError
            of this run, which is recorded as failed, or of another thread's.
    """
    folder = folder_of(config)
    if folder.is_finished:
        status = folder.recorded()["status"]
        if not workers.worker_index():  # printed by worker 0 only
            print(f"{folder.name}: already {status}", flush=True)
        return status
    if stop.time_is_up(config["train"]["max_minutes"]):
        print(f"{folder.name}: not started, time limit reached", flush=True)
        return folder.state()["status"]
    status = _held(config, folder, signals)
    while signals.end_if_received():
        status = _held(config, folder, signals)
    return status


def _held(config: dict, folder: RunFolder, signals: stop.Signals) -> str:
    """Execute the run under its lock; return its status."""
    with folder.held(), signals.noted():
        if folder.is_finished:  # by another worker in the meantime
            return folder.recorded()["status"]
        device = _device(config)
        _say(in_words(device))
        work = partial(_work, config, folder, device, signals)
        try:
            status = record(folder, config, device, config["schedule"]["steps"], work)
        except CaptureError:
            signals.broken = True  # the other threads stop, each with a checkpoint
            return folder.recorded()["status"]
        finally:
            torchrun.end_of_record()
        if status == "failed" and copies() > 1:
            signals.broken = True  # the other processes cannot go on to another run
        return status


def take_part(config: dict) -> None:
    """In a process of torchrun other than the first: the steps of a run, of which this one writes nothing."""
    signals = stop.Signals()
    with signals.noted(), suppress(StoppedAtError):
        _work(config, folder_of(config), _device(config), signals)
    torchrun.wait_for_record(needed=signals.received is not None)
    signals.end_if_received()


def _device(config: dict) -> torch.device:
    asked = config["train"]["device"]
    if copies() > 1:
        return torchrun.device_of_process(asked)
    return device_of_worker(asked, workers.worker_index())


@functools.cache  # once for all runs of a process
def _say(device: str) -> None:
    if not workers.worker_index():
        print(f"training on {device}", flush=True)


def start_workers(
    runs: list[dict], one: Callable[[dict], None], signals: stop.Signals
) -> Callable[[], object]:
    """Start the other workers of a sweep.

    Args:
        runs: settled configs of the whole sweep.
        one: executes the run of a config, unless another worker holds it.
        signals: of the command.
    Returns:
        A function that waits for them.
    Raises:
        ConfigError: the threads would need conflicting process-wide settings.
    """
    execution = runs[0]["train"]
    if device_of(execution["device"]).type == "cuda":
        if execution["workers"] > 1:
            _refuse_conflicts(runs)
        return partial(_join, workers.start_threads(execution["workers"], one, runs), signals)
    processes = workers.start_processes(execution["workers"])
    return lambda: [process.wait() for process in processes]


def _refuse_conflicts(runs: list[dict]) -> None:
    """For threads: settings of the whole process in torch, which runs side by side must share."""
    if len({run["precision"] == "tf32" for run in runs}) > 1:
        raise ConfigError(
            "precision=tf32 is a process-wide setting: sweep it separately, or set train.workers=1"
        )
    if len({_benchmark(run, device_of(run["train"]["device"])) for run in runs}) > 1:
        raise ConfigError(
            "train.cudnn_benchmark is a process-wide setting, and auto is true for bfloat16 alone: set it to"
            " true or false, or set train.workers=1"
        )


def _benchmark(config: dict, device: torch.device) -> bool:
    return cudnn_benchmark(config["train"]["cudnn_benchmark"], config["precision"], device)


def _join(threads: list[threading.Thread], signals: stop.Signals) -> None:
    with signals.noted():
        for thread in threads:
            thread.join()
    signals.end_if_received()


def _work(config: dict, folder: RunFolder, device: torch.device, signals: stop.Signals) -> tuple[str, int]:
    with own_stream(device), torchrun.joined(config, device) as processes:
        trainer = _resume(config, folder, device, processes)
        try:
            return _train(config, folder, trainer, signals), trainer.step
        except DivergedError as diverged:
            raise StoppedAtError("diverged", diverged.step, str(diverged)) from diverged
        finally:
            trainer.close()


def _resume(config: dict, folder: RunFolder, device: torch.device, processes: Alone | Together) -> Trainer:
    """Build the trainer and restore the last checkpoint.

    Raises:
        ValueError: the processes that train together have not found the same checkpoint.
    """
    torch.set_num_threads(threads_of(config["train"]["threads"], config["train"]["workers"]))
    set_tf32(config["precision"] == "tf32")
    torch.backends.cudnn.benchmark = _benchmark(config, device)
    keep_freed()
    trainer = build.trainer(config, device, processes)
    state, wrong = checkpoint.load(folder.path, device, run=digest(config))
    for line in wrong:
        print(f"{folder.name}: {line}; using the previous checkpoint", flush=True)
    if state:
        build.restore(trainer, state)
        print(f"{folder.name}: resuming from step {trainer.step}", flush=True)
    most, least = processes.most(trainer.step, -trainer.step)
    if most != -least:
        raise ValueError(
            f"{folder.path} is not one folder to all processes: choose one that all machines share"
        )
    return trainer


def _train(config: dict, folder: RunFolder, trainer: Trainer, signals: stop.Signals) -> str:
    """Train to the end, or until a process is to stop; the first one writes."""
    execution, steps = config["train"], config["schedule"]["steps"]
    written = Written(config, folder, trainer) if trainer.processes.rank == 0 else Unwritten()
    first, started = trainer.step + 1, time.monotonic()

    def after_step() -> bool:
        if execution["compile"] and trainer.step == first:
            seconds = time.monotonic() - started
            print(f"{folder.name}: compiled, first step after {seconds:.0f} s", flush=True)
        stopping = _is_to_stop(trainer.processes, signals, execution["max_minutes"])
        written.after_step(stopping=stopping)
        return stopping

    status = "failed"  # until training ends normally
    try:
        for row in fit(trainer, steps=steps, interval=config["interval"], after_step=after_step):
            written.row(row)
        status = "interrupted" if trainer.step < steps else "done"
    except DivergedError:
        status = "diverged"
        raise
    finally:
        written.close(status)
    return status


def _is_to_stop(processes: Alone | Together, signals: stop.Signals, max_minutes: float | None) -> bool:
    """Whether any process has received a signal, or is out of time: then all stop, at the same step."""
    number, out_of_time = processes.most(signals.received or 0, stop.time_is_up(max_minutes))
    if number:
        signals.received = number
    return signals.stopping or bool(out_of_time)
