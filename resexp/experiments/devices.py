"""Device and CPU threads of a run."""

import os

import torch


def cores() -> int:
    """Number of CPU cores available to this process."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of(asked: int | None, workers: int = 1) -> int:
    """CPU threads of a process: `asked`, else OMP_NUM_THREADS, else an equal share of the cores."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return asked or (int(said) if said.isdecimal() else 0) or max(1, cores() // workers)


def device_of(asked: str) -> torch.device:
    """The device named by `train.device`, or by `device` of a measurement.

    Raises:
        ValueError: not a valid device, or not available on this machine.
    """
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {asked!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {asked!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={asked}: this machine has {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return device
