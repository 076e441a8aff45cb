import re

import numpy as np
import pandas as pd
import pytest
from helpers import Given, mentions, script

from resexp.plots import style


@pytest.fixture(scope="module")
def plot():
    return script("depth_curves")


def drawn(plot, frame):
    return plot.draw(Given(depth_sweep=frame)).axes


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


def test_the_lines_are_the_tables_means(plot):
    axes = drawn(plot, table())
    line = next(x for x in axes[0].lines if x.get_color() == style.shade("plain", 56))
    assert line.get_xydata().tolist() == [[1000, 56], [2000, 55]]  # the mean of seeds 0, 1, 2 adds 1


def test_the_published_curve_stands_behind_at_its_own_fraction_of_the_schedule(plot):
    axes = drawn(plot, table())
    curves = Given().reference("udl_fig11_2_depth_degradation")
    for panel, ax in zip(("test", "train"), axes, strict=False):
        for depth in (20, 56):
            right = curves[(curves["panel"] == panel) & (curves["depth"] == depth)]
            expected = np.stack([right["step"] * 2000 / 64_000, right["error_percent"]], axis=1)
            assert any(
                line.get_xydata().shape == expected.shape and np.allclose(line.get_xydata(), expected)
                for line in ax.lines
            )


def test_table_6_is_marked_on_cifar10_only(plot):
    def marks(dataset):
        axes = drawn(plot, table(dataset))[2]
        return [line for line in axes.lines if line.get_marker() == "*"]

    (stars,) = marks("cifar10")
    assert [20, 8.75] in stars.get_xydata().tolist()
    assert [56, 6.97] in stars.get_xydata().tolist()
    assert not marks("mnist1d")


def test_final_errors_are_means_with_their_standard_deviation(plot):
    axes = drawn(plot, table("mnist1d"))[2]
    plain_test = axes.containers[0]
    assert plain_test.lines[0].get_xydata().tolist() == [[20, 19], [56, 55]]
    low, high = plain_test.lines[2][0].get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(1.0)  # of seeds 0, 1, 2


@pytest.mark.parametrize("step", [1500, 2000])
def test_a_run_that_diverged_is_named(plot, step):
    cut = table()
    lost = (cut["depth"] == 56) & (cut["model"] == "plain") & (cut["seed"] == 2) & (cut["step"] == 2000)
    cut.loc[lost, "step"] = step
    cut.loc[lost, ["test_error_percent", "train_error_percent"]] = float("nan")
    axes = drawn(plot, cut)[2]
    assert "plain-56 seed 2 diverged" in [text.get_text() for text in axes.texts]


def test_facts_say_how_the_run_departs(plot):
    provenance = {
        "protocol": {
            "schedule.steps": 2000, "schedule.learning_rate": 0.1, "schedule.divide_at": [0.5, 0.75],
            "precision": "bfloat16", "batch_size": 128,
        },
        "left_out": {"plain110": "interrupted"},
        "runs": [{"run": "plain56", "status": "diverged", "step": 7, "sessions": [{"device": "CPU"}]}],
    }  # fmt: skip
    said = plot.described("t", table(), provenance)
    assert any(re.match(mentions("2,000", "64,000"), line) for line in said["departures_from_the_paper"])
    assert any("bfloat16" in line for line in said["departures_from_the_paper"])
    assert said["not_done"] == ["plain56: diverged at step 7", "plain110: interrupted"]
    assert said["seeds"] == [0, 1, 2]
    whole = table()
    fewer = whole[(whole["depth"] != 56) | (whole["model"] != "plain") | (whole["seed"] != 1)]
    assert plot.described("t", fewer, provenance)["seeds"]["plain-56"] == [0, 2]


def test_models_differ_by_more_than_colour():
    assert style.line("plain", 20)["linestyle"] != style.line("resnet", 20)["linestyle"]
    assert style.MARKERS["plain"] != style.MARKERS["resnet"]


def test_deeper_is_darker():
    brightness = [sum(style.shade("resnet", depth)) for depth in (8, 20, 32, 44, 56, 110)]
    assert brightness == sorted(brightness, reverse=True)
    assert len(set(brightness)) == 6


def test_models_and_datasets_that_nobody_named_are_drawn_too(plot):
    frame = table("svhn").replace({"model": {"resnet": "densenet"}})
    axes = drawn(plot, frame)
    assert "svhn" in axes[0].get_title()
    assert style.color("densenet") not in (style.color("plain"), style.color("resnet"))
    assert style.color("densenet") == style.color("densenet")
