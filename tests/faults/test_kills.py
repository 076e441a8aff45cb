"""50 SIGKILLs at random moments, and eight processes that want the same run."""

import collections
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
from faults.inside import SMALL, tell
from helpers import ROOT, numbers, only_run

pytestmark = pytest.mark.slow
LONGER = [*SMALL, "schedule.steps=400", "interval=20"]


def sessions(run) -> int:
    path = run / "provenance.json"
    return path.read_text().count('"start"') if path.exists() else 0


def test_fifty_kills_lose_nothing(resexp, background, tmp_path):
    """Each once the run has begun: at most a second later, in a row, a checkpoint or a step."""
    assert resexp("train", "name=whole", *LONGER).returncode == 0
    whole, draws, counts = only_run(tmp_path, "whole"), random.Random(0), collections.Counter()
    run = tmp_path / "results/runs/killed" / whole.name
    while counts["kills"] < 50:
        before = sessions(run)
        process = background("train", "name=killed", "train.checkpoint_minutes=0.001", *LONGER)
        while sessions(run) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draws.random() * 0.4)
        counts["kills"] += process.poll() is None
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            counts["runs finished between kills, with the uninterrupted numbers"] += 1
            assert numbers(run) == numbers(whole)
            run.rename(tmp_path / f"finished{counts['kills']}")
    assert resexp("train", "name=killed", *LONGER).returncode == 0
    assert numbers(run) == numbers(whole)
    assert not list(run.glob(".*.part"))
    tell("SIGKILL", counts | {"lost": 0})


def test_eight_processes_on_one_run(resexp, tmp_path):
    assert resexp("train", "name=whole", *LONGER).returncode == 0
    command = [sys.executable, "-m", "resexp", "train", "name=raced", *LONGER]
    counts = collections.Counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    racing = [subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) for _ in range(8)]
    for process in racing:
        out, err = process.communicate()
        counts[f"exit code {process.returncode}"] += 1
        counts["trained it"] += bool(re.search(r": done at step 400", out))
        assert process.returncode in (0, 2)
        if process.returncode == 2:
            assert re.fullmatch(r"resexp: .*`resexp status`.*\n", err)
    assert counts["trained it"] == 1
    run = only_run(tmp_path, "raced")
    assert numbers(run) == numbers(only_run(tmp_path, "whole"))
    assert sessions(run) == 1
    tell("eight racing processes", counts | {"lost": 0})
