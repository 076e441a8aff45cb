"""What one training step does on the device, and how it is launched."""

import gc
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

EAGER_STEPS = 3  # before a step is captured: libraries choose their kernels, buffers come into being
_CAPTURING = threading.Lock()  # CUDA records one graph at a time in a process
_OF_THREAD = threading.local()


class Meter:
    """Sums of the loss and of a task's counts, kept on the device: adding never waits for it.

    Args:
        tallies: how many counts.
        device: of the sums.
    """

    def __init__(self, tallies: int, device: torch.device):
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.tally = torch.zeros(tallies, dtype=torch.int64, device=device)
        self.examples = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, mean_loss: Tensor, tally: Tensor, examples: int) -> None:
        self.loss += mean_loss * examples
        self.tally += tally
        self.examples += examples

    def read(self) -> tuple[float, list[int], int]:
        """Mean loss, counts and examples of all that was added; waits for the device."""
        examples = self.examples.item()
        return self.loss.item() / examples, self.tally.tolist(), examples

    def reset(self) -> None:
        for total in self.state():
            total.zero_()

    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """The sums themselves, to be saved or written to."""
        return self.loss, self.tally, self.examples


class CaptureError(RuntimeError):
    """A step could not be recorded as a CUDA graph."""


class Captured:
    """A function of the device alone, recorded once as a CUDA graph and replayed from then on.

    The networks of this project consist of many small kernels; launching them one by one takes the
    host longer than computing them takes the device. The first calls are carried out as they are,
    so every call does the work of exactly one, replayed or not.

    It is called within own_stream: CUDA records on no default stream.

    Args:
        function: launches the same kernels on the same tensors at every call and never waits for
            the device.
        generators: that it draws from, besides the device's own.
    """

    def __init__(self, function: Callable[[], None], generators: Sequence[torch.Generator]):
        self.function, self.generators = function, generators
        self.calls, self.graph = 0, None

    def __call__(self) -> None:
        """Do the work of one call.

        Raises:
            CaptureError: the function cannot be recorded. Generators and memory may then be in a
                state that only a new process leaves behind, so nothing is tried again.
        """
        if self.graph is not None:
            return self.graph.replay()
        with _CAPTURING:
            if self.calls < EAGER_STEPS:
                self.function()
            else:
                self.graph = self._captured()
                self.graph.replay()
        self.calls += 1

    def _captured(self) -> torch.cuda.CUDAGraph:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        with warnings.catch_warnings():  # newer versions of torch find the generators by themselves
            warnings.simplefilter("ignore")
            for generator in self.generators:
                graph.register_generator_state(generator)
        # An older graph that is garbage must not be taken apart while this one is recorded.
        gc.collect()
        collecting = gc.isenabled()
        gc.disable()
        try:
            # other threads, with networks of their own, may go on meanwhile
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self.function()
        except RuntimeError as error:
            cause = error
            while cause.__context__:  # what ended the recording comes first, what that broke after it
                cause = cause.__context__
            raise CaptureError(
                f"the step cannot be recorded as a CUDA graph ({str(cause).splitlines()[0]});"
                " train.capture=false launches its kernels one by one"
            ) from error
        finally:
            if collecting:
                gc.enable()
        return graph


def own_stream(device: torch.device) -> AbstractContextManager:
    """In which this thread launches its work on `device`: on a CUDA stream that no other thread has.

    A thread gets one stream and keeps it, since torch hands out 32 of them in turn.
    """
    if device.type != "cuda":
        return nullcontext()
    streams = vars(_OF_THREAD)
    if str(device) not in streams:
        streams[str(device)] = torch.cuda.Stream(device)
    return torch.cuda.stream(streams[str(device)])
