"""How a sweep begins and ends."""

import re
import sys

import pytest

from resexp import cli
from resexp.experiments import sweep
from resexp.experiments import train as training


@pytest.mark.parametrize(
    ("statuses", "code"),
    [(["done", "diverged"], 0), (["done", "running"], 0), (["done", "interrupted"], 1), (["failed"], 1)],
)
def test_the_exit_code_says_whether_something_is_left(monkeypatch, statuses, code):
    class Folder:
        def __init__(self, status):
            self.now = status

        def state(self):
            return {"status": self.now}

    checked = sweep.CheckedSweep()
    checked.folders, checked.max_minutes = [Folder(status) for status in statuses], None
    assert checked._sum_up() == code
    checked.max_minutes = 9
    monkeypatch.setattr(sweep.stop, "time_is_up", lambda minutes: minutes == 9)
    assert checked._sum_up() == ("failed" in statuses), "the time was up: the same command goes on"


@pytest.mark.parametrize(
    ("swept", "folders", "checks"),
    [(["seed=range(0,1500)"], 1500, 1), (["model.depth=8,14", "seed=range(0,3)"], 6, 2), (["seed=1"], 1, 1)],
)
def test_runs_that_differ_in_their_seed_are_checked_once(
    swept, folders, checks, monkeypatch, capfd, tmp_path
):
    checked, carried_out = [], []
    monkeypatch.setattr(training, "check", checked.append)
    monkeypatch.setattr(training, "run", lambda config, signals: carried_out.append(config) or "interrupted")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["resexp", "train", "-m", "model=mlp", *swept])
    with pytest.raises(SystemExit):
        cli.main()
    assert len(checked) == checks
    said = capfd.readouterr().out
    assert f"{folders} missing" in said
    seeds = [(config["model"]["depth"], config["seed"], config["labels"]["seed"]) for config in carried_out]
    assert len(set(seeds)) == folders
    assert all(seed == label for _, seed, label in seeds)
    first = said.splitlines()[0]
    assert bool(re.match(r"1,500 runs: ", first)) == (folders == 1500), "of many it is said at once how many"


@pytest.mark.parametrize("seeds", ["-1,0", "0,9223372036854775808", "0,x"])
def test_a_seed_that_cannot_be_is_refused_whichever_it_is(seeds, resexp):
    done = resexp("train", "-m", "model=mlp", f"seed={seeds}")
    assert done.returncode == 2
    assert re.fullmatch(r"resexp: .*seed.*\n", done.stderr)
