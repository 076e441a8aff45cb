"""The comparisons' figures: what is drawn is the mean of what was measured, and nothing is left out."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import Given, mentions, script
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from resexp.plots.figures import draw, main
from resexp.plots.panels import curves, points, stars
from resexp.plots.tables import Folders, final, published

ROOT = Path(__file__).parents[2]
# script -> columns that the sweep varies, its options' column first
SCRIPTS = {
    "shortcut_variants": ["case"],
    "activation_orders": ["block"],
    "activations": ["activation"],
    "relatives": ["case"],
    "initializations": ["case", "model.depth"],
    "width_vs_depth": ["model.depth", "model.widen"],
    "norm_schemes": ["norm", "batch_size"],
    "learning_rates": ["model", "norm", "schedule.learning_rate"],
}


def swept(name):
    params = OmegaConf.load(ROOT / f"conf/experiment/{name}.yaml").hydra.sweeper.params
    found = {key: str(values).split(",") for key, values in params.items()}
    if "case" in found:  # in tables under the name that its file gives it
        found["case"] = [OmegaConf.load(ROOT / f"conf/case/{case}.yaml").case for case in found["case"]]
    return found


def run(key, value, seed, errors, steps=(240, 480)):
    """An error of None: diverged at that step."""
    return [
        {"dataset": "mnist1d", "depth": 8, "seed": seed, key: value, "step": step,
         "test_error_percent": error, "train_error_percent": error and error - 1}
        for step, error in zip(steps, errors, strict=True)
    ]  # fmt: skip


@pytest.fixture
def table():
    lost = run("block", "b", 0, [9, None], (240, 251))
    return pd.DataFrame([*run("block", "a", 0, [9, 4]), *run("block", "a", 1, [9, 6]), *lost])


def test_final_takes_the_last_row_and_sees_what_diverged(table):
    runs = final(table, ["block", "seed"])
    assert runs["test_error_percent"].tolist()[:2] == [4, 6]
    assert runs["diverged"].tolist() == [False, False, True]


def test_points_are_the_seeds_and_the_bar_their_mean(table):
    axes = Figure().subplots()
    labels = {"a": "A", "b": "B", "c": "not there"}
    points(axes, final(table, ["block", "seed"]), "block", labels, {"a": "6.61 %"})
    seeds, mean = axes.lines[0], axes.lines[1]
    assert sorted(seeds.get_xdata()) == [4, 6]
    assert list(mean.get_xdata()) == [5]
    assert {text.get_text() for text in axes.texts} == {"6.61 %", "1 of 1 diverged"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A", "B"]


def test_curves_are_means_and_diverged_runs_are_marked(table):
    axes = Figure().subplots()
    table["x"] = 3
    curves(axes, final(table, ["x", "block", "seed"]), "x", "block", {"a": "A", "b": "B"})
    line, _, _, lost = axes.lines
    assert line.get_xdata().tolist() == [3]
    assert line.get_ydata().tolist() == [5]
    assert lost.get_xdata().tolist() == [3]


def test_stars_stand_at_the_published_numbers():
    axes = Figure().subplots()
    stars(axes, published(Given().reference("comparisons"), "width_vs_depth"))
    found = {
        text.get_text(): line.get_xydata()[0].tolist()
        for text, line in zip(axes.texts, axes.lines, strict=True)
    }
    assert found["28-10"] == [10, 4.17]
    assert found["40-1"] == [1, 6.85]


@pytest.mark.parametrize(("name", "keys"), SCRIPTS.items())
def test_every_option_of_the_sweep_has_a_label(name, keys):
    params, labels = swept(name), script(name).FIGURE.labels
    if name == "learning_rates":
        options = {f"{model} {norm}" for model in params["model"] for norm in params["norm"]}
    else:
        options = set(params[keys[0]])
    assert options <= {str(label) for label in labels}
    assert set(keys) | {"seed"} == set(params)


@pytest.mark.parametrize("name", ["shortcut_variants", "width_vs_depth", "learning_rates"])
def test_scripts_draw_from_tables_alone(name, tmp_path):
    params = swept(name)
    rows = []
    for key, values in params.items():
        rows = [{**row, key: value} for row in rows or [{}] for value in values]
    frames = [
        {"dataset": "mnist1d", "model": "resnet", "norm": "batch", "depth": row.get("model.depth", 8)}
        | row
        | {"step": 480, "epoch": 15.0, "test_error_percent": 5.0, "train_error_percent": 4.0}
        for row in rows
    ]
    pd.DataFrame(frames).to_csv(tmp_path / f"{name}.csv", index=False)
    session = {"device": "CPU", "versions": {"torch": "2"}, "commit": "abc"}
    record = {"protocol": {"schedule.steps": 480}, "runs": [{"sessions": [session]}], "left_out": {}}
    (tmp_path / f"{name}.json").write_text(json.dumps(record))
    draw(
        ROOT / f"scripts/plot_{name}.py", Folders(tmp_path, ROOT / "results/reference", tmp_path / "figures")
    )
    facts = json.loads((tmp_path / f"figures/{name}.json").read_text())
    assert facts["panels"][0]["runs"] == len(rows)
    assert facts["panels"][0]["diverged"] == 0
    assert (tmp_path / f"figures/{name}.png").stat().st_size > 10_000


def test_runs_that_the_options_do_not_tell_apart_are_refused():
    table = pd.DataFrame(run("case", "a", 0, [5.0, 4.0]) + run("case", "a", 0, [9.0, 8.0]))
    with pytest.raises(ValueError, match=mentions("case, seed", "--only")):
        final(table, ["case", "seed"])


@pytest.mark.parametrize("name", ["relatives", "depth_curves"])
def test_without_a_table_a_script_says_how_to_make_one(name, tmp_path, monkeypatch):
    path = ROOT / f"scripts/plot_{name}.py"
    monkeypatch.setattr(sys, "argv", [path.name, f"--tables={tmp_path}", f"--figures={tmp_path}"])
    with pytest.raises(SystemExit) as ended:
        main(str(path))
    (line,) = ended.value.code.splitlines()  # which Python prints, and exits with 1
    assert "resexp train -m experiment=" in line
    assert not list(tmp_path.iterdir())


def test_bars_are_standard_deviations(table):
    axes = Figure().subplots()
    points(axes, final(table, ["block", "seed"]), "block", {"a": "A"}, {})
    (segments,) = axes.containers[0].lines[2][0].get_segments()
    assert np.ptp(segments[:, 0]) / 2 == pytest.approx(2**0.5), "of errors 4 and 6"
