"""The command as a person meets it: train, sweep, stop, go on, collect, draw."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from resexp import cli
from resexp.experiments import stop
from resexp.experiments.compose import composed, resolved
from resexp.experiments.runs import folder_of

ROOT = Path(__file__).parents[1]
TINY = ["model.width=4", "batch_size=64", "train.threads=1"]
SMALL_MEASUREMENT = ["threads=1", "measure.networks=20", "measure.width=8", "measure.inputs=32"]
TIMES = {"examples_per_second", "seconds"}


def only_run(folder: Path, name="single") -> Path:
    (path,) = (p for p in (folder / "results" / "runs" / name).iterdir() if p.is_dir())
    return path


def numbers(run: Path) -> list[dict]:
    """The rows without what depends on the clock."""
    with (run / "rows.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def status(run: Path) -> dict:
    return json.loads((run / "status.json").read_text())


@pytest.fixture
def background(tmp_path):
    """Start the command without waiting for it; whatever is left is killed."""
    started = []

    def start(*arguments):
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "resexp", *arguments],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for_rows(folder: Path, count: int) -> Path:
    """The only run's folder, once it has so many rows."""
    for _ in range(600):
        files = list((folder / "results" / "runs").glob("*/*/rows.csv"))
        if files and len(files[0].read_text().splitlines()) > count:
            return files[0].parent
        time.sleep(0.1)
    raise AssertionError("no rows in a minute")


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
    ("line", "among"),
    [
        ("resexp train model=pl", {"model=plain110", "model=plain20"}),
        ("resexp measure measure=gradient_s", {"measure=gradient_speed"}),
        ("resexp me", {"measure"}),
        ("resexp status dep", {"depth_sweep", "depth_sweep_cifar10"}),
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
    monkeypatch.setattr(stop.Signals, "received", None)  # put back: a sweep that ends badly stops its threads
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


def test_one_run_of_an_experiment_is_said_to_be_one(resexp):
    tiny = ["schedule.steps=1", "model.depth=8", "train.threads=1"]
    done = resexp("train", "experiment=depth_sweep", *tiny)
    assert done.stdout.startswith("one run: with -m, experiment=depth_sweep sweeps over model.depth")
    done = resexp("measure", *SMALL_MEASUREMENT, "name=depth_sweep")
    assert done.returncode == 0, done.stderr
    collected = resexp("collect", "depth_sweep")
    assert (collected.returncode, collected.stdout) == (2, "")
    assert "training runs and measurements" in collected.stderr


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


def test_bench_times_every_way_and_writes_its_tables(resexp, tmp_path):
    network = "model=wide model.depth=10 model.widen=1"
    case = f"{network} dataset=fake dataset.load.train_size=2048 batch_size=16"  # not a whole epoch
    small = ["repetitions=2", "seconds=0.01", "precisions=[float32]", "compile=false", "fixed_costs=false"]
    done = resexp("bench", f'cases=["{case}"]', *small, "members=[2]", "name=tiny", "device=cpu")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "results/tables/tiny.csv")
    ways = ["usual", "eager on device-resident data", "ours", "ours, side by side"]
    assert table["variant"].tolist() == ways
    assert (table["depth"] == 10).all()
    assert table["width"].isna().all(), "a wide network has no such setting"
    assert table["ratio_to_usual"][0] == 1
    right = table["members"] * 16 / table["ms_per_step"] * 1e3
    assert table["images_per_second"].tolist() == pytest.approx(right.tolist(), rel=2e-3)
    assert (table["ms_lowest"] <= table["ms_per_step"]).all()
    assert (table["peak_memory_mib"] > 100).all()
    profile = pd.read_csv(tmp_path / "results/tables/tiny_profile.csv")
    assert set(profile["variant"]) == {"usual", "ours"}
    assert profile["operation"].str.contains("conv").any()
    assert profile.groupby("variant")["ms_per_step"].apply(lambda ms: ms.is_monotonic_decreasing).all()
    record = json.loads((tmp_path / "results/tables/tiny.json").read_text())
    assert "bench" in record["session"]["command"]
    assert record["ceilings"]["bytes_per_second"] > 1e8


