"""What the committed tables must show, and that the pages that quote them are whole."""

import re
from pathlib import Path

import pandas as pd
import pytest

RESULTS = Path(__file__).parents[1] / "results"


def table(name):
    return pd.read_csv(RESULTS / "tables" / f"{name}.csv")


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
    final = found[found["step"] == found["step"].max()]
    error = final.groupby(["model", "depth"])["train_error_percent"].mean()
    assert error["plain", 56] > error["plain", 20] + 30
    assert error["resnet", 56] < error["plain", 20]


def test_on_cifar10_too():
    found = table("depth_sweep_cifar10_short")
    error = found[found["step"] == 8000].set_index(["model", "depth"])["train_error_percent"]
    assert error["plain", 56] > error["plain", 20] + 10
    assert error["resnet", 56] < error["plain", 20]
    # equal to ResNet-20's within three standard errors of a difference of two shares of 51,200
    assert abs(error["resnet", 56] - error["resnet", 20]) < 3 * 0.19


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
