"""Device and CPU threads of a run."""

import functools
import glob
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
        ValueError: not a valid device, or not available on this machine; with `auto` also a GPU that is there
            and that torch cannot use, as a CPU would take days for what was meant for it.
    """
    if asked == "auto":
        if torch.cuda.is_available():
            return _that_computes(torch.device("cuda"))
        if _gpu_is_there():
            raise ValueError(
                f"device=auto: this machine has an NVIDIA GPU, but torch cannot use it ({_obstacle()});"
                " update its driver or torch, or set the device to cpu"
            )
        return torch.device("cpu")
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {asked!r}") from None
    if device.type == "mps":
        raise ValueError(
            "device must be auto, cpu, cuda or cuda:N, got 'mps': losses are summed in float64, which Apple's"
            " GPUs do not have"
        )
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {asked!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count, reason = torch.cuda.device_count(), "" if torch.cuda.is_available() else f" ({_obstacle()})"
        raise ValueError(f"device={asked}: this machine has {count} CUDA devices{reason}; use auto or cpu")
    return _that_computes(device) if device.type == "cuda" else device


def device_of_worker(asked: str, index: int) -> torch.device:
    """The device on which a worker of a sweep trains.

    Worker k takes GPU k mod n of a machine that has n, unless `train.device` names one of them.

    Args:
        asked: see device_of, which also says what is raised.
        index: of the worker.
    """
    device = device_of(asked)
    if device.type != "cuda" or device.index is not None or (count := torch.cuda.device_count()) < 2:
        return device
    return _that_computes(torch.device("cuda", index % count))


@functools.cache
def _that_computes(device: torch.device) -> torch.device:
    """The same, once it has added two numbers: torch lists cards, too, that it has no kernels for.

    Raises:
        ValueError: it cannot.
    """
    try:
        torch.ones(1, device=device).add_(1).item()
    except RuntimeError as error:
        raise ValueError(
            f"device={device}: torch {torch.__version__} cannot use this {torch.cuda.get_device_name(device)}"
            f" ({_first_line(error)}); take a torch with kernels for it, a card that is free, or device=cpu"
        ) from error
    return device


def _gpu_is_there() -> bool:
    """Whether the system shows a card of NVIDIA to this process that nobody has hidden from CUDA."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    return not hidden and bool(glob.glob("/dev/nvidia[0-9]*"))


def _obstacle() -> str:
    """What torch says of CUDA that is not available."""
    try:
        torch.cuda.init()
    except (AssertionError, RuntimeError) as error:
        return _first_line(error)
    return "it finds no device"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