def test_sweep_collect_figures_end_to_end(resexp, tmp_path):
    sweep = ["train", "-m", "experiment=depth_sweep", *TINY, "schedule.steps=4", "interval=2"]
    small = ["model.depth=8,14", "seed=0,1"]
    done = resexp(*sweep, *small)
    assert done.returncode == 0, done.stderr
    assert "8 done" in done.stdout
    counts = set(re.findall(r"^(\d) of 8 runs finished$", done.stdout, re.MULTILINE))
    assert {"8"} < counts <= set("12345678"), "after each run; two workers may end one at the same time"
    assert "plain8-mnist1d-batch-seed1" in done.stdout
    again = resexp(*sweep, *small)
    assert again.stdout == "8 done\n", "nothing is begun"
    said = resexp("status", "depth_sweep").stdout
    assert said.count(" 4/4 ") == 8
    assert said.count("missing") == 24, "the experiment's own runs are wider and longer"
    collected = resexp("collect", "depth_sweep")
    assert "8 runs, 16 rows" in collected.stdout
    assert "24 of the 24 runs of experiment=depth_sweep are not there" in collected.stdout
    table = (tmp_path / "results/tables/depth_sweep.csv").read_bytes()
    resexp("collect", "depth_sweep")
    assert (tmp_path / "results/tables/depth_sweep.csv").read_bytes() == table
    drawn = []
    for _ in range(2):
        subprocess.run(
            [sys.executable, ROOT / "scripts/plot_depth_curves.py", f"--reference={ROOT}/results/reference"],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True,
        )  # fmt: skip
        drawn.append([p.read_bytes() for p in sorted((tmp_path / "results/figures").iterdir())])
    assert drawn[0] == drawn[1], "redrawn to the same bytes"
    facts = json.loads((tmp_path / "results/figures/depth_curves.json").read_text())
    assert facts["rows"][0]["seeds"] == [0, 1]
    assert facts["rows"][0]["training_steps"] == 4


LONG = [*TINY, "model=resnet", "model.depth=8", "schedule.steps=150", "interval=15"]


