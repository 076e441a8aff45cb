"""One variant of training, in its own processes, which take steps on request.

Each variant has its own memory, threads and compiled code, so that peak memory is measured per variant
and variants do not influence each other.
"""

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity

from resexp.bench.baseline import BaselineTrainer
from resexp.bench.ceilings import synchronize
from resexp.experiments import build
from resexp.experiments.data import load_dataset
from resexp.experiments.devices import cores, device_of
from resexp.records.provenance import peak_memory_mib
from resexp.training.memory import keep_freed
from resexp.training.precision import cudnn_benchmark, set_tf32
from resexp.training.step import own_stream

WARM_STEPS = {"cpu": 1, "cuda": 5}  # three eager ones, the capture of the CUDA graph, a replay
PROFILED_STEPS = 3
WORKERS = min(4, cores())  # four is common; DataLoader warns above the number of cores
LOADED_AHEAD = 2 * WORKERS  # batches, DataLoader's default
LOADING_SECONDS = 1.0  # enough to load these batches


class Contender:
    """One variant of training one network, or several concurrently.

    On a CPU each network has a process; on a GPU all are threads of one process, as with
    `train.workers`.

    Args:
        config: resolved, of the run.
        baseline: use BaselineTrainer instead of resexp's.
        members: number of concurrent networks, with consecutive seeds.
    """

    def __init__(self, config: dict, *, baseline: bool, members: int):
        on_gpu = device_of(config["train"]["device"]).type == "cuda"
        processes = 1 if on_gpu else members
        context = multiprocessing.get_context("spawn")
        self.baseline, self.connections, self.processes = baseline, [], []
        for index in range(processes):
            own_end, worker_end = context.Pipe()
            seeds = [config["seed"] + index + i for i in range(members // processes)]
            threads = config["train"]["threads"] or max(1, cores() // processes)
            process = context.Process(target=_serve, args=(worker_end, config, seeds, baseline, threads))
            process.start()
            worker_end.close()  # so that recv() raises EOFError if the process dies
            self.connections.append(own_end)
            self.processes.append(process)
        try:
            self.setup_seconds = max(self._ask("set up"))
        except BaseException:
            self.close()  # else this process would hang at exit
            raise

    def seconds(self, steps: int) -> float:
        """Wall time of `steps` concurrent steps of every member, seconds.

        The baseline prefetches batches. They are consumed before the measurement and loaded again before
        the next variant runs, so that each variant pays for its own work.
        """
        self._ask(LOADED_AHEAD if self.baseline else 1)
        started = time.perf_counter()
        self._ask(steps)
        found = time.perf_counter() - started
        if self.baseline:
            time.sleep(LOADING_SECONDS)
        return found

    def peak_memory_mib(self) -> float:
        """Peak memory of all members, MiB: device memory on a GPU, else resident memory of the processes."""
        return sum(self._ask("memory"))

    def profile(self) -> list[dict]:
        """Profile of the first member's training step; see _profile."""
        return self._ask("profile")[0]

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        for process in self.processes:
            process.join()

    def _ask(self, question: int | str) -> list:
        for connection in self.connections:
            connection.send(question)
        try:
            answers = [connection.recv() for connection in self.connections]
        except EOFError:
            raise RuntimeError("its process ended unexpectedly") from None
        if broken := [answer for answer in answers if isinstance(answer, str)]:
            raise RuntimeError(broken[0])
        return answers


def _serve(connection: Connection, config: dict, seeds: list[int], baseline: bool, threads: int) -> None:
    torch.set_num_threads(threads)
    device = device_of(config["train"]["device"])
    set_tf32(config["precision"] == "tf32")  # torch's own default would let float32 convolutions use TF32
    if not baseline:
        keep_freed()
        asked = config["train"]["cudnn_benchmark"]
        torch.backends.cudnn.benchmark = cudnn_benchmark(asked, config["precision"], device)
    trainers: list = []
    pool = ThreadPoolExecutor(len(seeds))  # one stream per thread
    while True:
        try:
            question = connection.recv()
        except EOFError:  # closed by the parent
            for trainer in trainers:
                trainer.close()  # frees a captured step, and ends the loading processes
            trainers.clear()
            pool.shutdown()
            return
        try:
            if question == "set up":
                started = time.perf_counter()
                trainers = [_trainer(config | {"seed": seed}, device, baseline) for seed in seeds]
                _steps(pool, trainers, WARM_STEPS[device.type], device)
                connection.send(time.perf_counter() - started)
            elif question == "memory":
                on_gpu = device.type == "cuda"
                peak = torch.cuda.max_memory_allocated(device) / 2**20 if on_gpu else peak_memory_mib()
                connection.send(peak)
            elif question == "profile":
                connection.send(_profile(trainers[0], device))
            else:
                _steps(pool, trainers, question, device)
                connection.send(0.0)
        except Exception as error:
            connection.send(f"{type(error).__name__}: {error}")


def _trainer(config: dict, device: torch.device, baseline: bool):
    if not baseline:
        return build.trainer(config, device)
    data = load_dataset(config)
    return BaselineTrainer(
        build.build_model(config, device),
        data.inputs,
        data.targets,
        batch_size=config["batch_size"],
        workers=WORKERS,
    )


def _profile(trainer, device: torch.device) -> list[dict]:
    """Operations by self time, longest first.

    Returns:
        Rows of operation (torch operator, on a GPU the kernel), calls_per_step, ms_per_step. Profiling
        overhead inflates the time of steps with many small operations.
    """
    on_gpu = device.type == "cuda"
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # silence the profiler's start message
    kinds = {ProfilerActivity.CPU, ProfilerActivity.CUDA} if on_gpu else {ProfilerActivity.CPU}
    with own_stream(device), torch.profiler.profile(activities=kinds) as profiler:
        for _ in range(PROFILED_STEPS):  # in this thread, since others are not profiled
            trainer.train_step()
        synchronize(device)
    rows = []
    for event in profiler.key_averages():
        if on_gpu and (event.device_type != DeviceType.CUDA or event.is_user_annotation):
            continue  # the launching operator is credited with the kernel time as well
        microseconds = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if microseconds:
            calls, milliseconds = event.count / PROFILED_STEPS, microseconds / 1e3 / PROFILED_STEPS
            rows.append({"operation": event.key, "calls_per_step": calls, "ms_per_step": milliseconds})
    return sorted(rows, key=lambda row: -row["ms_per_step"])


def _steps(pool: ThreadPoolExecutor, trainers: list, steps: int, device: torch.device) -> None:
    """`steps` steps of each trainer, concurrently."""

    def go(trainer) -> None:
        with own_stream(device):
            for _ in range(steps):
                trainer.train_step()

    list(pool.map(go, trainers))  # re-raises exceptions of the threads
    synchronize(device)
