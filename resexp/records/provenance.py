"""Provenance of a result: command, commit, versions, machine."""

import datetime
import os
import platform
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path


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
    # results/ is written by the runs themselves and contains no code
    changes = _git(top, "status", "--porcelain", "--", ".", ":!results")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


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
