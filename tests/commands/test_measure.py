"""Measurements of random networks and of trained runs."""

import csv
import re

from helpers import SMALL_MEASUREMENT, TINY, only_run


def test_measure_collect_and_skip(resexp, tmp_path):
    command = ["measure", "-m", "name=small", "measure=gradient_autocorrelation", *SMALL_MEASUREMENT]
    done = resexp(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 done" in done.stdout
    assert resexp(*command).stdout == "1 done\n", "it is not measured again"
    tables = only_run(tmp_path, "small") / "tables"
    assert {path.stem for path in tables.iterdir()} == {
        "autocorrelation", "covariance", "curves", "gradients", "summary",
    }  # fmt: skip
    assert "done" in resexp("status", "small").stdout
    assert "small_autocorrelation.csv" in resexp("collect", "small").stdout
    refused = resexp("collect", "small", "--tables", "/proc/none")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(r"resexp: cannot write /proc/none: .*--tables\n", refused.stderr)


def test_measure_trained_runs_before_and_after(resexp, tmp_path):
    short = [*TINY, "model.depth=8", "schedule.steps=20", "interval=20"]
    assert resexp("train", *short).returncode == 0
    for measure in ("gradient_autocorrelation", "activation_variance"):
        done = resexp("measure", f"measure={measure}", "name=after", "run=results/runs/single/*", "threads=1")
        assert done.returncode == 0, done.stdout + done.stderr
    folders = [p for p in (tmp_path / "results/runs/after").iterdir() if p.is_dir()]
    assert len(folders) == 2
    (path,) = (tmp_path / "results/runs/after").glob("*/tables/variance.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["stage"] for row in rows} == {"initial", "trained"}
    assert {(row["model"], row["depth"], row["seed"]) for row in rows} == {("resnet", "8", "0")}
    assert len(rows) == 2 * (1 + 3), "before the first of three blocks and after each"
    refused = resexp("measure", "measure=gradient_correlation", "run=results/runs/single/*")
    assert refused.returncode == 2
    assert re.search(r"resexp: measure=gradient_correlation .*run=", refused.stderr)
    refused = resexp(
        "measure", "measure.networks=3", "measure.depths=[1]", "run=results/runs/single/*", "name=options"
    )
    assert refused.returncode == 2
    assert re.search(
        r"measure=gradient_autocorrelation .*measure\.depths, measure\.networks\b", refused.stderr
    )
    assert "setups" not in refused.stderr, "it was not changed"
