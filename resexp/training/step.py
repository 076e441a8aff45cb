"""Metric accumulation on the device, and CUDA-graph capture of a training step."""

import gc
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

EAGER_STEPS = 3  # before capture: libraries select kernels and allocate buffers
_CAPTURING = threading.Lock()  # only one graph can be captured at a time in a process
_OF_THREAD = threading.local()


class Meter:
    """Accumulates the loss and a task's counts on the device, and the number of examples on the host.

    Args:
        tallies: number of counts.
        device: of the sums.
    """

    def __init__(self, tallies: int, device: torch.device):
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.tally = torch.zeros(tallies, dtype=torch.int64, device=device)
        self.examples = torch.zeros((), dtype=torch.int64)

    def add(self, mean_loss: Tensor, tally: Tensor, examples: int) -> None:
        """The device's part, in three kernels, without synchronization."""
        self.loss += mean_loss * examples
        self.tally += tally

    def count(self, examples: int) -> None:
        """The host's part: how many examples were added."""
        self.examples += examples

    def read(self) -> tuple[float, list[int], int]:
        """Mean loss, counts and number of examples since the last reset. Synchronizes with the device."""
        examples = self.examples.item()
        return self.loss.item() / examples, self.tally.tolist(), examples

    def reset(self) -> None:
        for total in self.state():
            total.zero_()

    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """The sums themselves (not copies), to save or restore them."""
        return self.loss, self.tally, self.examples


class Watch:
    """Counts on the device how many steps came before the first loss that was not finite.

    Args:
        device: of the losses.
    """

    def __init__(self, device: torch.device):
        self.sum = torch.zeros((), device=device)  # 0, and nan from the first such loss on
        self.good = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, loss: Tensor) -> None:
        """In three kernels, without synchronization; torch.isfinite alone takes four."""
        self.sum.add_(loss, alpha=0)  # 0 times infinity is nan
        self.good += self.sum == 0

    def first_bad(self, steps: int) -> int:
        """The first of so many steps whose loss was not finite, 0: none. Synchronizes with the device."""
        good = int(self.good.item())
        return good + 1 if good < steps else 0

    def restore(self, steps: int, first_bad: int) -> None:
        """What first_bad(steps) had returned."""
        self.good.fill_(first_bad - 1 if first_bad else steps)
        self.sum.fill_(float("nan") if first_bad else 0.0)


class CaptureError(RuntimeError):
    """A step could not be captured as a CUDA graph. The process can no longer be used for others."""


class Captured:
    """A function that is captured once as a CUDA graph and then replayed.

    The networks of this project consist of many small kernels, whose launch overhead on the host
    exceeds their run time on the device. The first calls run eagerly as warm-up; every call, eager or
    replayed, does exactly one step of work.

    Call it within own_stream: CUDA cannot capture the default stream.

    Args:
        function: launches the same kernels on the same tensors at every call and never
            synchronizes with the device.
        generators: it draws from, in addition to the device's default generator.
    """

    def __init__(self, function: Callable[[], None], generators: Sequence[torch.Generator]):
        self.function, self.generators = function, generators
        self.calls, self.graph = 0, None

    def __call__(self) -> None:
        """Run the function once.

        Raises:
            torch.OutOfMemoryError: the device's memory does not suffice; the process is unharmed.
            CaptureError: the function cannot be captured. Generators and memory may then be in an
                invalid state that only a new process clears, so there is no fallback.
        """
        if self.graph is not None:
            return self.graph.replay()
        with _CAPTURING:
            if self.calls < EAGER_STEPS:
                self.function()
            else:
                self.graph = self._capture()
                self.graph.replay()
        self.calls += 1

    def _capture(self) -> torch.cuda.CUDAGraph:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        with warnings.catch_warnings():  # newer versions of torch register generators automatically
            warnings.simplefilter("ignore")
            for generator in self.generators:
                graph.register_generator_state(generator)
        # No older graph may be garbage-collected during capture.
        gc.collect()
        collecting = gc.isenabled()
        gc.disable()
        try:
            # thread_local: other threads may keep training meanwhile
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self.function()
        except torch.OutOfMemoryError:  # the capture itself was ended properly
            raise
        except RuntimeError as error:
            cause = error
            while cause.__context__:  # the root cause; later errors are consequences
                cause = cause.__context__
            advice = "set train.capture=false to run it eagerly"
            if isinstance(cause, torch.OutOfMemoryError):
                advice = "give it more memory: a smaller batch_size, or fewer train.workers"
            raise CaptureError(
                f"the step cannot be captured as a CUDA graph ({str(cause).splitlines()[0]}); {advice}"
            ) from error
        finally:
            if collecting:
                gc.enable()
        return graph


def own_stream(device: torch.device) -> AbstractContextManager:
    """A context in which this thread uses a CUDA stream of its own; a null context on a CPU.

    Each thread keeps its stream, since torch only has a pool of 32.
    """
    if device.type != "cuda":
        return nullcontext()
    streams = vars(_OF_THREAD)
    if str(device) not in streams:
        streams[str(device)] = torch.cuda.Stream(device)
    return torch.cuda.stream(streams[str(device)])
