"""Numerical precision and memory layout."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.func import functional_call

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


def cast_at_once(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The model under autocast to bfloat16, with the weights of its products cast by one operation.

    Autocast casts each weight, and each weight's gradient, by a kernel of its own. The numbers are the same.

    Args:
        model: its convolutions and linear layers must be torch's own, or are left to autocast.
    """
    layers = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    products = {id(p) for m in model.modules() if type(m) in layers for p in m.parameters(recurse=False)}
    names, weights = zip(*((n, p) for n, p in model.named_parameters() if id(p) in products), strict=True)

    def forward(x: Tensor) -> Tensor:
        return functional_call(model, dict(zip(names, _Cast.apply(*weights), strict=True)), (x,))

    return forward


class _Cast(torch.autograd.Function):
    """float32 tensors to bfloat16, their gradients back, by one copy each."""

    @staticmethod
    def forward(context, *weights: Tensor) -> tuple[Tensor, ...]:
        context.set_materialize_grads(False)  # of a weight that this step does not use
        return _copied(weights, torch.bfloat16)

    @staticmethod
    def backward(context, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        used = iter(_copied([g for g in gradients if g is not None], torch.float32))
        return tuple(None if g is None else next(used) for g in gradients)


def _copied(tensors: Sequence[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
    copies = [torch.empty_like(tensor, dtype=dtype) for tensor in tensors]
    torch._foreach_copy_(copies, list(tensors))
    return tuple(copies)