def test_killed_at_a_random_step_it_goes_on_to_the_same_numbers(resexp, background, tmp_path):
    assert resexp("train", "name=whole", *LONG).returncode == 0
    whole = only_run(tmp_path, "whole")
    process = background("train", *LONG, "train.checkpoint_minutes=0")
    for _ in range(600):
        if list((tmp_path / "results/runs/single").glob("*/checkpoint-*")):
            break
        time.sleep(0.05)
    time.sleep(random.random())
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = only_run(tmp_path)
    assert "interrupted" in resexp("status", "single").stdout
    done = resexp("train", *LONG)
    assert "goes on from step" in done.stdout
    assert numbers(run) == numbers(whole)
    states = [torch.load(next(p.glob("*.pt")), weights_only=True)["model"] for p in (run, whole)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    sessions = json.loads((run / "provenance.json").read_text())["sessions"]
    assert [session.get("status") for session in sessions] == [None, "done"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_checkpoint(background, tmp_path, number, code):
    process = background("train", *LONG, "schedule.steps=100000")
    run = wait_for_rows(tmp_path, 1)
    process.send_signal(number)
    assert process.wait() == code
    assert status(run)["status"] == "interrupted"
    (saved,) = run.glob("checkpoint-*.pt")
    assert int(saved.stem.split("-")[1]) == status(run)["step"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_sweep_and_its_workers_with_checkpoints(background, tmp_path, number, code):
    sweep = ["train", "-m", *LONG, "schedule.steps=100000", "seed=0,1,2", "train.workers=2"]
    process = background(*sweep)
    for _ in range(600):
        files = list((tmp_path / "results/runs").glob("*/*/rows.csv"))
        if len(files) == 2 and all(len(file.read_text().splitlines()) > 1 for file in files):
            break
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait() == code
    assert len(files) == 2
    for file in files:
        assert status(file.parent)["status"] == "interrupted"
        assert list(file.parent.glob("checkpoint-*.pt"))
    assert len(list((tmp_path / "results/runs").glob("*/*/config.json"))) == 2, "the third is not begun"


def test_time_that_is_up_is_no_failure_and_the_same_command_goes_on(resexp, tmp_path):
    sweep = ["train", "-m", *LONG, "schedule.steps=100000", "seed=0,1", "train.max_minutes=0.1"]
    first = resexp(*sweep)
    assert first.returncode == 0, first.stderr
    assert "1 interrupted, 1 missing" in first.stdout
    second = resexp(*sweep)
    assert "goes on from step" in second.stdout


def test_a_second_process_on_the_same_run_is_refused(resexp, background, tmp_path):
    background("train", *LONG, "schedule.steps=100000")
    wait_for_rows(tmp_path, 1)
    assert "running" in resexp("status").stdout
    done = resexp("train", *LONG, "schedule.steps=100000")
    assert done.returncode == 2
    assert "another process works on" in done.stderr


OTHER_LAUNCHER = """
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore

class OtherLauncher(BasicLauncher):
    pass

ConfigStore.instance().store("other", {"_target_": f"{__name__}.OtherLauncher"}, group="hydra/launcher")
"""


def test_a_sweep_is_left_to_another_launcher_where_one_is_chosen(resexp, tmp_path):
    plugin = tmp_path / "hydra_plugins" / "other_launcher.py"
    plugin.parent.mkdir()
    plugin.write_text(OTHER_LAUNCHER)
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    sweep = ["train", "-m", *TINY, "model=resnet", "schedule.steps=1", "hydra/launcher=other"]
    done = resexp(*sweep, "model.depth=8", "seed=0,1", env=path)
    assert done.returncode == 0, done.stderr
    assert "Launching 2 jobs" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 done"
    refused = resexp(*sweep, "model.depth=8,9", env=path)
    assert refused.returncode == 2
    assert "got 9" in refused.stderr
    assert "Launching" not in refused.stdout


def test_a_run_that_diverges_ends_and_the_sweep_goes_on(resexp, tmp_path):
    sweep = [
        "train",
        "-m",
        *LONG,
        "name=wild",
        "norm=none",
        "schedule.learning_rate=1e8,1e-4",
        "schedule.steps=20",
    ]
    done = resexp(*sweep)
    assert done.returncode == 0, done.stderr
    assert "1 diverged, 1 done" in done.stdout
    said = resexp("status", "wild").stdout
    assert "the loss was not finite at step" in said
    assert resexp(*sweep).stdout == "1 diverged, 1 done\n", "neither is begun again"


def test_a_run_that_fails_says_where_and_the_sweep_goes_on(resexp, tmp_path):
    short = [*TINY, "model.depth=8", "schedule.steps=6", "interval=3"]
    assert resexp("train", *short).returncode == 0
    run = only_run(tmp_path)
    (run / "status.json").unlink()
    next(run.glob("checkpoint-*")).write_bytes(b"damaged")
    alone = resexp("train", *short)
    assert alone.returncode == 1
    assert "failed at step" in alone.stdout
    assert "error.txt" in alone.stdout
    assert "Traceback" not in alone.stderr
    assert "no checkpoint in" in (run / "error.txt").read_text()
    assert status(run)["step"] == 6, "as far as its rows reach"
    swept = resexp("train", "-m", *short, "seed=0,1")
    assert swept.returncode == 1
    assert "1 done, 1 failed" in swept.stdout


def test_measure_collect_and_skip(resexp, tmp_path):
    command = ["measure", "-m", "name=small", "measure=gradient_autocorrelation", *SMALL_MEASUREMENT]
    done = resexp(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 done" in done.stdout
    assert resexp(*command).stdout == "1 done\n", "it is not measured again"
    tables = only_run(tmp_path, "small") / "tables"
    assert {path.stem for path in tables.iterdir()} == {
        "autocorrelation", "covariance", "gradients", "summary",
    }  # fmt: skip
    assert "done" in resexp("status", "small").stdout
    assert "small_autocorrelation.csv" in resexp("collect", "small").stdout
    refused = resexp("collect", "small", "--tables", "/proc/none")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(r"resexp: cannot write /proc/none: .*--tables\n", refused.stderr)


def test_measure_trained_runs_before_and_after(resexp, tmp_path):
    short = [*TINY, "model.depth=8", "schedule.steps=20", "interval=20"]
    assert resexp("train", *short).returncode == 0
    for measure in ("gradient_autocorrelation", "activation_variance"):
        done = resexp("measure", f"measure={measure}", "name=after", "run=results/runs/single/*", "threads=1")
        assert done.returncode == 0, done.stdout + done.stderr
    folders = [p for p in (tmp_path / "results/runs/after").iterdir() if p.is_dir()]
    assert len(folders) == 2
    (path,) = (tmp_path / "results/runs/after").glob("*/tables/variance.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["stage"] for row in rows} == {"initial", "trained"}
    assert {(row["model"], row["depth"], row["seed"]) for row in rows} == {("resnet", "8", "0")}
    assert len(rows) == 2 * (1 + 3), "before the first of three blocks and after each"
    refused = resexp("measure", "measure=gradient_correlation", "run=results/runs/single/*")
    assert refused.returncode == 2
    assert "measures random networks only" in refused.stderr
