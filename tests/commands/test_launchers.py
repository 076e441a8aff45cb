"""Sweeps that another launcher carries out."""

import os
import subprocess
import sys

from helpers import ROOT, TINY

OTHER_LAUNCHER = """
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore

class OtherLauncher(BasicLauncher):
    pass

ConfigStore.instance().store("other", {"_target_": f"{__name__}.OtherLauncher"}, group="hydra/launcher")
"""


TWICE = """
import sys
from resexp import cli

typed = sys.argv[1:]
for depths in ("8,9", "8"):
    sys.argv = ["resexp", *typed, f"model.depth={depths}"]
    try:
        cli.main()
    except SystemExit as ended:
        print("ended with", ended.code, flush=True)
"""


def test_a_sweep_is_left_to_another_launcher_where_one_is_chosen(tmp_path):
    plugin = tmp_path / "hydra_plugins" / "other_launcher.py"
    plugin.parent.mkdir()
    plugin.write_text(OTHER_LAUNCHER)
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    sweep = ["train", "-m", *TINY, "model=resnet", "schedule.steps=1", "hydra/launcher=other", "seed=0,1"]
    command = [sys.executable, "-c", TWICE, *sweep]  # one start for both: Hydra looks for plugins once
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    refused, launched = done.stdout.split("ended with 2\n")
    assert "got 9" in done.stderr
    assert "Launching" not in refused
    assert "Launching 2 jobs" in launched
    assert launched.splitlines()[-1] == "2 done"
