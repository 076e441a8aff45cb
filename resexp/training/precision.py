"""Numerical precision and memory layout."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

PRECISIONS = ("float32", "tf32", "bfloat16")


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """A reusable autocast context: bfloat16 with float32 weights, otherwise disabled.

    Raises:
        ValueError: unknown precision, or tf32 on a device without it.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision}")
    if precision == "tf32" and device.type != "cuda":
        raise ValueError("precision=tf32 needs an NVIDIA GPU; use float32 or bfloat16")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def set_tf32(enabled: bool) -> None:
    """Enable or disable TF32 for float32 matrix products and convolutions; process-wide in torch."""
    torch.set_float32_matmul_precision("high" if enabled else "highest")
    torch.backends.cudnn.allow_tf32 = enabled


def channels_last(asked: bool | str, precision: str, device: torch.device) -> bool:
    """Whether batches and weights are laid out channels last: as asked, or where it is the faster one.

    `auto` is true on a CPU and for bfloat16. cuDNN's kernels for channels last are those of tensor cores;
    in float32 and TF32 it converts, or takes slower ones (pytorch #44943, tensorflow #56744).

    Raises:
        ValueError: neither true, false nor auto.
    """
    return _as_asked("channels_last", asked, device.type != "cuda" or precision == "bfloat16")


def cudnn_benchmark(asked: bool | str, precision: str, device: torch.device) -> bool:
    """Whether cuDNN tries its algorithms for each convolution, and takes the fastest.

    `auto` is true for bfloat16 on a GPU: cuDNN's own choice is poor for 16 channels. Two runs may then take
    different algorithms, so their numbers agree up to rounding only. Process-wide in torch.

    Raises:
        ValueError: neither true, false nor auto.
    """
    return _as_asked("cudnn_benchmark", asked, precision == "bfloat16") and device.type == "cuda"


def _as_asked(key: str, asked: bool | str, automatic: bool) -> bool:
    if isinstance(asked, bool):
        return asked
    if asked != "auto":
        raise ValueError(f"train.{key} must be auto, true or false, got {asked}")
    return automatic


def channels_last_layout(x: Tensor) -> Tensor:
    """Convert images or sequences to channels-last memory layout; the shape is unchanged."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)
