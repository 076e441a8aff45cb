"""Checkpoints: written atomically with a checksum; two are kept, and the newest undamaged one is used."""

import hashlib
import io
import re
from pathlib import Path

import torch

from resexp.files import atomic

KEPT = 2
# checkpoint-<step>-<checksum>.pt; earlier versions wrote no checksum
NAME = re.compile(r"checkpoint-(\d+)(?:-([0-9a-f]{32}))?\.pt")


def save(folder: Path, step: int, state: dict, *, run: str) -> None:
    """Write `checkpoint-<step>-<checksum>.pt` and delete all but the newest two.

    Args:
        folder: of the run.
        step: number of steps taken.
        state: see Trainer.state_dict.
        run: digest of the run, so that the state of another run is never resumed.
    """
    buffer = io.BytesIO()
    torch.save(state | {"run": run}, buffer)
    content = buffer.getbuffer()
    with atomic(folder / f"checkpoint-{step:08d}-{_checksum(content)}.pt") as temporary:
        temporary.write_bytes(content)
    keep(folder, KEPT)


def keep(folder: Path, count: int) -> None:
    """Delete all but the newest `count` checkpoints."""
    for path in _newest_first(folder)[count:]:
        path.unlink(missing_ok=True)


def load(folder: Path, device: torch.device, *, run: str) -> tuple[dict | None, list[str]]:
    """Load the newest undamaged checkpoint of this run.

    Args:
        folder: of the run.
        device: of the tensors.
        run: see save.
    Returns:
        The state, or None if there is no checkpoint; and what is wrong with newer ones, as text.
    Raises:
        ValueError: there are checkpoints, but none is usable.
    """
    wrong = []
    for path in _newest_first(folder):
        try:
            return _read(path, device, run), wrong
        except _UnusableError as error:
            wrong.append(f"{path.name} {error}")
    if wrong:
        raise ValueError(
            f"no checkpoint in {folder} is usable ({'; '.join(wrong)}); delete this folder to start over"
        )
    return None, []


class _UnusableError(Exception):
    """Why a checkpoint is skipped."""


def _read(path: Path, device: torch.device, run: str) -> dict:
    content, right = path.read_bytes(), NAME.fullmatch(path.name)[2]
    if right and _checksum(content) != right:  # torch does not verify checksums
        raise _UnusableError("is damaged")
    try:
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        of = state.get("run", run)  # earlier versions did not record it
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # the type depends on where the file is damaged
        raise _UnusableError("is damaged") from error
    if of != run:
        raise _UnusableError("belongs to another run")
    return state


def _checksum(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("checkpoint-*.pt") if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(NAME.fullmatch(path.name)[1]), reverse=True)
