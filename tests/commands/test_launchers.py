"""Sweeps that another launcher carries out."""

import os

from helpers import ROOT, TINY

OTHER_LAUNCHER = """
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore

class OtherLauncher(BasicLauncher):
    pass

ConfigStore.instance().store("other", {"_target_": f"{__name__}.OtherLauncher"}, group="hydra/launcher")
"""


def test_a_sweep_is_left_to_another_launcher_where_one_is_chosen(new_process, tmp_path):
    plugin = tmp_path / "hydra_plugins" / "other_launcher.py"
    plugin.parent.mkdir()
    plugin.write_text(OTHER_LAUNCHER)
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    sweep = ["train", "-m", *TINY, "model=resnet", "schedule.steps=1", "hydra/launcher=other"]
    done = new_process(*sweep, "model.depth=8", "seed=0,1", env=path)
    assert done.returncode == 0, done.stderr
    assert "Launching 2 jobs" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 done"
    refused = new_process(*sweep, "model.depth=8,9", env=path)
    assert refused.returncode == 2
    assert "got 9" in refused.stderr
    assert "Launching" not in refused.stdout
