"""Sweeps by other launchers and sweepers of Hydra: the runs and the table of resexp's own."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from helpers import TIMES, TINY

SWEEP = [
    "train",
    "-m",
    *TINY,
    "model=resnet",
    "model.depth=8,14",
    "schedule.steps=8",
    "interval=2",
    "seed=0,1",
]
PLUGINS = {"joblib": "joblib", "submitit_local": "submitit", "ray": "ray"}

pytestmark = pytest.mark.launchers


def table(new_process, folder: Path, runs: str) -> tuple[list[str], list[list[str]]]:
    """The names of the runs of a sweep, and their collected table without times."""
    collected = new_process("collect", "single", f"--runs={runs}", f"--tables={runs}")
    assert collected.returncode == 0, collected.stderr
    head, *rows = [line.split(",") for line in (folder / runs / "single.csv").read_text().splitlines()]
    taken = [k for k, name in enumerate(head) if name not in TIMES]
    names = sorted(path.name for path in (folder / runs / "single").iterdir() if path.is_dir())
    return names, [[row[k] for k in taken] for row in [head, *rows]]


@pytest.mark.parametrize("launcher", PLUGINS)
def test_a_launcher_gives_the_runs_and_the_table_of_the_basic_one(launcher, new_process, tmp_path):
    if find_spec(f"hydra_plugins.hydra_{PLUGINS[launcher]}_launcher") is None:
        pytest.skip(f"hydra-{PLUGINS[launcher]}-launcher is not installed")
    own = new_process(*SWEEP, "train.runs=own")
    assert own.returncode == 0, own.stderr
    awake = {"RAY_worker_niceness": "0"}  # ray's workers have the lowest priority otherwise
    done = new_process(*SWEEP, "train.runs=other", f"hydra/launcher={launcher}", env=awake)
    assert done.returncode == 0, done.stderr
    assert "4 done" in done.stdout.splitlines(), "before or behind what ray's workers print"
    names, rows = table(new_process, tmp_path, "own")
    assert len(names) == 4
    assert len(rows) == 1 + 4 * 4
    assert table(new_process, tmp_path, "other") == (names, rows)
    again = new_process(*SWEEP, "train.runs=other", f"hydra/launcher={launcher}")
    assert again.stdout.splitlines() == ["4 done"], "nothing is left to launch"


def test_optuna_is_given_its_expressions_and_the_error_of_each_run(new_process, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ["train", "-m", *TINY, "model=resnet", "schedule.steps=4", "interval=2", "name=search"]
    search += ["model.depth=choice(8,14)", "schedule.learning_rate=interval(0.01,0.2)"]
    search += ["dataset.val_size=500", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3"]
    done = new_process(*search, "hydra.sweeper.n_jobs=1")
    assert done.returncode == 0, done.stderr
    errors = {}
    runs = tmp_path / "results" / "runs"
    for path in (runs / "search").glob("*/config.json"):
        config = json.loads(path.read_text())
        head, *_, last = [line.split(",") for line in (path.parent / "rows.csv").read_text().splitlines()]
        chosen = config["model"]["depth"], config["schedule"]["learning_rate"]
        errors[chosen] = float(dict(zip(head, last, strict=True))["val_error_percent"])
    assert len(errors) == 3
    best = yaml.safe_load((runs / "optimization_results.yaml").read_text())
    assert best["best_value"] == min(errors.values())
    found = best["best_params"]
    assert errors[found["model.depth"], found["schedule.learning_rate"]] == best["best_value"]


def test_a_setting_that_optuna_proposes_is_checked_before_it_is_trained(new_process):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ["train", "-m", *TINY, "model=resnet", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1"]
    done = new_process(*search, "model.depth=choice(9)", "hydra.sweeper.n_jobs=1")
    assert done.returncode == 2, done.stderr
    assert "got 9" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
