"""What every command has in common: help, refusals, imports."""

import json
import os
import re
import subprocess
import sys

import pytest
from helpers import ROOT, SMALL_MEASUREMENT, TINY

from resexp import cli
from resexp.config.compose import composed, resolved
from resexp.experiments.runs import folder_of


@pytest.mark.parametrize(
    ("arguments", "code", "absent"),
    [
        (["--help"], 0, {"torch", "hydra", "pandas", "matplotlib"}),
        (["status", "depth_sweep"], 0, {"torch", "pandas"}),
        (["train", "model=resnet56", "--cfg", "job"], 0, {"torch", "pandas"}),
        (["train", "-m", "model=resnett56"], 2, {"torch", "pandas"}),
        (["train", "name=finished"], 0, {"torch", "pandas"}),
        (["-sc", "query=bash"], 0, {"torch", "pandas"}),
        (["-sc", "install=bash"], 0, {"torch", "pandas"}),
    ],
)
def test_what_computes_nothing_imports_nothing_heavy(monkeypatch, tmp_path, arguments, code, absent):
    monkeypatch.chdir(tmp_path)
    folder_of(resolved(composed("train", ["name=finished"]))).write_status("done", step=1, steps=1)
    program = f"""
import sys
sys.argv = ["resexp", *{arguments}]
from resexp.cli import main
try:
    main()
finally:
    print("there:", *{absent}.intersection(sys.modules))
"""
    typed = {"COMP_LINE": "resexp train model=pl"} if "query=bash" in arguments else {}
    env = os.environ | {"PYTHONPATH": str(ROOT)} | typed
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[-1] == "there:"


def test_the_commands_are_named(resexp):
    for command in ("train", "measure", "collect", "status", "list", "bench"):
        assert f"\n  {command}" in resexp("--help").stdout


def test_version_lists_and_the_help_of_commands(resexp):
    import resexp as package

    assert resexp("--version").stdout == f"resexp {package.__version__}\n"
    assert "resnet1202" in resexp("list", "models").stdout
    assert "norm=\n  batch " in resexp("list").stdout
    for command in ("train", "collect", "status", "list"):
        done = resexp(command, "--help")
        assert done.returncode == 0
        assert "usage: resexp " in done.stdout
    assert "Group normalization" in resexp("train", "--help").stdout


def test_hydras_own_flags_keep_working(resexp):
    printed = resexp("train", "model=resnet56", "--cfg", "job").stdout
    assert "depth: 56" in printed
    assert resexp("train", "--info", "searchpath").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tarin"], "did you mean train?"),
        (["list", "colours"], "there is no list of 'colours'"),
        (["status", "nothing"], "no experiment 'nothing'"),
        (["collect", "nothing"], "there is no experiment 'nothing' and no run in results/runs/nothing"),
        (["train", "model=resnet57"], "did you mean resnet56?"),
        (["train", "seed=x"], "could not be converted to Integer"),
        (["bench", "repetitions=0"], "repetitions must be above 0, got 0"),
        (["bench", "tables=/proc/none"], "cannot make /proc/none: No such file or directory; set tables="),
        (["measure", "threads=0"], "threads must be above 0, got 0"),
        (["collect", "variance_growth"], "measure first: resexp measure -m experiment=variance_growth"),
        (["train", "norm=null"], "there is no norm=null; there are batch"),
        (["train", "-m", "norm=1,2"], "there is no norm=1,2; there are batch"),
        (["bench", "cases=[]"], "name at least one network"),
        (["bench", "members=[1]"], "members must be 2 or more each, got [1]"),
        (["bench", "cases=[model=resnet57]"], "cannot read"),
        (["bench", 'cases=["model=resnet57"]'], "no model=resnet57 (did you mean resnet56?)"),
        (["bench", "sead=1"], "there is no key sead"),
        (["train", "model.depth=21"], "6n+2"),
        (["train", "-m", "model=resnet20,plian20"], "did you mean plain20?"),
        (["train", "-m", "model=resnet", "model.depth=20,21"], "6n+2"),
        (["train", "-m", "dataset=mnist1d,cifar10", "seed=1"], "no CIFAR-10 in"),
        (["train", "-m", "experiment=none_such"], "there are activation_orders"),
        (["measure", "measure=gradients"], "no measure=gradients"),
        (["measure", "measure.networsk=3"], "did you mean measure.networks?"),
        (["measure", "measure.networks=three"], "measure.networks must be a whole number"),
        (["measure", "run=results/runs/nothing/*"], "names no finished run"),
        (["measure", "-m", "measure=gradient_correlation,gradients"], "no measure=gradients"),
        (["measure", "measure.networks=0"], "measure.networks must be at least 1, got 0"),
        (["measure", "experiment=depth_sweep"], "experiment=depth_sweep is one of `resexp train`"),
        (["train", "-m", "experiment=variance_growth"], "resexp measure -m experiment=variance_growth"),
        (["train", "steps=20"], "did you mean schedule.steps?"),
        (["train", "--model", "resnet56"], "write model="),
        (["train", "-m", "--cfg", "job"], "-m does not go with --cfg"),
        (["train", "model.width=-3"], "model.width must be at least 1, got -3"),
        (["train", "name=../elsewhere"], "letters, digits"),
        (["train", "name="], "letters, digits"),
        (["train", "seed=99999999999999999999"], "seed must lie between 0 and 2^63 - 1"),
        (["train", "schedule.steps=1", "train.runs=/proc/none"], "choose another folder for the runs"),
        (["train", "-m", "schedule.steps=1", "train.runs=/proc/none"], "choose another folder for the runs"),
        (["measure", *SMALL_MEASUREMENT, "runs=/proc/none"], "choose another folder for the runs"),
    ],
)
def test_what_a_person_typed_wrong_gets_one_sentence_and_exit_2(
    monkeypatch, capfd, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["resexp", *arguments])
    with pytest.raises(SystemExit) as ended:  # in this process, which has loaded torch
        cli.main()
    assert ended.value.code == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("resexp: ")
    assert message in line
    assert not list((tmp_path / "results").rglob("config.json")), "before any job of a sweep starts"


def test_a_refusal_is_all_that_a_terminal_shows(resexp):
    done = resexp("train", "-m", "model=resnet20,plian20")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"resexp: .*did you mean plain20\?.*\n", done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["status", "depth_sweep"],
        [
            "train",
            "-m",
            "model=resnet",
            "model.depth=8",
            "seed=0,1",
            *TINY,
            "schedule.steps=20",
            "interval=1",
        ],
    ],
)
def test_nobody_reading_on_is_no_crash(tmp_path, arguments):
    read, write = os.pipe()
    os.close(read)
    command, env = [sys.executable, "-m", "resexp", *arguments], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=env)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
    kept = [json.loads(path.read_text())["status"] for path in tmp_path.rglob("status.json")]
    assert kept == ["interrupted"] * ("train" in arguments), "the first run, and no second launch"
