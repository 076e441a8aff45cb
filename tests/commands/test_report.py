"""The command `report`."""

import os
import re

from helpers import ROOT, mentions


def test_a_mistyped_folder_is_not_made(resexp, tmp_path):
    missing = tmp_path / "mistyped"
    assert resexp("report", f"--results={missing}").returncode == 2
    assert not missing.exists()


def test_an_unknown_experiment_is_refused(resexp):
    done = resexp("report", "depth_sweeep")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(mentions("depth_sweeep", "depth_sweep?"), done.stderr.strip())


def test_without_jinja2_it_names_the_extra(new_process, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "jinja2.py").write_text("raise ModuleNotFoundError('none', name='jinja2')")
    done = new_process(
        "report", f"--results={ROOT}/results", env={"PYTHONPATH": f"{blocked}{os.pathsep}{ROOT}"}
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(mentions("jinja2", "pip install 'resexp[report]'"), done.stderr.strip())


def test_an_output_that_cannot_be_written_is_named(resexp):
    done = resexp("report", "speed", f"--results={ROOT}/results", "--output=/proc/none/page.html")
    assert done.returncode == 2
    assert re.search(mentions("/proc/none", "--output"), done.stderr.strip())
