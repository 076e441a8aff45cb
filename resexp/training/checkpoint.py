"""Checkpoints: written atomically; the last two are kept; the newest readable one is loaded."""

import pickle
from pathlib import Path

import torch

from resexp.files import atomic

KEPT = 2


def save(folder: Path, step: int, state: dict) -> None:
    """Write `checkpoint-<step>.pt` and delete all but the newest two checkpoints."""
    with atomic(folder / f"checkpoint-{step:08d}.pt") as temporary:
        torch.save(state, temporary)
    keep(folder, KEPT)


def keep(folder: Path, count: int) -> None:
    """Delete all but the newest `count` checkpoints."""
    for path in _newest_first(folder)[count:]:
        path.unlink(missing_ok=True)


def load(folder: Path, device: torch.device) -> dict | None:
    """Load the newest readable checkpoint to `device`; None if there is no checkpoint.

    Raises:
        ValueError: all checkpoints are damaged.
    """
    paths = _newest_first(folder)
    for path in paths:
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            continue  # damaged, e.g. by a full disk: try the previous one
    if paths:
        raise ValueError(f"all checkpoints in {folder} are damaged; delete the folder to start over")
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*.pt"), reverse=True)
