"""Errors against steps as inline SVG: a panel per group of settings, a line per setting, seeds thin."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator

from resexp.plots import style
from resexp.report.contents import keys_of, plain
from resexp.report.numbers import varying

# In units of the drawing: the size of a panel, and its plot within it.
WIDTH, HEIGHT = 320, 220
LEFT, RIGHT, TOP, BOTTOM = 34, 16, 22, 34
DASHES = ("", "6 3", "2 3", "8 3 2 3")  # in the order of resexp.plots.style.DASHES
COLORS = style.PALETTE[:6]  # without black, which vanishes on a dark page
MOST_POINTS, LEAST_POINTS, ALL_POINTS = 200, 24, 40_000  # of a line, and of all lines of a drawing


@dataclass(frozen=True)
class Line:
    """A setting: its mean over seeds, each seed, and where runs diverged, as places in the drawing."""

    label: str
    color: str
    dash: str
    seeds: Sequence[tuple[str, str]]  # name of the run, and the points of its line
    mean: str
    crosses: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """Axes with the lines of one group of settings."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Drawing:
    """All panels of one quantity; they share their axes."""

    title: str
    xlabel: str
    legend: str
    panels: Sequence[Panel]
    xticks: Sequence[tuple[float, str]]
    yticks: Sequence[tuple[float, str]]
    width, height, left, right, bottom = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM

    @property
    def common(self) -> Sequence[Line]:
        """A line of each look, if a label looks the same in all panels: then one legend serves them."""
        looks = {(line.label, line.color, line.dash): line for panel in self.panels for line in panel.lines}
        return list(looks.values()) if len({label for label, *_ in looks}) == len(looks) else []


@dataclass(frozen=True)
class Scale:
    """From data to places in the drawing; y starts at zero."""

    x_end: float
    y_end: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Across and down, from the panel's upper left corner."""
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / self.x_end
        return round(across, 1), round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / self.y_end, 1)

    def path(self, series: pd.Series) -> str:
        """The points of a polyline, of a Series y over x."""
        return " ".join("{:g},{:g}".format(*self.place(x, y)) for x, y in series.items())


def drawing(rows: pd.DataFrame, quantity: str, title: str) -> Drawing | None:
    """Draw a column of a training table; None where it has no numbers to draw.

    Args:
        rows: keys, step, epoch and errors, as `resexp collect` writes them; in a column `run`, if there is
            one, what tells runs apart whose keys agree.
        quantity: the column.
        title: what it is called.
    """
    if quantity not in rows or rows[quantity].notna().sum() < 2 or rows["step"].nunique() < 2:
        return None
    x = against(rows)
    settings = varying(rows)
    key = max(settings, key=lambda k: rows[k].nunique(), default=None)
    others = [k for k in settings if k != key]
    scale = Scale(float(rows[x].max()), _round_up(float(rows[quantity].max())))
    runs = rows.groupby(keys_of(rows), dropna=False).ngroup()
    rows = rows.assign(number=runs).sort_values("step")
    most = min(MOST_POINTS, max(LEAST_POINTS, ALL_POINTS // (runs.max() + 1)))
    groups = list(rows.groupby(others)) if others else [((), rows)]
    values = sorted(rows[key].unique()) if key else []
    panels = []
    for group, mine in groups:
        context = dict(zip(others, group, strict=True))
        options = [(value, mine[mine[key] == value]) for value in values] if key else [("", mine)]
        lines = [
            _line(own, quantity, x, scale, most, plain(value), *_look(key, value, values, mine))
            for value, own in options
            if len(own)
        ]
        panels.append(Panel(", ".join(_named(k, v) for k, v in context.items()), lines))
    xticks = [(scale.place(t, 0)[0], _short(t)) for t in _ticks(scale.x_end, 4)]
    yticks = [(scale.place(0, t)[1], f"{t:g}") for t in _ticks(scale.y_end, 5)]
    return Drawing(title, x, key or "", panels, xticks, yticks)


def against(rows: pd.DataFrame) -> str:
    """`step`, or `epoch` where settings see the same examples in different numbers of steps."""
    settings = varying(rows)
    if not settings or "epoch" not in rows or rows["epoch"].isna().all():
        return "step"
    there = rows.dropna(subset="test_error_percent")  # but for the steps at which runs diverged
    return "epoch" if there.groupby(settings)["step"].max().nunique() > 1 else "step"


def _line(
    rows: pd.DataFrame, quantity: str, x: str, scale: Scale, most: int, label: str, color: str, dash: str
) -> Line:
    seeds, ended, crosses = [], [], []
    for _, run in rows.groupby("number"):
        lost = run["test_error_percent"].isna().iloc[-1]
        if lost:  # at the top, as in the figures; the row of the divergence has a step and no epoch
            crosses.append(scale.place(run[x].fillna(0).max(), scale.y_end))
        series = run.dropna(subset=[quantity, x]).set_index(x)[quantity]
        if not len(series):
            continue
        series = _thinned(series[~series.index.duplicated(keep="last")], most)
        name = run["run"].iloc[0] if "run" in run else f"{label}, seed {run['seed'].iloc[0]}"
        seeds.append((str(name), scale.path(series)))
        if not lost:
            ended.append(series)
    mean = pd.concat(ended, axis=1).dropna().mean(axis=1).sort_index() if len(ended) > 1 else pd.Series()
    if len(seeds) == 1:  # the only line is drawn as the mean
        return Line(label, color, dash, [], seeds[0][1], crosses)
    return Line(label, color, dash, seeds, scale.path(mean), crosses)


def _thinned(series: pd.Series, most: int) -> pd.Series:
    """At most so many points, the last among them."""
    every = -(-len(series) // most)
    return series[::-1][::every][::-1]


def _look(key: str | None, value: object, values: Sequence, rows: pd.DataFrame) -> tuple[str, str]:
    """Colour and dashes of a line: those of the figures where they have any for it."""
    place = list(values).index(value) if key else 0
    if key == "model" or (key in (None, "depth") and rows["model"].nunique() == 1):
        model = str(value if key == "model" else rows["model"].iloc[0])
        color = style.shade(model, int(value)) if key == "depth" else style.color(model)
        return to_hex(color), DASHES[1] if model == "plain" else DASHES[0]
    if rows[key].dtype.kind in "if" and len(values) > 1:  # in order, light to dark
        return to_hex(mpl.colormaps["viridis"](0.85 * (1 - place / (len(values) - 1)))), DASHES[place % 2]
    return COLORS[place % len(COLORS)], DASHES[place // len(COLORS) % len(DASHES)]


def _named(key: str, value: object) -> str:
    if key == "model":
        return style.label(str(value))
    return style.dataset(str(value)) if key == "dataset" else f"{key} {plain(value)}"


def _round_up(value: float) -> float:
    return float(MaxNLocator(5).tick_values(0, value or 1.0)[-1])


def _ticks(end: float, count: int) -> list[float]:
    return [float(tick) for tick in MaxNLocator(count).tick_values(0, end) if tick <= end * 1.001]


def _short(number: float) -> str:
    return f"{number / 1000:g}k" if number >= 10_000 else f"{number:g}"
