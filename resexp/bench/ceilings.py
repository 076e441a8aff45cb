"""Roofline: peak rates of a machine, and lower bounds on the work of a training step."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

FORMATS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}


def copy_bandwidth(device: torch.device, *, mebibytes: int, repetitions: int = 10) -> float:
    """Memory bandwidth of a copy (reads plus writes), bytes per second; best of several copies.

    Args:
        mebibytes: size of the copied tensor; must exceed every cache.
    """
    source = torch.zeros(mebibytes << 20, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _best_seconds(lambda: target.copy_(source), device, repetitions)


def matrix_rate(device: torch.device, precision: str, *, size: int, repetitions: int = 10) -> float:
    """FLOP per second of a square matrix product; best of several products.

    A multiply-add counts as two operations, as in torch's FlopCounterMode.

    Args:
        precision: float32, tf32 or bfloat16.
        size: rows and columns of the matrices.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    a, b = (torch.randn(size, size, device=device).to(FORMATS[precision]) for _ in range(2))
    try:
        return 2 * size**3 / _best_seconds(lambda: a @ b, device, repetitions)
    finally:
        torch.set_float32_matmul_precision(before)


def operations(model: nn.Module, x: Tensor) -> int:
    """FLOP of one forward and backward pass, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def numbers_moved(model: nn.Module, x: Tensor) -> int:
    """Lower bound on the activation and gradient values that a training step reads or writes.

    Each convolution or linear layer reads its input and writes its output in the forward pass; in the
    backward pass it reads the output's gradient twice (once per product), reads its input again and
    writes the input's gradient. Everything in between (normalization, activation, addition) is assumed
    to be fused and therefore free, as is the update; a real step moves more.
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
    """Synchronize with the device."""
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
