"""From a sweep to its table and its figure."""

import json
import os
import re
import subprocess
import sys

from helpers import ROOT, SMALL_MEASUREMENT, TINY, mentions

from resexp.plots.figures import draw
from resexp.plots.tables import Folders


def test_sweep_collect_figures_end_to_end(resexp, tmp_path):
    sweep = ["train", "-m", "experiment=depth_sweep", *TINY, "schedule.steps=4", "interval=2"]
    small = ["model.depth=8,14", "seed=0,1", "train.workers=1"]
    done = resexp(*sweep, *small)
    assert done.returncode == 0, done.stderr
    assert "8 done" in done.stdout
    counts = re.findall(r"^(\d) of 8 runs finished$", done.stdout, re.MULTILINE)
    assert counts == list("12345678"), "after each run"
    assert "plain8-mnist1d-batch-seed1" in done.stdout
    again = resexp(*sweep, *small)
    assert again.stdout == "8 done\n", "nothing is begun"
    said = resexp("status", "depth_sweep").stdout
    assert said.count(" 4/4 ") == 8
    assert said.count("missing") == 24, "the experiment's own runs are wider and longer"
    collected = resexp("collect", "depth_sweep")
    assert "8 runs, 16 rows" in collected.stdout
    assert re.search(r"^24 of .*24 .*experiment=depth_sweep", collected.stdout, re.MULTILINE)
    table = (tmp_path / "results/tables/depth_sweep.csv").read_bytes()
    resexp("collect", "depth_sweep")
    assert (tmp_path / "results/tables/depth_sweep.csv").read_bytes() == table
    script, reference = ROOT / "scripts/plot_depth_curves.py", ROOT / "results/reference"
    subprocess.run(
        [sys.executable, script, f"--reference={reference}"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True,
    )  # fmt: skip
    files = sorted((tmp_path / "results/figures").iterdir())
    drawn = [path.read_bytes() for path in files]
    draw(script, Folders(tmp_path / "results/tables", reference, tmp_path / "results/figures"))
    assert [path.read_bytes() for path in files] == drawn, "redrawn to the same bytes, by another process"
    facts = json.loads((tmp_path / "results/figures/depth_curves.json").read_text())
    assert facts["rows"][0]["seeds"] == [0, 1]
    assert facts["rows"][0]["training_steps"] == 4
    assert "report/depth_sweep.html: 1 experiment" in resexp("report", "depth_sweep").stdout
    page = (tmp_path / "results/report/depth_sweep.html").read_text()
    assert 'id="figure-depth_curves"' in page
    assert page.count('class="seed"') == 16, "two errors of eight runs"


def test_one_run_of_an_experiment_is_said_to_be_one(resexp):
    tiny = ["schedule.steps=1", "model.depth=8", "train.threads=1"]
    done = resexp("train", "experiment=depth_sweep", *tiny)
    first = done.stdout.splitlines()[0]
    assert re.search(mentions("-m", "experiment=depth_sweep", "model.depth", "seed"), first)
    done = resexp("measure", *SMALL_MEASUREMENT, "name=depth_sweep")
    assert done.returncode == 0, done.stderr
    collected = resexp("collect", "depth_sweep")
    assert (collected.returncode, collected.stdout) == (2, "")
    assert re.search(r"resexp: .*results/runs/depth_sweep.*name=", collected.stderr)


def test_a_damaged_config_does_not_stop_the_collection_of_the_others(resexp, tmp_path):
    tiny = [*TINY, "schedule.steps=2", "interval=2", "model.depth=8", "seed=0,1"]
    assert resexp("train", "-m", "name=two", *tiny).returncode == 0
    first, second = sorted((tmp_path / "results/runs/two").iterdir())
    (first / "config.json").write_text("{")
    collected = resexp("collect", "two")
    assert collected.returncode == 0, collected.stderr
    assert re.search(mentions("1 runs", first.name), collected.stdout.strip())
    assert second.name not in collected.stdout
