"""Atomic file writes, file locks that are released when their process dies, and what comes with the program.

Every package of resexp may import this module; it imports none of them.
"""

import argparse
import errno
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from resexp.exits import NOT_ON_WINDOWS

try:
    import fcntl
except ModuleNotFoundError:
    raise ImportError(NOT_ON_WINDOWS) from None

PACKAGE = Path(__file__).parent
CHUNK = 2**16  # bytes
LARGEST = 2**28  # bytes of a record; real ones are far smaller
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


_HELD: set[TextIO] = set()  # locked files of this process


def _let_go() -> None:
    """A forked process, such as a reader of images, must not keep a lock when this one has died."""
    for file in _HELD:
        file.close()
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)


def shipped(name: str) -> Path:
    """A folder that comes with the program, such as `results/reference`.

    A wheel carries it inside the package, a checkout keeps it beside the package.
    """
    return next((p for p in (PACKAGE / name, PACKAGE.parent / name) if p.is_dir()), PACKAGE / name)


def own_or_shipped(path: Path, name: str) -> Path:
    """A person's own folder, or where there is none the one that comes with the program."""
    return path if path.is_dir() else shipped(name)


@contextmanager
def named(path: Path | str) -> Iterator[None]:
    """Let an OSError of the block say which file it is about; one of an open file does not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _flock(file: TextIO, path: Path, how: int) -> None:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise OSError(error.errno, "the file system has no locks (flock)", str(path)) from error


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` if the block succeeds.

    Readers see either the old file or the new one, never a partial file, even after a crash.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name that nobody can predict, created here: it follows no link that was laid before
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        temporary.open("xb").close()
    except OSError as error:
        error.filename = str(path)  # nobody knows the other name
        raise
    try:
        with named(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_missing(parser: argparse.ArgumentParser, options: argparse.Namespace, *names: str) -> None:
    """Expand these folders among the options.

    Raises:
        ValueError: one that was typed does not exist; the defaults need not.
    """
    for name in names:
        typed = getattr(options, name)
        setattr(options, name, typed.expanduser())
        if typed != parser.get_default(name) and not getattr(options, name).exists():
            raise ValueError(f"--{name}={typed}: there is no such folder")


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


class DamagedError(ValueError):
    """A file that does not hold what its writer writes."""


def chunks(path: Path | str) -> Iterator[bytes]:
    """The contents of a file, piece by piece.

    Raises:
        DamagedError: it is no regular file; a pipe would be waited for.
        OSError: it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # faster than a file object, for 10,000 runs
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise DamagedError(f"{path} is no regular file")
        while chunk := os.read(file, CHUNK):
            yield chunk
            if len(chunk) < CHUNK:  # the end of a regular file
                break
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(file)


def read_regular(path: Path | str) -> bytes:
    """The contents of a file. Raises as `chunks`, and DamagedError if they are larger than any record."""
    found, size = [], 0
    for chunk in chunks(path):
        found.append(chunk)
        if (size := size + len(chunk)) > LARGEST:
            raise DamagedError(f"{path} is damaged: it is larger than {LARGEST // 2**20} MiB")
    return b"".join(found)


def read_json(
    path: Path | str,
    read: Callable[[Path | str], bytes] = read_regular,
    parse: Callable[[str], object] = json.loads,
) -> dict | None:
    """The object that a file of JSON holds; None where there is no file.

    Args:
        path: of the file.
        read: path -> contents.
        parse: contents -> object.
    Raises:
        DamagedError: it is no regular file, may not be read, or holds something else.
    """
    try:
        content = parse(read(path).decode())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedError(f"cannot read {path}: {error.strerror}") from error
    except DamagedError:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: it holds no JSON") from error
    if not isinstance(content, dict):
        raise DamagedError(f"{path} is damaged: it holds no JSON object")
    return content


class LockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path, *, wait: bool, timeout: float = 0.0) -> Iterator[TextIO]:
    """Hold an exclusive lock on `path` and give the open file; the kernel releases it if this process dies.

    Args:
        path: the lock file; created if missing.
        wait: block until the lock is free.
        timeout: with wait=False, how long to retry, in seconds.
    Raises:
        LockedError: another process holds the lock and wait is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # to open a pipe would wait for its reader
        raise OSError(errno.EINVAL, "no regular file", str(path))
    until = time.monotonic() + timeout
    with path.open("a", encoding="utf-8") as file:
        while True:
            try:
                _flock(file, path, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise LockedError(str(path)) from None
                time.sleep(0.01)
        _HELD.add(file)
        try:
            yield file
        finally:
            _HELD.discard(file)


def is_held(path: Path) -> bool:
    """Whether any process holds the exclusive lock on `path`. Concurrent checks do not disturb each other."""
    try:
        file = path.open("a+", encoding="utf-8")  # network file systems require read access for a shared lock
    except OSError:  # no write permission
        file = path.open(encoding="utf-8")
    with file:
        try:
            _flock(file, path, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_same_file(file: TextIO, path: Path) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
