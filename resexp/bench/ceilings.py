"""What a machine can do at best, and what a training step asks of it at least."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

FORMATS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}


def copy_bandwidth(device: torch.device, *, mebibytes: int, repetitions: int = 10) -> float:
    """Bytes that a copy reads and writes per second, the best of several copies.

    Args:
        mebibytes: size of the copied tensor; larger than every cache.
    """
    source = torch.zeros(mebibytes << 20, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _best_seconds(lambda: target.copy_(source), device, repetitions)


def matrix_rate(device: torch.device, precision: str, *, size: int, repetitions: int = 10) -> float:
    """Operations per second of a square matrix product, the best of several products.

    A multiplication and an addition are two operations, as the flop counter has it.

    Args:
        precision: float32, tf32 or bfloat16.
        size: rows and columns.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    a, b = (torch.randn(size, size, device=device).to(FORMATS[precision]) for _ in range(2))
    try:
        return 2 * size**3 / _best_seconds(lambda: a @ b, device, repetitions)
    finally:
        torch.set_float32_matmul_precision(before)


def operations(model: nn.Module, x: Tensor) -> int:
    """Multiplications and additions of one forward and backward pass, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def numbers_moved(model: nn.Module, x: Tensor) -> int:
    """A floor of the activations and gradients that a training step moves to or from memory.

    Each convolution or linear layer must read its input and write its output; going back it must
    read the output's gradient for either product, read its input again and write the input's
    gradient. Everything between two of them (normalization, activation, sum) is taken to be free,
    as if fused, and so is the update; a real step moves more.
    """
    numbers = 0

    def count(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        nonlocal numbers
        numbers += 3 * (inputs[0].numel() + output.numel())

    layers = [m for m in model.modules() if isinstance(m, nn.modules.conv._ConvNd | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return numbers


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _best_seconds(function: Callable[[], object], device: torch.device, repetitions: int) -> float:
    best = float("inf")
    for _ in range(repetitions):
        synchronize(device)
        started = time.perf_counter()
        function()
        synchronize(device)
        best = min(best, time.perf_counter() - started)
    return best
