"""One way of training in processes of its own, which take steps when they are told to.

Every way has its own memory, threads and compiled code this way, so that one's peak is not
another's and nothing lingers between them.
"""

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity

from resexp.bench.baseline import UsualTrainer
from resexp.bench.ceilings import synchronize
from resexp.experiments import build
from resexp.experiments.data import load_dataset
from resexp.experiments.devices import cores, device_of
from resexp.records.provenance import peak_memory_mib
from resexp.training.memory import keep_freed
from resexp.training.precision import set_tf32
from resexp.training.step import own_stream

WARM_STEPS = 5  # with these the caches are warm and a captured step is captured
PROFILED_STEPS = 5
WORKERS = min(4, cores())  # the usual four, or what DataLoader advises
LOADED_AHEAD = 2 * WORKERS  # batches, DataLoader's own setting
LOADING_SECONDS = 1.0  # more than these batches take


class Contender:
    """A way of training one network, or several at once.

    On a CPU each of several is a process, on a GPU all are threads of one process, as `train.workers`
    has it.

    Args:
        config: resolved, of the run.
        usual: train it the usual way instead of ours.
        members: networks at once, seeds counted up.
    """

    def __init__(self, config: dict, *, usual: bool, members: int):
        on_gpu = device_of(config["train"]["device"]).type == "cuda"
        processes = 1 if on_gpu else members
        context = multiprocessing.get_context("spawn")
        self.usual, self.connections, self.processes = usual, [], []
        for index in range(processes):
            ours, theirs = context.Pipe()
            seeds = [config["seed"] + index + i for i in range(members // processes)]
            threads = config["train"]["threads"] or max(1, cores() // processes)
            process = context.Process(target=_serve, args=(theirs, config, seeds, usual, threads))
            process.start()
            theirs.close()  # so that its end is noticed if the process dies
            self.connections.append(ours)
            self.processes.append(process)
        try:
            self.setup_seconds = max(self._ask("set up"))
        except BaseException:
            self.close()  # else this process would wait for them when it ends
            raise

    def seconds(self, steps: int) -> float:
        """Wall time of so many steps of every member, side by side.

        The usual way loads batches ahead. They are used up before the time is taken, and loaded
        anew before it is another's turn, so that each pays for its own work.
        """
        self._ask(LOADED_AHEAD if self.usual else 1)
        started = time.perf_counter()
        self._ask(steps)
        found = time.perf_counter() - started
        if self.usual:
            time.sleep(LOADING_SECONDS)
        return found

    def peak_memory_mib(self) -> float:
        """Largest memory of all members together: the device's on a GPU, else of the processes."""
        return sum(self._ask("memory"))

    def profile(self) -> list[dict]:
        """What the first member's step spends its time on: see _profile."""
        return self._ask("profile")[0]

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        for process in self.processes:
            process.join()

    def _ask(self, question: int | str) -> list:
        for connection in self.connections:
            connection.send(question)
        answers = [connection.recv() for connection in self.connections]
        if broken := [answer for answer in answers if isinstance(answer, str)]:
            raise RuntimeError(broken[0])
        return answers


def _serve(connection: Connection, config: dict, seeds: list[int], usual: bool, threads: int) -> None:
    torch.set_num_threads(threads)
    device = device_of(config["train"]["device"])
    set_tf32(config["precision"] == "tf32")  # torch's own default would let float32 convolutions use TF32
    if not usual:
        keep_freed()
    trainers: list = []
    pool = ThreadPoolExecutor(len(seeds))  # threads keep their streams
    while True:
        try:
            question = connection.recv()
        except EOFError:  # closed: nothing more is asked
            trainers.clear()  # ends the processes that load images
            pool.shutdown()
            return
        try:
            if question == "set up":
                started = time.perf_counter()
                trainers = [_trainer(config | {"seed": seed}, device, usual) for seed in seeds]
                _steps(pool, trainers, WARM_STEPS, device)
                connection.send(time.perf_counter() - started)
            elif question == "memory":
                on_gpu = device.type == "cuda"
                connection.send(torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak_memory_mib())
            elif question == "profile":
                connection.send(_profile(trainers[0], device))
            else:
                _steps(pool, trainers, question, device)
                connection.send(0.0)
        except Exception as error:
            connection.send(f"{type(error).__name__}: {error}")


def _trainer(config: dict, device: torch.device, usual: bool):
    if not usual:
        return build.trainer(config, device)
    data = load_dataset(config)
    return UsualTrainer(
        build.build_model(config, device),
        data.inputs,
        data.targets,
        batch_size=config["batch_size"],
        workers=WORKERS,
    )


def _profile(trainer, device: torch.device) -> list[dict]:
    """Operations by the time that they take by themselves, the longest first.

    Returns:
        operation (torch's name, on a GPU the kernel's), calls_per_step, ms_per_step; profiling
        itself makes steps of many small operations longer.
    """
    on_gpu = device.type == "cuda"
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # of the profiler's library, which says when it starts
    kinds = {ProfilerActivity.CPU, ProfilerActivity.CUDA} if on_gpu else {ProfilerActivity.CPU}
    with torch.profiler.profile(activities=kinds) as profiler:
        for _ in range(PROFILED_STEPS):  # in this thread: others are not recorded
            trainer.train_step()
        synchronize(device)
    rows = []
    for event in profiler.key_averages():
        if on_gpu and (event.device_type != DeviceType.CUDA or event.is_user_annotation):
            continue  # what launched a kernel is credited with its time, too
        microseconds = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if microseconds:
            calls, milliseconds = event.count / PROFILED_STEPS, microseconds / 1e3 / PROFILED_STEPS
            rows.append({"operation": event.key, "calls_per_step": calls, "ms_per_step": milliseconds})
    return sorted(rows, key=lambda row: -row["ms_per_step"])


def _steps(pool: ThreadPoolExecutor, trainers: list, steps: int, device: torch.device) -> None:
    """So many steps of each, side by side."""

    def go(trainer) -> None:
        with own_stream(device):
            for _ in range(steps):
                trainer.train_step()

    list(pool.map(go, trainers))  # raises what a thread has raised
    synchronize(device)
