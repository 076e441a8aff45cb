"""Provenance of a result: command, commit, versions, machine."""

import datetime
import functools
import os
import platform
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

CODE = (".", ":!results")  # results/ is written by the runs themselves and contains no code
PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv")
MOST = 2**20  # bytes that are kept of a diff


def now() -> str:
    """Current UTC time, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def session(packages: Iterable[str], device: str) -> dict:
    """Provenance of this process at its start.

    Args:
        packages: names of the packages whose versions are recorded.
        device: name of the device used for the computation.
    """
    return {
        "command": f"{Path(sys.argv[0]).name} {shlex.join(sys.argv[1:])}",
        **source(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "device": device,
        "cores": os.cpu_count(),
        "start": now(),
    }


def source() -> dict:
    """Commit of the code and whether the working tree is dirty; None outside a git repository."""
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():  # installed as a package: a parent folder may be an unrelated repository
        return {"commit": None, "dirty": None}
    commit = _git(top, "rev-parse", "HEAD")
    changes = _git(top, "status", "--porcelain", "--", *CODE)
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


@functools.cache
def changes() -> bytes:
    """See diff; of the tree that this code comes from, as the process first found it."""
    return diff(Path(__file__).parents[2])


def diff(top: Path, most: int = MOST) -> bytes:
    """What distinguishes a working tree from its commit, for `git apply`.

    New files are included unless git ignores them; of binary files it only says that they differ.

    Args:
        top: of the tree.
        most: bytes; where there are more the rest is cut, which the last line says.
    """
    found = _at_most(top, most + 1, "diff", *PLAIN, "HEAD", "--", *CODE)
    new = (_git(top, "ls-files", "--others", "--exclude-standard", "-z", "--", *CODE) or "").split("\0")
    for path in filter(None, new):
        if len(found) > most:
            break
        found += _at_most(top, most + 1, "diff", *PLAIN, "--no-index", "--", os.devnull, path)
    if len(found) > most:
        found = found[:most] + f"\n... cut after {most} bytes\n".encode()
    return found


def peak_memory_mib() -> float:
    """Peak resident memory of this process so far, MiB."""
    try:
        # getrusage would include the memory of the parent process at the time of the fork
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return round(next(int(x.split()[1]) for x in lines if x.startswith("VmHWM:")) / 2**10, 1)
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 2**10  # macOS counts in bytes, others in KiB
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def _git(top: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(top), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _at_most(top: Path, size: int, *arguments: str) -> bytes:
    """The first bytes of what git prints; none where it cannot be run."""
    command = ["git", "-C", str(top), *arguments]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            found = process.stdout.read(size)
            process.kill()  # without effect if it has ended
    except OSError:
        return b""
    return found
