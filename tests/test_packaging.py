"""What the package says of itself, and what a wheel carries."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from resexp import cli, files
from resexp.commands.list import PUBLISHED
from resexp.config.catalog import CONF

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_long_description_has_no_links_that_an_index_could_not_follow():
    links = re.findall(r"\]\(([^)]+)\)", PROJECT["project"]["readme"]["text"])
    assert len(links) > 3
    assert [link for link in links if not link.startswith("https://")] == []


def test_a_wheel_carries_what_the_program_looks_for_beside_itself():
    inside = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for folder, place in inside.items():
        assert place == f"resexp/{folder}"
        assert files.shipped(folder) == ROOT / folder
    looked_for = {CONF, PUBLISHED.parent, ROOT / "scripts", ROOT / "results" / "tables"}
    assert looked_for == {ROOT / folder for folder in inside}


def test_what_lies_inside_the_package_is_taken_first(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "resexp"
    monkeypatch.setattr(files, "PACKAGE", package)
    (package.parent / "scripts").mkdir(parents=True)
    assert files.shipped("scripts") == package.parent / "scripts"
    (package / "scripts").mkdir(parents=True)
    assert files.shipped("scripts") == package / "scripts"
    own = tmp_path / "scripts"
    assert files.own_or_shipped(own, "scripts") == package / "scripts"
    own.mkdir()
    assert files.own_or_shipped(own, "scripts") == own


def test_windows_is_refused_in_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as refused:
        cli.main()
    assert refused.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert {"Linux", "macOS", "Windows:"} <= set(line.replace(",", " ").split())
