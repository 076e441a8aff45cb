"""10,000 runs of one experiment: what `collect` and `status` take. Times are printed, not asserted."""

import copy
import os
import resource
import subprocess
import sys
import time

import pytest
from faults.inside import SHORT
from helpers import ROOT, only_run

from resexp.records.identity import digest
from resexp.records.run import RunFolder

pytestmark = pytest.mark.slow
RUNS = 10_000
# getrusage would count the memory of this process, from which the command is forked
MEASURED = (
    "import sys; from resexp.cli import main; from resexp.records.provenance import peak_memory_mib;"
    " main(); print(peak_memory_mib(), file=sys.stderr)"
)


def copies(run: RunFolder, count: int, *, status: str = "done") -> None:
    """As many runs beside a real one, each with another seed."""
    rows, sessions, config = run.rows(), run.provenance(), run.config()
    for seed in range(1, count):
        config = copy.deepcopy(config)
        config["seed"] = config["labels"]["seed"] = seed
        other = RunFolder(run.path.with_name(f"resnet8-mnist1d-batch-seed{seed}-{digest(config)}"))
        other.write_config(config)
        other.write_rows(rows)
        other.write_status(status, step=8, steps=8)
        other.write_provenance(sessions)


def timed(folder, *arguments: str) -> str:
    """Run the command; print its seconds and its peak memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    elapsed = time.monotonic() - start
    print(f"{arguments[0]}: {cpu:.2f} s of CPU, {elapsed:.2f} s, peak {done.stderr.strip()} MiB")
    return done.stdout


@pytest.mark.parametrize("left", ["done", "failed"])
def test_ten_thousand_runs(resexp, tmp_path, monkeypatch, left):
    assert resexp("train", *SHORT).returncode == 0
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda number: None)  # for the copies
        copies(RunFolder(only_run(tmp_path)), RUNS, status=left)
    print(f"\n{RUNS} runs, {left}")
    assert timed(tmp_path, "status", "single").count("\n") == RUNS + 2
    said = timed(tmp_path, "collect", "single")
    kept = RUNS if left == "done" else 1
    assert f"{kept} runs, {4 * kept} rows" in said
