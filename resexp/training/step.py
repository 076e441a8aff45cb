"""What one training step does on the device, and how it is launched."""

import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

EAGER_STEPS = 3  # before a step is captured: libraries choose their kernels, buffers come into being
_CAPTURING = threading.Lock()  # CUDA records one graph at a time in a process


class Meter:
    """Sums of loss and errors, kept on the device: adding never waits for it."""

    def __init__(self, device: torch.device):
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.wrong = torch.zeros((), dtype=torch.int64, device=device)
        self.examples = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, mean_loss: Tensor, wrong: Tensor, examples: int) -> None:
        self.loss += mean_loss * examples
        self.wrong += wrong
        self.examples += examples

    def read(self) -> tuple[float, float]:
        """Mean loss (nats) and error (percent) of all that was added; waits for the device."""
        examples = self.examples.item()
        return self.loss.item() / examples, 100 * self.wrong.item() / examples

    def reset(self) -> None:
        for total in self.state():
            total.zero_()

    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """The sums themselves, to be saved or written to."""
        return self.loss, self.wrong, self.examples


class Captured:
    """A function of the device alone, recorded once as a CUDA graph and replayed from then on.

    The networks of this project consist of many small kernels; launching them one by one takes the
    host longer than computing them takes the device. The first calls are carried out as they are,
    so every call does the work of exactly one, replayed or not. What cannot be recorded goes on
    being carried out as it is; `failure` then says why.

    Args:
        function: launches the same kernels on the same tensors at every call and never waits for
            the device.
        generators: that it draws from, besides the device's own.
    """

    def __init__(self, function: Callable[[], None], generators: Sequence[torch.Generator]):
        self.function, self.generators = function, generators
        self.calls, self.graph, self.failure = 0, None, ""
        self.stream = torch.cuda.Stream()

    def __call__(self) -> None:
        if self.calls == EAGER_STEPS:
            self.graph = self._captured()
        self.calls += 1
        if self.graph is not None:
            return self.graph.replay()
        # on the stream of the capture, so that memory and library handles are the same
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.function()
        torch.cuda.current_stream().wait_stream(self.stream)

    def _captured(self) -> torch.cuda.CUDAGraph | None:
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        try:
            # other threads, with networks of their own, may go on meanwhile
            mode = "thread_local"
            with _CAPTURING, torch.cuda.graph(graph, stream=self.stream, capture_error_mode=mode):
                self.function()
        except RuntimeError as error:  # recording computes nothing, so nothing was lost
            self.failure = str(error).splitlines()[0]
            return None
        return graph
