import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resexp.plots import style

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("plot", ROOT / "scripts" / "plot_depth_curves.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def references(script):
    return [pd.read_csv(ROOT / name) for name in script.REFERENCES]


def table(dataset="cifar10", steps=2000):
    rows = [
        (dataset, model, depth, seed, step, depth + seed - step / 1000, depth - seed - step / 1000)
        for model in ("plain", "resnet")
        for depth in (20, 56)
        for seed in (0, 1, 2)
        for step in (steps // 2, steps)
    ]
    return pd.DataFrame(
        rows,
        columns=["dataset", "model", "depth", "seed", "step", "test_error_percent", "train_error_percent"],
    )


def test_the_lines_are_the_tables_means(script, references):
    axes = script.draw([table()], *references).axes
    line = next(x for x in axes[0].lines if x.get_color() == style.shade("plain", 56))
    assert line.get_xydata().tolist() == [[1000, 56], [2000, 55]]  # the mean of seeds 0, 1, 2 adds 1


def test_the_published_curve_stands_behind_at_its_own_fraction_of_the_schedule(script, references):
    axes = script.draw([table()], *references).axes
    curves = references[0]
    for panel, ax in zip(("test", "train"), axes, strict=False):
        for depth in (20, 56):
            right = curves[(curves["panel"] == panel) & (curves["depth"] == depth)]
            expected = np.stack([right["step"] * 2000 / 64_000, right["error_percent"]], axis=1)
            assert any(
                line.get_xydata().shape == expected.shape and np.allclose(line.get_xydata(), expected)
                for line in ax.lines
            )


def test_table_6_is_marked_on_cifar10_only(script, references):
    def marks(dataset):
        axes = script.draw([table(dataset)], *references).axes[2]
        return [line for line in axes.lines if line.get_marker() == "*"]

    (stars,) = marks("cifar10")
    assert [20, 8.75] in stars.get_xydata().tolist()
    assert [56, 6.97] in stars.get_xydata().tolist()
    assert not marks("mnist1d")


def test_final_errors_are_means_with_their_standard_deviation(script, references):
    axes = script.draw([table("mnist1d")], *references).axes[2]
    plain_test = axes.containers[0]
    assert plain_test.lines[0].get_xydata().tolist() == [[20, 19], [56, 55]]
    low, high = plain_test.lines[2][0].get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(1.0)  # of seeds 0, 1, 2


@pytest.mark.parametrize("step", [1500, 2000])
def test_a_run_that_diverged_is_named(script, references, step):
    cut = table()
    lost = (cut["depth"] == 56) & (cut["model"] == "plain") & (cut["seed"] == 2) & (cut["step"] == 2000)
    cut.loc[lost, "step"] = step
    cut.loc[lost, ["test_error_percent", "train_error_percent"]] = float("nan")
    axes = script.draw([cut], *references).axes[2]
    assert "plain-56 seed 2 diverged" in [text.get_text() for text in axes.texts]


def test_facts_say_how_the_run_departs(script, tmp_path):
    provenance = {
        "protocol": {
            "schedule.steps": 2000, "schedule.learning_rate": 0.1, "schedule.divide_at": [0.5, 0.75],
            "precision": "bfloat16", "batch_size": 128,
        },
        "left_out": {"plain110": "interrupted"},
        "runs": [{"run": "plain56", "status": "diverged", "step": 7, "sessions": [{"device": "CPU"}]}],
    }  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps(provenance))
    said = script.facts(tmp_path / "t.csv", table())
    assert any("2,000 of 64,000 steps" in line for line in said["departures_from_the_paper"])
    assert any("bfloat16" in line for line in said["departures_from_the_paper"])
    assert said["not_done"] == ["plain56: diverged at step 7", "plain110: interrupted"]
    assert said["seeds"] == [0, 1, 2]
    whole = table()
    fewer = whole[(whole["depth"] != 56) | (whole["model"] != "plain") | (whole["seed"] != 1)]
    assert script.facts(tmp_path / "t.csv", fewer)["seeds"]["plain-56"] == [0, 2]


def test_models_differ_by_more_than_colour():
    assert style.line("plain", 20)["linestyle"] != style.line("resnet", 20)["linestyle"]
    assert style.MARKERS["plain"] != style.MARKERS["resnet"]


def test_deeper_is_darker():
    brightness = [sum(style.shade("resnet", depth)) for depth in (8, 20, 32, 44, 56, 110)]
    assert brightness == sorted(brightness, reverse=True)
    assert len(set(brightness)) == 6
