"""What the committed tables must show, and that the pages that quote them are whole."""

import re
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from resexp.plots.compare import final

RESULTS = Path(__file__).parents[1] / "results"


def table(name):
    return pd.read_csv(RESULTS / "tables" / f"{name}.csv", keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def lag_1():
    found = table("shattered_gradients_autocorrelation").query("lag == 1")
    return found.groupby(["setup", "depth"])["autocorrelation"].mean()


def test_centering_shatters_and_the_notebook_does_not(lag_1):
    assert abs(lag_1["balduzzi", 24]) < 0.05
    assert lag_1["udl_notebook", 24] > 0.9
    for setup in lag_1.index.get_level_values("setup").unique():
        if setup.startswith("gain"):
            assert (abs(lag_1[setup, 24]) < 0.05) == ("centered" in setup)


def test_theorem_1_holds_within_five_percent_down_to_six_layers():
    found = (
        table("shattered_gradients_correlation")
        .query("setup == 'balduzzi'")
        .groupby("depth")
        .mean(numeric_only=True)
    )
    for depth in range(1, 7):
        correlation = found["covariance"][depth] / found["variance"][depth]
        assert correlation == pytest.approx(0.5**depth, rel=0.05)


def test_deep_plain_networks_train_worse_and_residual_ones_do_not():
    found = table("depth_sweep")
    last = found[found["step"] == found["step"].max()]
    error = last.groupby(["model", "depth"])["train_error_percent"].mean()
    assert error["plain", 56] > error["plain", 20] + 30
    assert error["resnet", 56] < error["plain", 20]


def test_on_cifar10_too():
    found = table("depth_sweep_cifar10_short")
    error = found[found["step"] == 8000].groupby(["model", "depth"])["train_error_percent"].mean()
    plain = [error["plain", depth] for depth in (20, 32, 44, 56)]
    assert all(deeper > shallower + 3 for shallower, deeper in pairwise(plain))
    assert max(error["resnet"]) < plain[0]
    assert error["resnet"].idxmin() == 32
    # equal to ResNet-20's within three standard errors of a difference of two shares of 51,200
    assert abs(error["resnet", 56] - error["resnet", 20]) < 3 * 0.19
    two_seeds = found[(found["step"] == 8000) & found["depth"].isin([20, 32])].groupby(["model", "depth"])
    assert (two_seeds["seed"].count() == 2).all()
    worst, best = two_seeds["test_error_percent"].max(), two_seeds["test_error_percent"].min()
    assert worst["resnet", 32] < best["resnet", 20], "whichever of the two"
    assert best["plain", 32] > worst["plain", 20]


def final_errors(name, *keys):
    """Mean final test error of each option, diverged runs left out."""
    runs = final(table(name), [*keys, "seed"])
    return runs[~runs["diverged"]].groupby(list(keys))["test_error_percent"].mean()


def test_the_shortcuts_that_fail_in_the_paper_come_last():
    error = final_errors("shortcut_variants", "case")
    failing = ["no_shortcut", "half_shortcut", "exclusive_gate_0", "dropout_half"]
    assert error[failing].min() > error.drop(failing).max()
    assert set(error.nsmallest(2).index) == {"identity", "shortcut_only_gate_6"}


def test_full_preactivation_is_the_best_order():
    assert final_errors("activation_orders", "block").idxmin() == "full_preactivation"


def test_looks_linear_weights_train_where_usual_ones_do_not():
    error = final_errors("initializations", "case", "depth")
    assert error["looks_linear", 56] < error["residual", 56] < error["crelu", 56] / 5


def test_relatives_stand_as_the_page_says():
    error = final_errors("relatives", "case").rename(lambda case: case.removeprefix("relative_"))
    assert set(error.nsmallest(3).index) == {"wide", "ror", "dense"}
    assert error["resnet"] < error["plain"] < error["highway"]
    assert error["resnext"] > error["resnet"] + 0.5
    assert error[["stochastic", "fractal"]].min() > 3 * error["resnet"]


def test_batch_normalization_allows_higher_learning_rates():
    error = final_errors("learning_rates", "model", "norm", "schedule.learning_rate").xs("resnet")
    assert error["batch"].idxmin() > error["none"].idxmin()
    assert error["none"][0.3:].min() > 90 > error["batch"].max()


def test_batch_normalization_suffers_from_small_batches_and_group_normalization_does_not():
    error = final_errors("norm_schemes", "norm", "batch_size")
    assert error["batch", 2] > 2 * error["batch", 8]
    assert error["group", 2] < 1.2 * error["group", 8]
    assert error["ghost"].loc[:32].tolist() == error["batch"].loc[:32].tolist(), "one ghost batch"


@pytest.mark.parametrize("depth", [20, 56])
def test_bfloat16_changes_errors_no_more_than_seeds_do(depth):
    found = table("precision_cifar10").query("step == 500 and depth == @depth")
    error = found.groupby("precision")["test_error_percent"].agg(["mean", "sem", "size"])
    assert error["size"].tolist() == [3, 3]
    assert abs(error["mean"].diff().iloc[1]) < 2 * (error["sem"] ** 2).sum() ** 0.5


def test_the_readme_quotes_the_measured_ratios():
    found = table("bench_cpu").set_index(["model", "depth", "dataset", "variant", "precision"])[
        "ratio_to_usual"
    ]
    ways = [("ours", "float32"), ("ours", "bfloat16"), ("ours, compiled", "bfloat16")]
    ways.append(("ours, side by side", "bfloat16"))
    lines = [re.split(r" *\| *", line) for line in (RESULTS.parent / "README.md").read_text().splitlines()]
    quoted = {cells[1]: cells[2:-1] for cells in lines if len(cells) == 7}
    for network, depth in [("resnet", 20), ("resnet", 56), ("resnet", 110), ("plain", 56)]:
        name = f"{'ResNet' if network == 'resnet' else 'plain'}-{depth}"
        assert quoted[name] == [f"{found[network, depth, 'fake', *way]:.1f}" for way in ways]
    for depth in (20, 56):
        right = [f"{found['resnet', depth, 'mnist1d', *way]:.1f}" for way in ways]
        assert quoted[f"ResNet-{depth}, MNIST-1D"] == right


@pytest.mark.parametrize("page", ["README.md", "results/README.md", "results/reference/README.md"])
def test_no_placeholder_is_left(page):
    text = (RESULTS.parent / page).read_text()
    assert not re.findall(r"[A-Z]+_(?:TABLE|PARAGRAPH)", text)


def test_every_table_is_described_and_every_described_table_is_there():
    text = (RESULTS / "README.md").read_text()
    described = set()
    for line in text.splitlines():
        if line.startswith("| `"):
            names = re.findall(r"`(\w+)`", line.split("|")[1])
            prefix = names[0].rsplit("_", 1)[0]
            described |= {prefix + name if name.startswith("_") else name for name in names}
    assert described == {path.stem for path in (RESULTS / "tables").glob("*.csv")}
