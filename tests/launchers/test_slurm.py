"""A sweep on SLURM, one run killed, one out of time and preempted: the table of the basic launcher."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT, TIMES, TINY
from launchers.cluster import ask, cluster, missing, until

SWEEP = ["train", "-m", *TINY, "model=resnet", "model.depth=8,32", "schedule.steps=300", "interval=10"]
SWEEP += ["seed=0,1", "name=four", "train.checkpoint_minutes=0.01"]
SLURM = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=3"]
SLURM += ["hydra.launcher.signal_delay_s=10", "hydra.launcher.max_num_timeout=20"]


@pytest.fixture
def slurm(tmp_path):
    """Variables of a cluster that ends with the test."""
    if why := missing():
        pytest.skip(why)
    with cluster(tmp_path / "slurm") as environment:
        yield environment


@pytest.mark.slurm
def test_a_sweep_on_slurm_outlives_a_kill_and_a_time_limit(slurm, new_process, tmp_path):
    command = [sys.executable, "-m", "resexp", *SWEEP, *SLURM]
    env = os.environ | slurm | {"PYTHONPATH": str(ROOT)}
    runs = tmp_path / "results" / "runs" / "four"
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        waiting = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=log)
    try:
        until(lambda: rows(run(runs, "resnet32", 0)) >= 2, 200, "two rows of a run that is then killed")
        os.kill(process_of_job(slurm, index=2), signal.SIGKILL)
        until(
            lambda: rows(run(runs, "resnet32", 1)) >= 2, 200, "two rows of a run that then runs out of time"
        )
        (job,) = (name for name in running(slurm) if name.endswith("_3"))
        ask(slurm, "scancel", "--signal=USR2", job)  # as SLURM does `signal_delay_s` before the limit
        until(lambda: "Requeued job" in logs(tmp_path, job), 60, "the job in the queue again")
        until(lambda: "resuming from step" in logs(tmp_path, job), 120, "the run resumed")
        began = logs(tmp_path, job).count("Starting with")
        ask(slurm, "sbatch", "--partition=first", "--ntasks=2", "--output=/dev/null", "--wrap=sleep 1")
        until(lambda: logs(tmp_path, job).count("Starting with") > began, 120, "the preempted job again")
        until(lambda: not ask(slurm, "squeue", "-h").strip(), 240, "an empty queue")
    finally:
        waiting.send_signal(signal.SIGINT)  # without accounting submitit waits for the killed job for ever
        waiting.wait(timeout=60)
    assert "Bypassing signal SIGTERM" in logs(tmp_path, job)
    again = new_process(*SWEEP, *SLURM, "hydra.launcher.timeout_min=9", env=slurm)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == "4 done"
    assert_same_as_here(new_process, tmp_path)


def assert_same_as_here(new_process, folder: Path) -> None:
    """The same runs, and the same table but for times, as by the basic launcher."""
    done = new_process(*SWEEP, "train.runs=here")
    assert done.returncode == 0, done.stderr
    assert names(folder / "here" / "four") == names(folder / "results" / "runs" / "four")
    for runs in ("here", "results/runs"):
        assert new_process("collect", "four", f"--runs={runs}", f"--tables={runs}").returncode == 0
    assert without_times(folder / "here") == without_times(folder / "results" / "runs")


def without_times(folder: Path) -> str:
    table = pd.read_csv(folder / "four.csv", dtype=str, keep_default_na=False)
    assert len(table) == 120
    return table.drop(columns=TIMES & set(table)).to_csv()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def run(runs: Path, model: str, seed: int) -> Path | None:
    return next(iter(runs.glob(f"{model}-*-seed{seed}-*")), None)


def rows(folder: Path | None) -> int:
    path = folder and folder / "rows.csv"
    return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path and path.exists() else 0


def running(environment: dict[str, str]) -> list[str]:
    return ask(environment, "squeue", "-h", "-r", "-t", "R", "-o", "%i").split()


def logs(folder: Path, job: str) -> str:
    """What a job has printed, each time that it was started."""
    found = sorted((folder / "results" / "runs" / ".submitit" / job).glob("*_log.out"))
    return "\n".join(path.read_text(encoding="utf-8") for path in found)


def process_of_job(environment: dict[str, str], index: int) -> int:
    """The process that trains, of a job of the array."""
    wanted = {f"SLURM_CONF={environment['SLURM_CONF']}", f"SLURM_ARRAY_TASK_ID={index}"}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            known = set((folder / "environ").read_bytes().decode(errors="replace").split("\0"))
        except OSError:
            continue  # it has just ended
        if b"submitit.core._submit" in words and b"srun" not in words[0] and wanted <= known:
            return int(folder.name)
    raise AssertionError(f"no process of job {index}")
