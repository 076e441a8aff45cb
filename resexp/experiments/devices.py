"""What a run is given of the machine: a device and threads."""

import os

import torch


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of(asked: int | None, workers: int = 1) -> int:
    """CPU threads of a process: as asked, else as OMP_NUM_THREADS says, else its share of the cores."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return asked or (int(said) if said.isdecimal() else 0) or max(1, cores() // workers)


def device_of(asked: str) -> torch.device:
    """The device that `train.device`, or `device` of a measurement, asks for.

    Raises:
        ValueError: no such device, here or at all.
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
