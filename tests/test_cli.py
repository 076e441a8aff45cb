"""What every command has in common: help, refusals, imports."""

import json
import os
import re
import subprocess
import sys

import pytest
from helpers import ROOT, SMALL_MEASUREMENT, TINY, mentions

from resexp import cli
from resexp.config.compose import compose, resolve
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
    folder_of(resolve(compose("train", ["name=finished"]))).write_status("done", step=1, steps=1)
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
    shown = resexp("--help").stdout
    for command in ("train", "measure", "collect", "status", "list", "bench"):
        assert f"\n  {command}" in shown


def test_version_lists_and_the_help_of_commands(resexp):
    import resexp as package

    assert resexp("--version").stdout == f"resexp {package.__version__}\n"
    assert "resnet1202" in resexp("list", "models").stdout
    assert "norm=\n  batch " in resexp("list").stdout
    for command in ("train", "collect", "status", "list"):
        done = resexp(command, "--help")
        assert done.returncode == 0
        assert "usage: resexp " in done.stdout
    said = resexp("train", "--help").stdout
    assert len(said.splitlines()) <= 40
    assert max(map(len, said.splitlines())) <= 80
    assert re.search(
        rf"^  block +{len(list((ROOT / 'conf' / 'block').glob('*.yaml')))}  ", said, re.MULTILINE
    )
    assert "Group normalization" in resexp("list", "norm").stdout


