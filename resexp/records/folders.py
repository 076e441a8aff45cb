"""Find runs on the disk: the folder of a run, the runs of an experiment, the experiments."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from resexp.files import DamagedError
from resexp.records.identity import digest_of, identity
from resexp.records.run import RunFolder


def find(root: Path, label: str, wanted: dict) -> RunFolder:
    """The folder of the run with this identity: `<root>/<label>-<digest>`.

    Earlier versions computed the digest differently, so an existing folder whose run has the same
    identity is used instead.

    Raises:
        ValueError: the folder of this name holds another run: it was put there, or has the same digest.
    """
    path = root / f"{label}-{digest_of(wanted)}"
    if path.exists():
        _refuse_another(RunFolder(path), wanted)
    elif root.is_dir():
        for name in _by_label(root, root.stat().st_mtime_ns).get(label, ()):
            if _identity(RunFolder(root / name)) == wanted:
                return RunFolder(root / name)
    return RunFolder(path)


def _refuse_another(run: RunFolder, wanted: dict) -> None:
    """A damaged config is another matter: the same command restores it."""
    found = _identity(run)
    if found not in (None, {}, wanted):
        keys = ", ".join(sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k)))
        raise ValueError(f"{run.path} holds another run, with different {keys}: move or delete that folder")


def _identity(run: RunFolder) -> dict | None:
    try:
        return identity(run.config())
    except DamagedError:
        return None


@lru_cache(maxsize=8)
def _by_label(root: Path, changed: int) -> dict[str, list[str]]:
    """Label -> names of the folders that carry it; `changed`, a modification time, invalidates the cache."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(root)):
        found.setdefault(name.rpartition("-")[0], []).append(name)
    return found


def folders(root: Path) -> Iterator[RunFolder]:
    """All runs in `root`, sorted by name, also those that may not be read.

    Raises:
        PermissionError: `root` may not be read: runs are never passed over in silence.
    """
    return (RunFolder(root / name) for name in sorted(_subfolders(root)) if _is_run(f"{root}/{name}"))


def experiments(root: Path) -> list[str]:
    """Names of the folders in `root` that hold runs, sorted. Raises as `folders`."""
    return sorted(
        name
        for name in _subfolders(root)
        if any(_is_run(f"{root}/{name}/{inside}") for inside in _subfolders(root / name))
    )


def _subfolders(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []


def _is_run(path: str) -> bool:
    """Whether a folder has a run's files, or may have them: who cannot look is told so when they are read."""
    return _may_exist(f"{path}/config.json") or _may_exist(f"{path}/status.json")


def _may_exist(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        pass
    return True


def commands_in(root: Path) -> Iterator[str]:
    """The command of each run in `root` whose config can be read, sorted by name."""
    for run in folders(root):
        try:
            yield run.config()["command"]
        except (DamagedError, KeyError):
            continue
