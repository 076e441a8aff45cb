"""One network trained by all processes that torchrun starts.

Process 0 carries out the command, and it alone writes and prints. The others wait for the runs that it
begins, and take part in their steps. Gradients, counts and the wish to stop go through torch.distributed;
which run begins, that all are ready for it, and what one has failed by, go through torchrun's store.
"""

import functools
import itertools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from resexp.exits import copies, printable
from resexp.experiments.data import load_dataset
from resexp.experiments.devices import device_of
from resexp.experiments.recorded import StoppedAtError
from resexp.training.parallel import ALONE, Alone, Together

SILENCE = timedelta(minutes=10)  # after which a process that does not answer is given up
POLL = 0.1  # seconds between two looks into the store
RESUMES = "the same command resumes from the last checkpoint"
_RUNS = itertools.count()  # those that this process has joined
_FOLLOWED = itertools.count(1)  # and as another process than 0


class LostError(RuntimeError):
    """Another process of the run has failed, or was killed."""


def rank() -> int:
    """The number of this process, 0 for the first."""
    return int(os.environ["RANK"]) if copies() > 1 else 0


def device_of_process(asked: str) -> torch.device:
    """The CPU, or the GPU of the number that this process has on its machine. Raises as device_of."""
    device = device_of(asked)
    return device if device.type == "cpu" else device_of(f"cuda:{os.environ['LOCAL_RANK']}")


@contextmanager
def leading() -> Iterator[None]:
    """In process 0, around the command: at its end the others end, too."""
    try:
        yield
    finally:
        with suppress(RuntimeError):  # torchrun has been killed, and its store with it
            _store().set(f"run-{next(_RUNS)}", "null")


def follow(take_part: Callable[[dict], None]) -> None:
    """In the other processes: take part in each run that process 0 begins, until its command ends.

    Args:
        take_part: in the run of a settled config.
    Raises:
        SystemExit: with 1, if this or another process has failed.
    """
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        for number in itertools.count():
            try:
                _wait_for([f"run-{number}"], number)
                config = json.loads(_store().get(f"run-{number}"))
                if config is None:
                    return
                with _failures_told(number):
                    take_part(config)
            except Exception as error:  # process 0 has it on record
                print(f"resexp: process {rank()}: {printable(str(error))}", file=sys.stderr)
                sys.exit(1)


@contextmanager
def joined(config: dict, device: torch.device) -> Iterator[Alone | Together]:
    """The processes that train a run: this one, and under torchrun all others, which are waited for.

    Args:
        config: settled.
        device: of this process.
    Raises:
        LostError: another process has failed or was killed.
    """
    if copies() == 1:
        yield ALONE
        return
    number, store = next(_RUNS), _store()
    if rank() == 0:
        store.set(f"run-{number}", json.dumps(config))
    with _failures_told(number):
        load_dataset(config)  # the first time on a machine it reads all files, longer than SILENCE
        store.set(f"ready-{number}-{rank()}", "")
        _wait_for([f"ready-{number}-{other}" for other in range(copies())], number)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=dist.PrefixStore(f"group-{number}", store),
            rank=rank(),
            world_size=copies(),
            timeout=SILENCE,
        )
        try:
            yield Together()
        finally:
            dist.destroy_process_group()


def end_of_record() -> None:
    """In process 0: what a run leaves behind is written."""
    if copies() > 1:
        with suppress(RuntimeError):  # torchrun has been killed, and its store with it
            _store().add("recorded", 1)


def wait_for_record(*, needed: bool) -> None:
    """In the other processes, after each run; where it is needed, wait for process 0 to have written it.

    One that leaves with a signal's exit code before makes torchrun end process 0, which may still be writing
    its checkpoint.
    """
    number, until = next(_FOLLOWED), time.monotonic() + SILENCE.total_seconds()
    with suppress(RuntimeError):
        while needed and _store().add("recorded", 0) < number and time.monotonic() < until:
            time.sleep(POLL)


@functools.cache
def _store() -> dist.Store:
    """torchrun's; of each of its restarts another part."""
    store, *_ = next(rendezvous("env://"))
    return dist.PrefixStore(f"resexp-{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)


def _wait_for(keys: list[str], number: int) -> None:
    """Wait without a limit: torchrun ends all processes when one of them has ended with an error."""
    while not _store().check(keys):
        _raise_if_failed(number)
        time.sleep(POLL)


@contextmanager
def _failures_told(number: int) -> Iterator[None]:
    """Tell the other processes what this one fails by in a run; where another one was lost, say why."""
    try:
        yield
    except (LostError, StoppedAtError):  # all processes stop at the same step
        raise
    except Exception as error:
        if _is_of_the_others(error):
            _raise_if_failed(number)
            raise LostError(
                f"another process of torchrun was killed, or did not answer for {SILENCE.seconds // 60}"
                f" minutes; {RESUMES}"
            ) from error
        said = f"process {rank()} of torchrun has failed by {type(error).__name__}: {error}; {RESUMES}"
        with suppress(RuntimeError):
            _store().set(f"failure-{number}", json.dumps([said, traceback.format_exc()]))
        raise


def _raise_if_failed(number: int) -> None:
    """Raise LostError if a process has told that it failed in this run; with its traceback as a note."""
    if _store().check([f"failure-{number}"]):
        said, trace = json.loads(_store().get(f"failure-{number}"))
        error = LostError(said)
        error.add_note(trace)
        raise error


def _is_of_the_others(error: Exception) -> bool:
    """Whether torch.distributed could not reach another process; gloo raises a bare RuntimeError."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))