def test_hydras_own_flags_keep_working(resexp):
    printed = resexp("train", "model=resnet56", "--cfg", "job").stdout
    assert "depth: 56" in printed
    assert resexp("train", "--info", "searchpath").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["tarin"], ["'tarin'", "train?", "measure", "collect"]),
        (["list", "colours"], ["'colours'", "activation"]),
        (["status", "nothing"], ["'nothing'", "results/runs/nothing"]),
        (["status", "depth_swep"], ["'depth_swep'", "depth_sweep?"]),
        (["status", "--runs", "no/such"], ["--runs=no/such"]),
        (["collect", "depth_sweep", "--runs", "no/such"], ["--runs=no/such"]),
        (["report", "--runs", "no/such"], ["--runs=no/such"]),
        (["report", "--results", "no/such"], ["--results=no/such"]),
        (["figures", "--tables", "no/such"], ["--tables=no/such"]),
        (["figures", "--reference", "no/such"], ["--reference=no/such"]),
        (["figures", "--scripts", "no/such"], ["--scripts=no/such"]),
        (["import", "no.th", "model=resnet20", "dataset=cifar10"], ["no.th", "No such file"]),
        (["collect", "depth_swep"], ["'depth_swep'", "depth_sweep?"]),
        (["collect", "nothing"], ["'nothing'", "results/runs/nothing", "`resexp status`"]),
        (["train", "model=resnet57"], ["model=resnet57", "resnet56?"]),
        (["train", "seed=x"], ["seed", "an integer", "got x"]),
        (["train", "name=null"], ["name", "text", "null"]),
        (["train", "train=3"], ["train", "section", "3"]),
        (["train", "model.depth=null"], ["model.depth", "an integer", "None"]),
        (["train", "-m", "model=resnet20", "seed=0,x"], ["seed", "an integer", "0,x"]),
        (["train", "optimizer=adam", "optimizer.betas={a:1}"], ["optimizer.betas", "conf", "{a:1}"]),
        (["measure", "run=[a]"], ["run", "text or null", "[a]"]),
        (["bench", "repetitions=0"], ["repetitions", "0"]),
        (["bench", "tables=/proc/none"], ["/proc/none", "No such file or directory", "tables="]),
        (["measure", "threads=0"], ["threads", "0"]),
        (["collect", "variance_growth"], ["resexp measure -m experiment=variance_growth"]),
        (["train", "norm=null"], ["norm=null", "batch", "none"]),
        (["train", "-m", "norm=1,2"], ["norm=1,2", "batch", "none"]),
        (["bench", "cases=nope"], ["cases", "list of texts", "[a,b]", "nope"]),
        (["bench", "cases=[[a]]"], ["cases", "['a']", "key=value"]),
        (["bench", "members=[a]"], ["members", "list of integers", "null", "[a]"]),
        (["train", "modle.depth=8"], ["modle.depth", "model?", "dataset"]),
        (["train", "hydra.job.num=abc"], ["hydra.job.num", "abc", "Integer"]),
        (["status", "--nope"], ["--nope", "--runs", "--watch"]),
        (["status", "--runs"], ["--runs", "expected one argument"]),
        (["collect"], ["experiment", "required"]),
        (["collect", "depth_sweep", "--only"], ["--only", "KEY=VALUE"]),
        (["list", "models", "nope"], ["nope", "--params"]),
        (["report", "--nope"], ["--nope", "--results"]),
        (["figures", "nope"], ["nope", "--tables", "--all"]),
        (["-sc", "install=tcsh"], ["-sc", "install=bash", "zsh"]),
        (["bench", "cases=[]", "measures=[]", "fixed_costs=false"], ["cases", "measures"]),
        (["bench", 'measures=["experiment=pathz"]'], ["pathz", "paths?"]),
        (["bench", "members=[1]"], ["members", "2", "[1]"]),
        (["bench", "cases=[model=resnet57]"], ["cases=[model=resnet57]", "key=value"]),
        (["bench", 'cases=["model=resnet57"]'], ["model=resnet57", "resnet56?"]),
        (["bench", "sead=1"], ["sead"]),
        (["train", "model.depth=21"], ["model.depth", "6n+2", "21"]),
        (["train", "-m", "model=resnet20,plian20"], ["model=plian20", "plain20?"]),
        (["train", "-m", "model=resnet", "model.depth=20,21"], ["model.depth", "6n+2", "21"]),
        (["train", "-m", "dataset=mnist1d,cifar10", "seed=1"], ["CIFAR-10", "dataset.download=true"]),
        (["train", "-m", "experiment=none_such"], ["experiment=none_such", "activation_orders"]),
        (["measure", "measure=gradients"], ["measure=gradients", "gradient_correlation"]),
        (["measure", "measure.networsk=3"], ["measure.networsk", "measure.networks?"]),
        (["measure", "measure.networks=three"], ["measure.networks", "'three'"]),
        (["measure", "run=results/runs/nothing/*"], ["run=results/runs/nothing/*", "`resexp status`"]),
        (["measure", "-m", "measure=gradient_correlation,gradients"], ["measure=gradients"]),
        (["measure", "measure.networks=0"], ["measure.networks", "1", "0"]),
        (["measure", "experiment=depth_sweep"], ["resexp train -m experiment=depth_sweep"]),
        (["train", "-m", "experiment=variance_growth"], ["resexp measure -m experiment=variance_growth"]),
        (["train", "command=measure"], ["command"]),
        (["train", "hydra=1"], ["hydra", "hydra.verbose=true"]),
        (["train", "-sc"], ["-sc", "install=bash", "query=bash"]),
        (["-sc"], ["-sc", "install=bash", "query=bash"]),
        (["train", "~name"], ["name"]),
        (["train", "=3"], ["=3", "key=value"]),
        (["train", "--foo"], ["--foo", "--help"]),
        (["train", "train.runs="], ["train.runs", "empty"]),
        (["train", "train.runs=a,b"], ["train.runs=a,b", "'train.runs=\"a,b\"'"]),
        (["train", "-m", "seed=glob(*)"], ["seed=glob(*)", "norm=glob(*)"]),
        (["status", "--runs", "/proc/self/status"], ["/proc/self/status", "Not a directory"]),
        (["train", "steps=20"], ["steps", "schedule.steps?"]),
        (["train", "--model", "resnet56"], ["model="]),
        (["train", "-m", "--cfg", "job"], ["-m", "--cfg"]),
        (["train", "model.width=-3"], ["model.width", "1", "-3"]),
        (["train", "name=../elsewhere"], ["name", "../elsewhere", "letters", "digits"]),
        (["train", "name="], ["name", "letters", "digits"]),
        (["train", "seed=99999999999999999999"], ["seed", "0", "99999999999999999999"]),
        (["train", "schedule.steps=1", "train.runs=/proc/none"], ["/proc/none"]),
        (["train", "-m", "schedule.steps=1", "train.runs=/proc/none"], ["/proc/none"]),
        (["measure", *SMALL_MEASUREMENT, "runs=/proc/none"], ["/proc/none"]),
    ],
)
def test_what_a_person_typed_wrong_gets_one_sentence_and_exit_2(
    monkeypatch, capfd, tmp_path, arguments, named
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["resexp", *arguments])
    with pytest.raises(SystemExit) as ended:  # in this process, which has loaded torch
        cli.main()
    assert ended.value.code == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("resexp: ")
    assert re.search(mentions(*named), line)
    assert not list((tmp_path / "results").rglob("config.json")), "before any job of a sweep starts"


