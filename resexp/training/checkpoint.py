"""Checkpoints: written whole, named by what they hold, the last two kept, the newest undamaged one used."""

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
    """Write `checkpoint-<step>-<checksum>.pt` and drop all but the newest two.

    Args:
        folder: of the run.
        step: that it was taken after.
        state: see Trainer.state_dict.
        run: what names the run, so that the state of another is never resumed.
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
    """The newest checkpoint that is whole and of this run.

    Args:
        folder: of the run.
        device: of the tensors.
        run: see save.
    Returns:
        The state, None where there is no checkpoint; and what is wrong with newer ones, in words.
    Raises:
        ValueError: there are checkpoints, but none can be used.
    """
    wrong = []
    for path in _newest_first(folder):
        try:
            return _read(path, device, run), wrong
        except _UnusableError as error:
            wrong.append(f"{path.name} {error}")
    if wrong:
        raise ValueError(
            f"no checkpoint in {folder} can be used ({'; '.join(wrong)}); delete it to start again"
        )
    return None, []


class _UnusableError(Exception):
    """Why a checkpoint is passed over."""


def _read(path: Path, device: torch.device, run: str) -> dict:
    if not path.is_file():  # a pipe would be waited for
        raise _UnusableError("is no regular file")
    content, right = path.read_bytes(), NAME.fullmatch(path.name)[2]
    if right and _checksum(content) != right:  # torch checks no checksum
        raise _UnusableError("is damaged")
    try:
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        of = state.get("run", run)  # earlier versions did not say
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # of a dozen kinds, by where the file is cut or altered
        raise _UnusableError("is damaged") from error
    if of != run:
        raise _UnusableError("is of another run")
    return state


def _checksum(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("checkpoint-*.pt") if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(NAME.fullmatch(path.name)[1]), reverse=True)
