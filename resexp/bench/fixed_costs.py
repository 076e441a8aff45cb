"""Fixed costs of the commands: startup, skipping finished runs, drawing figures."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from resexp.config.compose import compose, resolve
from resexp.experiments.runs import folder_of
from resexp.files import PACKAGE

FINISHED_RUNS = 100


def measure(repetitions: int) -> list[dict]:
    """Wall time of each command, each time in a new process.

    Returns:
        Rows of what, repetitions, seconds (median), seconds_lowest, seconds_highest. Drawing is skipped
        without a Makefile, i.e. for an installed wheel.
    """
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        commands = {
            "resexp --help": ["--help"],
            "resexp train, one step of ResNet-20 on MNIST-1D": [
                "train", "schedule.steps=1", "train.device=cpu", f"train.runs={runs}", "name=first",
            ],
            f"a finished sweep of {FINISHED_RUNS} runs": [
                "train", "-m", f"seed=range({FINISHED_RUNS})", f"train.runs={runs}", "name=finished",
            ],
        }  # fmt: skip
        _pretend_finished(runs)
        rows = []
        for what, arguments in commands.items():
            times = []
            for _ in range(repetitions):
                times.append(_seconds([sys.executable, "-m", "resexp", *arguments]))
                for path in runs.glob("first/*/*"):  # else it would be skipped the second time
                    path.unlink()
            rows.append(_row(what, times))
    if (PACKAGE.parent / "Makefile").exists():
        draw = ["make", "figures", "ALL=1", "-C", str(PACKAGE.parent)]
        rows.append(_row("make figures, all of them", [_seconds(draw)]))
    return rows


def _pretend_finished(runs: Path) -> None:
    """Create the folders of finished runs, so that a sweep skips all of them."""
    config = resolve(compose("train", [f"train.runs={runs}", "name=finished"]))
    for seed in range(FINISHED_RUNS):
        one = config | {"seed": seed, "labels": config["labels"] | {"seed": seed}}
        folder = folder_of(one)
        folder.write_config(one)
        folder.write_status("done", step=1, steps=1)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def _row(what: str, times: list[float]) -> dict:
    return {
        "what": what,
        "repetitions": len(times),
        "seconds": statistics.median(times),
        "seconds_lowest": min(times),
        "seconds_highest": max(times),
    }
