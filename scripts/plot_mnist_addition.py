"""Sums of two placed digits: errors with and without spatial transformers, and what these look at."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from resexp.plots import figures, style
from resexp.plots.tables import Tables, final, published, seeds

TABLES = (
    ("mnist_addition", "mnist_addition_embedded"),
    ("attended_pixels", "attended_embedded_pixels"),
    ("attended_theta", "attended_embedded_theta"),
)
REFERENCE = ("comparisons",)
NAMES = {"fcn": "FCN", "cnn": "CNN", "stn": "ST-FCN", "stn2": "2 $\\times$ ST-FCN"}
DATA = {
    "mnist_addition": "sums of two MNIST digits, 42x42",
    "mnist_addition_embedded": "sums of two digits of a font, 32x32, less distorted",
}
CHANCE = 90.0  # percent, for always answering 9, the most frequent sum
LOOKS = ("#E69F00", "#56B4E9")  # of the first and the second transformer
MARGIN = 1.3  # shown around an input, whose sides are at -1 and 1: frames may reach beyond it
CORNERS = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])


def draw(tables: Tables) -> Figure:
    """Errors of the four networks; below them inputs with the frames that are looked at, and the patches."""
    runs, images = tables.names[0], _shown(tables)
    figure = Figure(figsize=(style.PAGE, 7.6 if images else 2.8), layout="constrained")
    if not images:
        errors(figure.subplots(), tables[runs], tables.reference("comparisons"))
        return figure
    top, bottom = figure.subfigures(2, 1, height_ratios=[2.4, 5.2])
    errors(top.subplots(), tables[runs], tables.reference("comparisons"))
    look(bottom, *(tables[name] for name in images))
    return figure


def _shown(tables: Tables) -> list[str]:
    """Tables of images, if they are of the networks whose errors are drawn."""
    runs, *images = tables.names
    return [name for name in images if ("embedded" in name) == ("embedded" in runs)]


def errors(axes, table: pd.DataFrame, comparisons: pd.DataFrame) -> None:
    """A row per network: each run, their mean, the published number."""
    runs = final(table, ["model", "seed"])
    numbers = published(comparisons, "mnist_addition")
    for at, model in enumerate(NAMES):
        own = runs.loc[runs["model"] == model, "test_error_percent"]
        color = style.PALETTE[at]
        axes.plot(own, [at] * len(own), "o", ms=4, mfc="none", color=color)
        axes.plot(own.mean(), at, "|", ms=16, mew=2, color=color)
        axes.annotate(f"{own.mean():.1f}", (own.mean(), at), (0, 9), textcoords="offset points", ha="center")
        axes.plot(float(numbers[model].split()[0]), at, "D", ms=5, color=style.PUBLISHED)
    axes.plot([], [], "ok", ms=4, mfc="none", label="ours, each seed (bar: mean)")
    axes.plot([], [], "D", ms=5, color=style.PUBLISHED, label="published, on MNIST")
    axes.axvline(CHANCE, color=style.PUBLISHED, lw=0.8, ls=":")
    axes.text(CHANCE + 0.6, 3.4, "chance", fontsize=7, va="bottom", color=style.PUBLISHED)
    axes.set(xlim=(0, 100), ylim=(len(NAMES) - 0.5, -0.8), xlabel="Test error (%)")
    axes.set_yticks(range(len(NAMES)), NAMES.values())
    axes.set_title(DATA[table["dataset"].iloc[0]], loc="right")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)


def look(figure, pixels: pd.DataFrame, theta: pd.DataFrame) -> None:
    """A row per example; for each network the two channels with its frames, then its patches."""
    models = [model for model in NAMES if model in set(theta["model"])]
    examples = sorted(theta["example"].unique())
    columns = [
        (model, image, channel) for model in models for image in _images(pixels, model) for channel in (0, 1)
    ]
    grid = figure.subplots(len(examples), len(columns), squeeze=False)
    for line, example in zip(grid, examples, strict=True):
        for axes, (model, image, channel) in zip(line, columns, strict=True):
            own = theta[(theta["model"] == model) & (theta["example"] == example)]
            _show(axes, pixels, model, example, image, channel)
            if image == 0:
                axes.set(xlim=(-MARGIN, MARGIN), ylim=(MARGIN, -MARGIN), facecolor="#333333")
                frames(axes, own)
            if image == 0 and channel == 0:
                first = own.iloc[0]
                axes.set_ylabel(f"sum {first['target']}, answer {first['answer']}", fontsize=7.5)
            if example == examples[0]:
                where = f"transformer {image}" if image else NAMES[model]
                axes.set_title(f"{where}\ndigit {channel + 1}", fontsize=7.5)
    figure.suptitle(
        "Test pairs (seed 0): inputs with frames, and what each transformer passes on", fontsize=9
    )


def frames(axes, theta: pd.DataFrame) -> None:
    """Where each transformer's patch lies in the input."""
    for row in theta.itertuples():
        matrix = np.array(
            [[row.theta_11, row.theta_12, row.theta_13], [row.theta_21, row.theta_22, row.theta_23]]
        )
        axes.add_patch(
            Polygon(CORNERS @ matrix.T, fill=False, ec=LOOKS[row.transformer - 1], lw=1, clip_on=True)
        )


def _images(pixels: pd.DataFrame, model: str) -> list[int]:
    return sorted(pixels.loc[pixels["model"] == model, "image"].unique())


def _show(axes, pixels: pd.DataFrame, model: str, example: int, image: int, channel: int) -> None:
    """One channel, its coordinates from -1 to 1 as theta counts them."""
    chosen = pixels[
        (pixels["model"] == model)
        & (pixels["example"] == example)
        & (pixels["image"] == image)
        & (pixels["channel"] == channel)
    ].sort_values("row")
    values = np.array([line.split() for line in chosen["values"]], dtype=float)
    axes.imshow(values, cmap="gray", vmin=0, vmax=1, extent=(-1, 1, 1, -1))
    axes.set(xticks=[], yticks=[], xlim=(-1, 1), ylim=(1, -1))
    for side in axes.spines.values():
        side.set(visible=True, color=LOOKS[image - 1] if image else "black", lw=1.2 if image else 0.5)


def facts(tables: Tables) -> dict:
    """What the caption must say."""
    table, images = tables.names[0], _shown(tables)
    runs = final(tables[table], ["model", "seed"])
    names = [table, *(name.removesuffix("_pixels") for name in images if name.endswith("_pixels"))]
    return {
        "after": "Jaderberg et al. 2015 (arXiv:1506.02025), appendix A.1: errors of four networks, and inputs"
        " beside what each transformer samples",
        "published": published(tables.reference("comparisons"), "mnist_addition"),
        "data": DATA[tables[table]["dataset"].iloc[0]],
        "seeds": seeds(runs),
        "frames": "orange: the first transformer, blue: the second; each looks at both channels",
        "departures": DEPARTURES,
        **tables.made_with(*names),
    }


DEPARTURES = [
    "trained far shorter than published: see FINDINGS.md",
    "batch normalization in all networks",
    "on MNIST: ranges of rotation and scale as recalled of the paper's distorted MNIST",
    "sizes of the networks are ours: 0.48 to 0.49 million parameters each for 42x42, not equal for 32x32",
]

if __name__ == "__main__":
    figures.main(__file__)
