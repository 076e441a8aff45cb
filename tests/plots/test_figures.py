"""Every script is found, says what it draws, and draws it from tables alone."""

import json
import os
import time
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from helpers import ROOT
from matplotlib.figure import Figure

from resexp.plots import figures
from resexp.plots.tables import Folders, MissingTableError, Tables, inputs

SCRIPTS = sorted(ROOT.glob("scripts/*.py"))
HERE = Folders(*(ROOT / "results" / name for name in ("tables", "reference", "figures")))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_draws_the_committed_tables(path):
    module = figures.load(path)
    if not figures.has_tables(path, HERE):
        pytest.skip("its experiment is not measured yet; `make figures` leaves it out")
    tables = Tables(module.TABLES, HERE)
    assert isinstance(module.draw(tables), Figure)
    assert "after" in module.facts(tables), "which published figure it stands beside"
    for name in getattr(module, "REFERENCE", ()):
        assert len(tables.reference(name))


@pytest.fixture
def scratch(tmp_path):
    """A script with one needed table and one with alternatives."""
    script = tmp_path / "plot_scratch.py"
    script.write_text(
        "from matplotlib.figure import Figure\n"
        "TABLES = ('needed', ('better', 'other'))\n"
        "def draw(tables):\n"
        "    figure = Figure()\n"
        "    figure.subplots().plot(tables['needed']['x'])\n"
        "    return figure\n"
        "def facts(tables):\n"
        "    return {'after': 'nothing'}\n"
    )
    folders = Folders(tmp_path / "tables", tmp_path / "reference", tmp_path / "figures")
    folders.tables.mkdir()
    return script, folders


def write(folders: Folders, name: str) -> Path:
    path = folders.tables / f"{name}.csv"
    pd.DataFrame({"x": [1, 2]}).to_csv(path, index=False)
    return path


def test_what_a_figure_needs_must_exist_and_of_alternatives_the_first_is_taken(scratch):
    script, folders = scratch
    write(folders, "other")
    assert not figures.has_tables(script, folders)
    with pytest.raises(MissingTableError, match=r"needed\.csv.*resexp collect"):
        figures.draw(script, folders)
    write(folders, "needed")
    assert Tables(figures.load(script).TABLES, folders).names == ["needed", "other"]
    write(folders, "better")
    assert Tables(figures.load(script).TABLES, folders).names == ["needed", "better"]
    with pytest.raises(MissingTableError):
        Tables((("none",), ("neither",)), folders)


def test_a_figure_is_stale_when_its_table_or_its_script_is_newer(scratch):
    script, folders = scratch
    table = write(folders, "needed")
    assert figures.is_stale(script, folders), "it is missing"
    figures.draw(script, folders)
    assert not figures.is_stale(script, folders)
    said = json.loads((folders.figures / "scratch.json").read_text())
    assert said == {"tables": ["needed"], "after": "nothing"}
    later = time.time() + 10
    for path in (table, script):
        before = path.stat().st_mtime
        os.utime(path, (later, later))
        assert figures.is_stale(script, folders), path
        os.utime(path, (before, before))
    assert {path.name for path in inputs(figures.load(script).TABLES, (), folders)} == {"needed.csv"}


def test_the_users_own_settings_of_matplotlib_change_no_byte(scratch, monkeypatch):
    script, folders = scratch
    write(folders, "needed")
    drawn = []
    for own in ({}, {"font.size": 25, "axes.facecolor": "red", "text.color": "white"}):
        with mpl.rc_context(own):
            figures.draw(script, folders)
            assert mpl.rcParams["font.size"] == own.get("font.size", 10), "put back"
        drawn.append((folders.figures / "scratch.png").read_bytes())
    assert drawn[0] == drawn[1]


def two_panels(layout):
    figure = Figure(layout=layout, dpi=160)
    for axes in figure.subplots(1, 2, sharey=True):
        axes.plot([1, 20, 400], label="a label")
        axes.set(title="a title", xlabel="position", ylabel="height", yscale="log")
        axes.legend()
    return figure


@pytest.mark.parametrize("layout", ["constrained", "tight", None])
def test_a_figure_laid_out_once_is_the_one_that_savefig_writes(tmp_path, layout):
    ours, theirs = two_panels(layout), two_panels(layout)
    with mpl.rc_context({"savefig.dpi": 160}):
        figures.lay_out(ours)
        ours.savefig(tmp_path / "ours.pdf")
        for name, figure in (("ours", ours), ("theirs", theirs)):
            figure.savefig(tmp_path / f"{name}.png")
    assert (tmp_path / "ours.png").read_bytes() == (tmp_path / "theirs.png").read_bytes()
    for mine, other in zip(ours.axes, theirs.axes, strict=True):
        assert mine.get_position().bounds == other.get_position().bounds, "of the PDF, too"
