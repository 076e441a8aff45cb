"""Final errors by setting, and the published numbers beside them."""

import pandas as pd
import pytest
from helpers import ROOT

from resexp.report.contents import Experiment
from resexp.report.numbers import Published, errors_table, number_of


def table(models, depths, dataset="cifar10"):
    """Two steps of a run of each model at each depth; the error falls from 90 to the depth."""
    rows = [
        {"dataset": dataset, "model": model, "depth": depth, "norm": "batch", "seed": 0, "step": step}
        | {"test_error_percent": error}
        for model in models
        for depth in depths
        for step, error in ((1, 90), (2, depth))
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def published():
    return Published(ROOT / "results/reference")


def test_a_sweep_of_depths_on_cifar10_has_table_6_of_he_2015(published):
    found = table(["resnet"], [20, 56, 110])
    numbers = published.of(Experiment("mine", tables={"mine": found}))
    assert [row[-1] for row in errors_table(found, numbers, "here").rows[:2]] == ["8.75", "6.97"]
    found = table(["plain", "resnet"], [20, 56, 110])
    numbers = published.of(Experiment("mine", tables={"mine": found}))
    shown = {(row[0], row[1][0]): row[-1] for row in errors_table(found, numbers, "here").rows}
    assert shown["resnet", "20"] == "8.75"
    assert shown["resnet", "56"] == "6.97"
    assert shown["resnet", "110"] == "6.43 (best of 5), 6.61 (mean of 5 runs)"
    assert shown["plain", "20"] == ""


@pytest.mark.parametrize("other", [{"dataset": "mnist1d"}, {"models": ["resnet", "fleuret"], "swept": True}])
def test_another_dataset_or_another_sweep_has_not(published, other):
    found = table(other.get("models", ["plain", "resnet"]), [20], other.get("dataset", "cifar10"))
    if "swept" in other:
        found.insert(5, "activation", ["relu", "relu", "elu", "elu"])
        found = pd.concat([found, found.assign(activation="gelu")])
    assert not len(published.of(Experiment("mine", tables={"mine": found})))


def test_the_published_protocol_of_a_comparison_has_the_numbers_of_its_preset(published):
    numbers = published.of(Experiment("activation_orders_cifar10"))
    assert number_of({"block": "full_preactivation"}, ["block"], numbers) == "6.37"
    widths = published.of(Experiment("width_vs_depth"))
    assert number_of({"depth": 28, "model.widen": 10}, ["depth", "model.widen"], widths) == "4.17"
    assert number_of({"depth": 10, "model.widen": 28}, ["depth", "model.widen"], widths) == ""


def test_without_a_folder_of_reference_nothing_is_published(tmp_path):
    assert not len(Published(tmp_path).of(Experiment("activation_orders")))