def test_a_refusal_is_all_that_a_terminal_shows(new_process):
    done = new_process("train", "-m", "model=resnet20,plian20")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"resexp: .*plian20.*plain20\?.*\n", done.stderr)


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
    assert kept in ([], ["interrupted"]), "at most the first run, and no second launch"


QUICK = ["model=resnet", "model.depth=8", *TINY, "schedule.steps=2", "interval=1"]


@pytest.mark.parametrize(
    "streams", [">&- 2>&-", ">/dev/full", pytest.param(">/dev/full 2>/dev/full", marks=pytest.mark.slow)]
)
def test_a_run_continues_without_its_output(tmp_path, streams):
    shell = f"exec {sys.executable} -m resexp train {' '.join(QUICK)} {streams}"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(shell, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (kept,) = tmp_path.rglob("status.json")
    assert json.loads(kept.read_text())["status"] == "done"
    if "2>" not in streams:
        assert re.search(mentions("output", "No space left on device"), done.stderr.strip())


def test_a_terminal_that_is_gone_does_not_end_a_run(tmp_path):
    ours, theirs = os.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "resexp", "train", *QUICK]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.close(ours)  # from here on writing is an input/output error
    assert process.wait(60) == 0
    (kept,) = tmp_path.rglob("status.json")
    assert json.loads(kept.read_text())["status"] == "done"


def test_what_prints_its_result_fails_on_a_full_disk(tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "resexp", "list"], stdout=full, stderr=subprocess.PIPE, text=True, env=env
        )
    assert done.returncode == 2
    assert re.search(mentions("output", "No space left on device"), done.stderr.strip())


def test_flags_stand_anywhere_and_folders_have_any_name(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = "~/a=[b] (é) {c}"
    for arguments in (
        ["seed=0,1", "-m", *QUICK, f"train.runs={folder}"],
        ["-m", *QUICK, 'train.runs="~/x,y"'],
    ):
        monkeypatch.setattr(sys, "argv", ["resexp", "train", *arguments])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
    assert len(list((tmp_path / "a=[b] (é) {c}").glob("*/*/rows.csv"))) == 2
    assert len(list((tmp_path / "x,y").glob("*/*/rows.csv"))) == 1


def test_an_empty_data_folder_is_none(monkeypatch):
    monkeypatch.setenv("RESEXP_DATA", "")
    assert compose("train", ["dataset=cifar10"]).dataset.root == "data"


def test_runs_are_shown_where_the_data_of_those_to_come_is_missing(monkeypatch, tmp_path, capfd):
    """Its fingerprint would be part of their names; the runs of all other experiments are shown as well."""
    monkeypatch.chdir(tmp_path)
    for name in ("depth_sweep", "unet_skips_nuclei"):
        run = folder_of(resolve(compose("train", [f"name={name}", "seed=77"])))
        run.write_config(resolve(compose("train", [f"name={name}", "seed=77"])))
        run.write_status("interrupted", step=1, steps=2)
    monkeypatch.setattr("sys.argv", ["resexp", "status"])
    cli.main()
    shown = capfd.readouterr().out
    assert shown.count("seed77") == 2
    assert "dataset.root" in shown.splitlines()[-1]
