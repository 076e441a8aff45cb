"""Execute work in a run's folder and record its outcome, including failures."""

from collections.abc import Callable

import torch

from resexp.exits import copies
from resexp.records import provenance
from resexp.records.run import RunFolder
from resexp.training.step import CaptureError

PACKAGES = ("torch", "hydra-core", "numpy")


class StoppedAtError(Exception):
    """The work ended early at `step` with an outcome that is a result, e.g. status `diverged`."""

    def __init__(self, status: str, step: int, reason: str):
        super().__init__(reason)
        self.status, self.step = status, step


def record(
    folder: RunFolder, config: dict, device: torch.device, steps: int, work: Callable[[], tuple[str, int]]
) -> str:
    """Execute `work`; record its config, provenance and status.

    Args:
        folder: locked by this process.
        config: resolved.
        device: used for the computation.
        steps: total number of steps.
        work: returns a status and the step reached; may raise StoppedAtError. Any other exception
            marks the run as failed and its traceback is saved, except KeyboardInterrupt and
            BrokenPipeError, which are re-raised.
    Returns:
        The final status.
    Raises:
        CaptureError: the run failed by it, which is on record; nothing more can run in this process.
    """
    folder.write_config(config)
    history = folder.provenance()
    session = provenance.session(PACKAGES, in_words(device))
    if session["dirty"]:
        session["diff"] = folder.keep_diff(provenance.changes())
    history["sessions"].append(session)
    folder.write_provenance(history)
    step, error, broken = folder.recorded()["step"], "", None
    folder.write_status("running", step=step, steps=steps)
    alone = config.get("train", {}).get("workers", 1) == 1  # otherwise the peak is that of all threads
    if device.type == "cuda" and alone:
        torch.cuda.reset_peak_memory_stats(device)
    try:
        status, step = work()
    except StoppedAtError as stopped:
        status, step, error = stopped.status, stopped.step, str(stopped)
    except (KeyboardInterrupt, BrokenPipeError):  # BrokenPipeError: stdout was closed
        folder.write_status("interrupted", step=step, steps=steps)
        raise
    except Exception as failure:
        status, error = "failed", _reason(failure)
        step = folder.last_step() or step
        folder.write_failure(failure)
        broken = failure if isinstance(failure, CaptureError) else None
    session |= {"end": provenance.now(), "status": status, "step": step}
    session |= {"threads": torch.get_num_threads(), "processes": copies()}  # they change the rounding
    session |= {"peak_memory_mib": provenance.peak_memory_mib()}
    if device.type == "cuda":
        session["cudnn_benchmark"] = torch.backends.cudnn.benchmark
    if device.type == "cuda" and alone:
        session["peak_gpu_memory_mib"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    folder.write_provenance(history)
    folder.write_config(config)  # it may have been removed in the meantime
    folder.write_status(status, step=step, steps=steps, error=error)
    where = f" ({error}); see {folder.path / 'error.txt'}" if status == "failed" else ""
    print(f"{folder.name}: {status} at step {step} of {steps}{where}", flush=True)
    if broken:
        raise broken
    return status


def _reason(failure: Exception) -> str:
    """In one line."""
    said = f"{type(failure).__name__}: {failure}".splitlines()[0]
    if isinstance(failure, torch.OutOfMemoryError):
        return f"out of memory, use a smaller batch_size or fewer train.workers: {said}"
    return said


def in_words(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.backends.cpu.get_cpu_capability()}"
