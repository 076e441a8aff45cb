"""Tab completion."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("resexp train model=pl", {"model=plain110", "model=plain20"}),
        ("resexp measure measure=gradient_s", {"measure=gradient_speed"}),
        ("resexp me", {"measure"}),
        ("resexp status dep", {"depth_sweep", "depth_sweep_cifar10"}),
        ("resexp report dep", {"depth_sweep", "depth_sweep_cifar10"}),
        ("resexp list sho", {"shortcut"}),
        ("resexp collect mine_", {"mine_of_old"}),
    ],
)
def test_tab_completion(resexp, tmp_path, line, among):
    folder = tmp_path / "results" / "runs" / "mine_of_old" / "run"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    done = resexp("-sc", "query=bash", env={"COMP_LINE": line, "COMP_POINT": str(len(line))})
    said = set(done.stdout.split())
    assert among <= said
    assert all(word.startswith(line.split(" ")[-1]) for word in said)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line", ["resexp bench ", "resexp tain model=", "resexp train --cf"])
def test_nothing_is_suggested_where_nothing_is_known(resexp, line):
    done = resexp("-sc", "query=bash", env={"COMP_LINE": line, "COMP_POINT": str(len(line))})
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_tab_completion_in_bash(resexp):
    script = resexp("-sc", "install=bash").stdout
    typed = "COMP_LINE='resexp sta' COMP_POINT=10 COMP_WORDS=(resexp sta) COMP_CWORD=1"
    program = f"{script}\n{typed}; hydra_bash_completion; echo ${{COMPREPLY[@]}}; complete -p resexp"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert done.stdout.splitlines() == [
        "status",
        "complete -o default -o nospace -F hydra_bash_completion resexp",
    ]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_tab_completion_in_zsh(resexp):
    script = resexp("-sc", "install=zsh").stdout
    stand_ins = "compdef() { print -- compdef $@ }; compadd() { print -- $@ }"  # they need a terminal
    program = f"{stand_ins}\n{script}\nBUFFER='resexp train norm=g' CURSOR=19; _resexp"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["zsh", "-f", "-c", program], capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert done.stdout.splitlines() == ["compdef _resexp resexp", "-Q -S -- norm=ghost norm=group"]
