"""Files that are written whole or not at all, and locks that die with their holder.

The one leaf that every room may import: it knows nothing of what it writes.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    A reader sees the old file or the new one, never a part; so does a crash.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write a file of JSON, whole."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


class LockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path, *, wait: bool, patience: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel releases it if this process dies.

    Args:
        path: of the lock file, made if need be.
        wait: for as long as another process holds it.
        patience: otherwise try for so many seconds.
    Raises:
        LockedError: another process holds it, and wait is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise LockedError(str(path)) from None
                time.sleep(0.01)
        yield


def is_held(path: Path) -> bool:
    """Whether somebody holds the exclusive lock on `path`. Several may look at the same time."""
    try:
        file = path.open("a+")  # network file systems want a shared lock's file readable
    except OSError:  # somebody else's folder
        file = path.open()
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
