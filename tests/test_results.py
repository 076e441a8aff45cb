"""What the committed tables must show, and that the pages that quote them are whole."""

import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from resexp.plots.orderings import paired_difference
from resexp.plots.tables import final

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
            assert (abs(lag_1[setup, 24]) < 0.05) == ("centered" in setup or "batch" in setup)


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


def test_deep_plain_networks_train_worse_on_cifar10_and_residual_ones_do_not():
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


def test_the_shortcuts_fall_into_the_groups_of_the_paper():
    error = final_errors("shortcut_variants", "case")
    found = pd.read_csv(RESULTS / "reference" / "comparisons.csv").set_index(["experiment", "option"])[
        "value"
    ]
    published = found["shortcut_variants"][error.index]
    failing = published.str.startswith("fail")
    number = pd.to_numeric(published.where(~failing))
    good, middle = error[number < 10], error[number > 12]
    assert good.max() < middle.min()
    assert middle.max() < error[failing].min()


def test_looks_linear_weights_train_where_usual_ones_do_not():
    error = final_errors("initializations", "case", "depth")
    assert error["looks_linear", 56] < error["residual", 56] < error["crelu", 56] / 5


def test_batch_normalization_allows_higher_learning_rates():
    error = final_errors("learning_rates", "model", "norm", "schedule.learning_rate").xs("resnet")
    assert error["batch"].idxmin() > error["none"].idxmin()
    assert error["none"][0.3:].min() > 90 > error["batch"].max()


@pytest.mark.parametrize("depth", [20, 56])
def test_bfloat16_changes_errors_no_more_than_seeds_do(depth):
    found = table("precision_cifar10").query("step == 500 and depth == @depth")
    error = found.groupby("precision")["test_error_percent"].agg(["mean", "sem", "size"])
    assert error["size"].tolist() == [3, 3]
    assert abs(error["mean"].diff().iloc[1]) < 2 * (error["sem"] ** 2).sum() ** 0.5


WAYS = [("ours", "float32"), ("ours", "bfloat16"), ("ours, compiled", "bfloat16")]
WAYS.append(("ours, side by side", "bfloat16"))
NETWORKS = {f"{name}-{depth}": (name.lower(), depth, "fake")
            for name, depth in [("ResNet", 20), ("ResNet", 56), ("ResNet", 110), ("plain", 56)]}  # fmt: skip
NETWORKS |= {f"ResNet-{depth}, MNIST-1D": ("resnet", depth, "mnist1d") for depth in (20, 56)}


def test_speed_quotes_the_measured_milliseconds():
    keys = ["model", "depth", "dataset", "variant", "precision"]
    found, ways = table("bench_cpu").set_index(keys)["ms_per_step"], [("usual", "float32"), *WAYS]
    lines = [re.split(r" *\| *", line) for line in (RESULTS / "SPEED.md").read_text().splitlines()]
    # the first table of that width
    quoted = {cells[1]: cells[2:-1] for cells in reversed(lines) if len(cells) == len(ways) + 3}
    for name, network in NETWORKS.items():
        assert quoted[name] == [f"{found[*network, *way]:.4g}" for way in ways]


def test_speed_quotes_the_cost_of_each_study_and_its_ratio_to_the_obvious_loop():
    found = table("bench_studies_measures").set_index("measurement")
    found.index = found.index.str.split().str[0]
    seconds, memory = found["processor_seconds"], found["peak_memory_mib"]
    page = (RESULTS / "SPEED.md").read_text()
    quoted = {
        cells[0]: cells[2:] for cells in re.findall(r"^\| `(.+?)` \|" + 4 * r" (.*?) ?\|" + "$", page, re.M)
    }
    assert quoted.keys() == set(found.index)
    loops = {"measure=lesion": "measure=obvious_lesions", "measure=loss_surface": "measure=obvious_surface"}
    for name, (time, peak, ratio) in quoted.items():
        right = f"{seconds[loops[name]] / seconds[name]:.2f}" if name in loops else ""
        assert (time, peak, ratio) == (f"{seconds[name]:.0f} s", f"{memory[name]:,.0f} MiB", right), name
    assert seconds["measure=obvious_lesions"] > 1.8 * seconds["measure=lesion"]


