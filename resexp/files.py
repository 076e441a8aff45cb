"""Files that are written whole or not at all, and locks that die with their holder.

The one leaf that every room may import: it knows nothing of what it writes.
"""

import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    A reader sees the old file or the new one, never a part; so does a crash.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name that nobody can predict, created here: it follows no link that was laid before
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    temporary.open("x").close()
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


class DamagedError(ValueError):
    """A file that does not hold what its writer writes."""


def read_json(path: Path) -> dict | None:
    """The object that a file of JSON holds; None where there is no file.

    Raises:
        DamagedError: it is no regular file, or holds something else.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise DamagedError(f"{path} is no regular file")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: it holds no JSON") from error
    if not isinstance(content, dict):
        raise DamagedError(f"{path} is damaged: it holds no JSON object")
    return content


class LockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path, *, wait: bool, patience: float = 0.0) -> Iterator[TextIO]:
    """Hold an exclusive lock on `path` and give the open file; the kernel releases it if this process dies.

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
        yield file


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


def is_same_file(file: TextIO, path: Path) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
