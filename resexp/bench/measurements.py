"""Cost of measurements: processor time and peak memory of `resexp measure`, each in a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from resexp.experiments.devices import cores
from resexp.records.run import RunFolder


def measure(entries: Sequence[str], runs: Path) -> Iterator[dict]:
    """Carry out each measurement once on one thread, as many at a time as there are cores.

    Args:
        entries: overrides of `resexp measure -m`.
        runs: folder of the trained runs that they may need.
    Yields:
        Rows of measurement, processor_seconds, peak_memory_mib, see _cost. A measurement that fails, as where
        its trained runs are missing, is said and left out.
    """
    with ThreadPoolExecutor(cores()) as pool:  # each waits for its process
        yield from filter(None, pool.map(partial(_row, runs=runs), entries))


def _row(entry: str, runs: Path) -> dict | None:
    """In a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        for path in runs.resolve().iterdir() if runs.is_dir() else ():
            Path(folder, path.name).symlink_to(path)
        if cost := _cost(entry, Path(folder), said):
            return {"measurement": entry, **cost}
        said.seek(0)
        print(f"{entry}: left out: {(said.read().splitlines() or ['it failed'])[-1]}", flush=True)
    return None


def _cost(entry: str, folder: Path, output) -> dict | None:
    """Of one measurement; None if it failed.

    Returns:
        processor_seconds (start of the program included; hardly changed by what else the machine does),
        peak_memory_mib (of its process).
    """
    command = [sys.executable, "-m", "resexp", "measure", "-m", *entry.split(), "threads=1"]
    process = subprocess.Popen(
        [*command, f"runs={folder}", "name=measured"], stdout=output, stderr=output, stdin=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return None
    records = [RunFolder(path).provenance() for path in (folder / "measured").iterdir()]
    peaks = [session["peak_memory_mib"] for record in records for session in record["sessions"]]
    return {
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory_mib": max(peaks),
    }