class Row(NamedTuple):
    """Of a table in FINDINGS.md."""

    table: str
    quantities: list[tuple[str, dict]]  # column and settings of each number of `ours`
    seeds: int
    setting: str
    ours: str
    published: str
    verdict: str = "-"


def findings():
    """The rows of all tables in FINDINGS.md, each with what its section and its heading say.

    `key=value` in the heading or the first cell chooses rows, other words in code are columns; a number
    inherits from the one before it. "n = 3" above a table is how many runs or networks stand behind a number.
    The setting of an ordering is two of them with > between, of which the second inherits from the first.
    """
    name, seeds, quantities, rows = "", 0, [], []
    for line in (RESULTS / "FINDINGS.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            name = found[1] if (found := re.search(r"\(tables/(\w+)\.csv\)", line)) else name
            seeds = int(found[1]) if (found := re.search(r"\bn = (\d+)", line)) else seeds
        elif cells[0] in ("setting", "ordering"):
            quantities, column, where = [], "", {}
            for part in cells[1].split(" / "):
                for word in re.findall(r"`(.+?)`", part):
                    if "=" in word:
                        where = where | dict([word.split("=")])
                    else:
                        column = word
                quantities.append((column, where))
        elif not cells[0].startswith("---"):
            rows.append(Row(name, quantities, seeds, *cells))
    return rows


@cache
def measured(name):
    """A table with the quantities that FINDINGS.md derives; of trained networks the final errors."""
    found = table(name)
    if "test_error_percent" in found:
        runs = final(found, list(found.columns[: found.columns.get_loc("step")]))
        return runs[~runs["diverged"]]
    if "covariance" in found:
        found["correlation"] = found["covariance"] / found["variance"]
    if {"block", "variance"} <= set(found):
        variances = ["variance", "batch_variance", "gradient_variance"]
        found = found.sort_values("block")
        networks = found.groupby(
            [key for key in found.columns if key not in ("block", "branch_share", *variances)]
        )
        for column in variances[:2]:
            found[f"{column}_growth"] = found[column] / networks[column].transform("first")
        found["gradient_growth"] = found[variances[2]] / networks[variances[2]].transform("last")
    return found


def values(name, column, where):
    """One number per run or network, by seed."""
    found = measured(name)
    if "seed" in found:  # tables of calculations have none
        found = found.set_index("seed", drop=False).rename_axis(None)
    for key, value in where.items():
        key = key if key in found else key.rpartition(".")[2]  # model.depth is the column depth
        found = found[found[key] == (value if found[key].dtype.kind not in "if" else float(value))]
    several = {"line", "draw", "kind", "layer"} & set(found)  # numbers of one network, averaged
    return (found.groupby("seed")[column].mean() if several else found[column]).dropna()


def settings(cell):
    found = dict(word.split("=") for quoted in re.findall(r"`(.+?)`", cell) for word in quoted.split())
    if network := re.match(r"(plain|ResNet)-(\d+)", cell):
        found |= {"model": network[1].lower(), "depth": network[2]}
    return found


def rounded_as(number, text):
    """Whether a number, rounded to the digits of a text, is what the text says."""
    mantissa, exponent, _ = (text := text.replace(",", "")).partition("e")
    decimals = len(mantissa.partition(".")[2])
    return float(f"{number:.{decimals}{exponent or 'f'}}") == float(text)


def quoted_rows():
    """Of tables in git: a reader who reproduces one gets a few other digits, and that is no failure."""
    differ = ["git", "diff", "--name-only", "HEAD", "--", str(RESULTS / "tables")]
    done = subprocess.run(differ, cwd=RESULTS, capture_output=True, text=True)
    reproduced = {Path(name).stem for name in done.stdout.split()}
    return [row for row in findings() if row.table not in reproduced]


def test_every_ordering_has_the_difference_and_the_verdict_of_its_table():
    wrong = []
    for row in quoted_rows():
        if " > " not in row.setting:
            continue
        ((column, where),) = row.quantities
        larger, smaller = (settings(side) for side in row.setting.split(" > "))
        sides = [where | larger, where | larger | smaller]
        found = paired_difference(*(values(row.table, column, side) for side in sides))
        *numbers, n = re.fullmatch(r"([^ ]+)(?: \[([^ ]+), ([^ ]+)\])?(?: \(n = (\d+)\))?", row.ours).groups()
        right = found.n == int(n or row.seeds) and found.verdict == row.verdict
        right &= all(
            rounded_as(number, text) if text else found.n == 1
            for number, text in zip(found[:3], numbers, strict=True)
        )
        if not right:
            wrong.append(f"{row.table}, {row.setting}: {row.ours}, {row.verdict}; {found}, {found.verdict}")
    assert not wrong


def test_no_other_ordering_of_trained_networks_is_given_a_verdict():
    for row in findings():
        if "test_error_percent" in measured(row.table) and " > " not in row.setting:
            assert row.verdict == "-" or row.ours == row.published, row


def test_findings_agree_with_the_tables():
    wrong = []
    for row in quoted_rows():
        if " > " in row.setting:
            continue
        quoted = row.ours.split(" / ")
        assert len(quoted) == len(row.quantities), row
        for text, (column, where) in zip(quoted, row.quantities, strict=True):
            mean, spread, n = re.fullmatch(r"([^ ]+)(?: \+- ([^ ]+))?(?: \(n = (\d+)\))?", text).groups()
            found = values(row.table, column, where | settings(row.setting))
            right = len(found) == int(n or row.seeds) and rounded_as(found.mean(), mean)
            right &= rounded_as(found.std(), spread) if spread else len(found) == 1
            if not right:
                wrong.append(f"{row.setting}: {text}; {len(found)}: {found.mean()} +- {found.std()}")
    assert not wrong


def test_findings_agree_with_the_published_numbers():
    found = pd.read_csv(RESULTS / "reference" / "comparisons.csv", dtype=str)
    published = found.set_index(["experiment", "option"])["value"].to_dict()
    found = pd.read_csv(RESULTS / "reference" / "he2015_cifar10.csv", dtype=str)
    found = found[found["quantity"] == "test error %"].set_index(["model", "depth"])["value"]
    published |= {("depth_sweep_cifar10_short", *network): value for network, value in found.items()}
    checked = 0
    for row in findings():
        if " > " in row.setting:
            if " > " in row.published:
                for side, quoted in zip(row.setting.split(" > "), row.published.split(" > "), strict=True):
                    key = row.table, *settings(side).values()
                    assert quoted == published.get(key, quoted).removesuffix(" (>20)")
            continue
        key = row.table, *settings(row.setting).values()
        if key in published:
            assert row.published == published[key]
            checked += 1
    assert checked == 10 + 5 + 4 + 2 + 4  # shortcuts, orders, residual networks, effective paths, sums


def test_every_training_table_has_its_verdicts():
    rows = findings()
    assert {row.verdict for row in rows} <= {"holds", "holds in part", "does not hold", "not settled", "-"}
    trained = {
        path.stem for path in (RESULTS / "tables").glob("*.csv") if "test_error_percent" in table(path.stem)
    }
    assert trained <= {row.table for row in rows}


PAGES = [
    "README.md",
    "results/README.md",
    "results/FINDINGS.md",
    "results/SPEED.md",
    "results/reference/README.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    path = RESULTS.parent / page
    for link, _, heading in re.findall(r"\]\((?!http)([^)#]*)(#([^)]*))?\)", path.read_text()):
        target = path.parent / link if link else path
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in anchors


@pytest.mark.parametrize("page", PAGES)
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
