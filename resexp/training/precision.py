"""How numbers are held and laid out while a network runs."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

PRECISIONS = ("float32", "tf32", "bfloat16")


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """A re-enterable context: bfloat16 arithmetic over float32 weights, or nothing.

    Raises:
        ValueError: an unknown precision, or tf32 on a device that has none.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision}")
    if precision == "tf32" and device.type != "cuda":
        raise ValueError("precision=tf32 needs an NVIDIA GPU; use float32 or bfloat16")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def set_tf32(enabled: bool) -> None:
    """Let CUDA round float32 products to TF32, or not; torch keeps this per process."""
    torch.set_float32_matmul_precision("high" if enabled else "highest")
    torch.backends.cudnn.allow_tf32 = enabled


def channels_last_layout(x: Tensor) -> Tensor:
    """Images or sequences with their channels last in memory; the shape stays as it is."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)
