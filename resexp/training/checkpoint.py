"""Checkpoints: written atomically, with a checksum in their name.

Of those to resume from the last two are kept, and the newest undamaged one is used. The subfolder NETWORKS
permanently keeps the network at chosen steps, for measurements.
"""

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import nn

from resexp.files import DamagedError, atomic, chunks

KEPT = 2
NETWORKS = "networks"  # folder of the networks kept for measurements, in that of the run
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
    _write(folder, step, state | {"run": run})
    keep(folder, KEPT)


def save_network(folder: Path, step: int, model: nn.Module, *, run: str) -> None:
    """Keep a run's network at a step. One that was kept there before, by the run up to a crash, goes.

    Args:
        folder, step, run: see save.
    """
    path = _write(folder / NETWORKS, step, {"model": model.state_dict(), "step": step, "run": run})
    for other in path.parent.glob(f"checkpoint-{step:08d}-*.pt"):
        if other != path:
            other.unlink(missing_ok=True)


def steps_of_networks(folder: Path) -> list[int]:
    """The steps of a run at which its network was kept, in ascending order."""
    return sorted(_step(path) for path in _newest_first(folder / NETWORKS))


def network(folder: Path, step: int, device: torch.device, *, run: str) -> dict:
    """The weights of a run's network at a step.

    Raises:
        ValueError: it was not kept, or cannot be read.
    """
    for path in _newest_first(folder / NETWORKS):
        if _step(path) == step:
            try:
                return _read(path, device, run)["model"]
            except _UnusableError as error:
                raise ValueError(f"{path} {error}: train the run again, with train.keep") from error
    raise ValueError(f"{folder} has no network of step {step}: train it again, with train.keep=[{step}]")


def kept_steps(setting: str | Sequence[int] | None, steps: int) -> set[int]:
    """The steps after which a run's network is kept.

    Args:
        setting: `log`: 1, 2, 4, 8, ...; a list of steps; null: none.
        steps: of the whole run, after which the network is kept in any case.
    Raises:
        ValueError: another setting.
    """
    if setting == "log":
        return {2**power for power in range(steps.bit_length()) if 2**power < steps}
    if setting is None:
        return set()
    a_list = isinstance(setting, Sequence) and not isinstance(setting, str)
    if not a_list or not all(isinstance(step, int) and 1 <= step <= steps for step in setting):
        raise ValueError(f"train.keep must be log or a list of steps from 1 to {steps}, got {setting}")
    return set(setting)


def _write(folder: Path, step: int, state: dict) -> Path:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    path = folder / f"checkpoint-{step:08d}-{_checksum([content])}.pt"
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    return path


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


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint, damaged or not; 0: there is none."""
    return max(map(_step, _newest_first(folder)), default=0)


class _UnusableError(Exception):
    """Why a checkpoint is skipped."""


def _read(path: Path, device: torch.device, run: str) -> dict:
    step, right = NAME.fullmatch(path.name).groups()
    try:
        found = _checksum(chunks(path))
        if right not in (None, found):  # torch does not verify checksums
            raise _UnusableError("is damaged")
        state = torch.load(path, map_location=device, weights_only=True)
        of, at = state.get("run", run), state.get("step", int(step))  # earlier versions did not record it
    except (torch.OutOfMemoryError, _UnusableError):
        raise
    except OSError as error:
        raise _UnusableError(f"cannot be read: {error.strerror}") from error
    except DamagedError as error:
        raise _UnusableError("is no regular file") from error
    except Exception as error:  # the type depends on where the file is damaged
        raise _UnusableError("is damaged") from error
    if of != run:
        raise _UnusableError("belongs to another run")
    if at != int(step):
        raise _UnusableError(f"is of step {at}")
    return state


def _checksum(content: Iterable[bytes | memoryview]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for piece in content:
        found.update(piece)
    return found.hexdigest()


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("checkpoint-*.pt") if NAME.fullmatch(path.name)]
    return sorted(found, key=_step, reverse=True)


def _step(path: Path) -> int:
    return int(NAME.fullmatch(path.name)[1])
