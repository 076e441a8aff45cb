"""Checkpoints: written whole, the last two kept, the newest readable one used."""

import pickle
from pathlib import Path

import torch

from resexp.files import atomic

KEPT = 2


def save(folder: Path, step: int, state: dict) -> None:
    """Write `checkpoint-<step>.pt` and drop all but the newest two."""
    with atomic(folder / f"checkpoint-{step:08d}.pt") as temporary:
        torch.save(state, temporary)
    keep(folder, KEPT)


def keep(folder: Path, count: int) -> None:
    """Drop all but the newest `count` checkpoints."""
    for path in _newest_first(folder)[count:]:
        path.unlink(missing_ok=True)


def load(folder: Path, device: torch.device) -> dict | None:
    """The newest checkpoint that can be read, its tensors on `device`; None where there is none.

    Raises:
        ValueError: there are checkpoints, but every one is damaged.
    """
    paths = _newest_first(folder)
    for path in paths:
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            continue  # damaged, as after a full disk: the one before serves
    if paths:
        raise ValueError(f"no checkpoint in {folder} can be read; delete the folder to start anew")
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*.pt"), reverse=True)
