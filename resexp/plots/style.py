"""Sizes, colours and labels. A model has the same colour in every figure, even if it is not listed here."""

import math
import zlib

from matplotlib import colors

# Okabe and Ito's colour-blind safe palette; in black and white, lines and markers differ.
COLORS = {"plain": "#D55E00", "resnet": "#0072B2", "fleuret": "#009E73"}
LINES = {"plain": (0, (4, 1.5)), "resnet": "-"}
MARKERS = {"plain": "s", "resnet": "o"}
LABELS = {"plain": "plain", "resnet": "residual", "fleuret": "Fleuret's"}
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (4, 1.5)), ":", "-.")
PUBLISHED = "#444444"
DATASETS = {"mnist1d": "MNIST-1D", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
PAGE = 10.5  # inches: the width of a three-panel figure

# Setups of random networks: label, colour, line style.
SETUPS = {
    "udl_notebook": ("notebook 11.1 (no centering)", "#CC79A7", ":"),
    "balduzzi": ("feed-forward, centered", "#D55E00", (0, (4, 1.5))),
    "feedforward_batch": ("feed-forward, batch norm.", "#661100", (0, (4, 1.5))),
    "udl_figure_a": ("as UDL 11.3a", "#D55E00", "-"),
    "udl_figure_b": ("as UDL 11.3b", "#D55E00", "-"),
    "uncentered": ("feed-forward, not centered", "#E69F00", ":"),
    "residual": ("residual, no normalization", "#56B4E9", "-."),
    "residual_centered": ("residual, centered", "#332288", "-."),
    "residual_batch": ("residual, batch norm., $\\beta=1$", "#0072B2", "-"),
    "residual_batch_small": ("residual, batch norm., $\\beta=0.1$", "#009E73", "-"),
    "brown_noise": ("brown noise", "#8C6D46", (0, (1, 1))),
    "white_noise": ("white noise", "#999999", (0, (1, 1))),
}


def setup(name: str) -> dict:
    """Label, colour and line style of a setup of random networks."""
    label, color, line_style = SETUPS.get(name, (name, _other_color(name), "-"))
    return {"label": label, "color": color, "linestyle": line_style}


def color(model: str) -> str:
    """Colour of a model."""
    return COLORS.get(model) or _other_color(model)


def label(model: str) -> str:
    """Label of a model in legends."""
    return LABELS.get(model, model)


def marker(model: str) -> str:
    """Marker of a model."""
    return MARKERS.get(model, "D")


def dash(model: str) -> object:
    """Line style of a model."""
    return LINES.get(model, "-.")


def dataset(name: str) -> str:
    """Name of a dataset in titles."""
    return DATASETS.get(name, name)


def _other_color(name: str) -> str:
    """A colour of the palette that no listed model has; a function of the name only."""
    free = [color for color in PALETTE if color not in COLORS.values()]
    return free[zlib.crc32(name.encode()) % len(free)]


SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titley": 1.0,  # no search for what a title might overlap: ticks are at the bottom everywhere
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,
    "savefig.dpi": 160,
}


def shade(model: str, depth: int) -> tuple[float, float, float]:
    """Shade of the model's colour: darker for deeper networks, the same in every figure."""
    strength = min(1.0, max(0.0, math.log(depth / 5) / math.log(110 / 5)))
    base = colors.to_rgb(color(model))
    faded = [1 - (0.25 + 0.75 * min(1.0, strength / 0.7)) * (1 - channel) for channel in base]
    darkening = 1 - 0.5 * max(0.0, strength - 0.6) / 0.4
    return tuple(channel * darkening for channel in faded)


def line(model: str, depth: int) -> dict:
    """Colour and line style of a model with a given depth."""
    return {"color": shade(model, depth), "linestyle": dash(model)}
