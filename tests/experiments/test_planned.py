"""`--dry-run`: what would be executed, from where, and about how long; and nothing is."""

import re
import sys

import pytest
from helpers import TINY, mentions

from resexp import cli
from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments import expected, planned
from resexp.experiments import train as training
from resexp.experiments.runs import folder_of
from resexp.records.run import RunFolder

SMALL = [*TINY, "model=resnet", "schedule.steps=100"]


def config(depth, seed=0):
    return resolve(compose("train", [*SMALL, f"model.depth={depth}", f"seed={seed}"]))


def recorded(run, status, *, seconds=20.0, checkpoint=None):
    """A run's folder as a process would have left it."""
    folder = folder_of(run)
    folder.write_config(run)
    folder.write_rows([{"step": 100, "seconds": seconds}])
    folder.write_status(status, step=100, steps=100)
    if checkpoint:
        for step in (checkpoint // 2, checkpoint):
            (folder.path / f"checkpoint-{step:08d}-{0:032x}.pt").touch()
    return folder


def files(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def dry(monkeypatch, capfd, *arguments):
    monkeypatch.setattr(sys, "argv", ["resexp", *arguments, "--dry-run"])
    try:
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code
    return code, capfd.readouterr()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_another_process_executes_is_not_to_run():
    recorded(config(8), "done")
    runs = [config(8), config(8, seed=1)]
    with recorded(runs[1], "running").held():
        *_, other, totals = planned.lines(runs, [folder_of(run) for run in runs])
    assert other.split()[0] == "running"
    assert "seed1" in other
    assert "about" not in other
    assert re.search(mentions("1 of 2 finished", "1 running", "nothing to run"), totals)


def test_a_sweep_is_listed_and_left_as_it_is(monkeypatch, capfd, tmp_path):
    recorded(config(8), "done")
    recorded(config(8, seed=1), "interrupted", checkpoint=40)
    monkeypatch.setattr(training, "run", None)
    before = files(tmp_path)
    code, said = dry(monkeypatch, capfd, "train", "-m", *SMALL, "model.depth=8,32", "seed=0,1")
    assert code == 0, said.err
    assert files(tmp_path) == before
    *runs, totals = [line.split() for line in said.out.splitlines()]
    seconds = 20 * 32 / 8
    assert [(run[0], run[-1].rpartition("-")[0]) for run in runs] == [
        ("done", "resnet8-mnist1d-batch-seed0"),
        ("missing", "resnet32-mnist1d-batch-seed0"),
        ("missing", "resnet32-mnist1d-batch-seed1"),
        ("interrupted", "resnet8-mnist1d-batch-seed1"),
    ]
    assert runs[1][1:-1] == ["starts", "about", f"{seconds:.0f}", "s"]
    assert runs[3][1:-1] == ["resumes", "at", "40", "about", "12", "s"], "60 of 100 steps are left"
    assert " ".join(totals) == (
        f"1 of 4 finished; 3 to run, about {expected.in_words(2 * seconds + 12)}"
    )  # 172 s


def test_a_single_run_is_timed_by_others_of_its_experiment(monkeypatch, capfd, tmp_path):
    one = [*SMALL, "model.depth=8", "seed=5"]
    code, said = dry(monkeypatch, capfd, "train", *one)
    assert code == 0
    assert "unknown" in said.out
    assert not list(tmp_path.iterdir())
    recorded(config(8), "done")
    _, said = dry(monkeypatch, capfd, "train", *one)
    assert said.out.splitlines()[-1] == "0 of 1 finished; 1 to run, about 20 s"


def test_a_folder_of_something_else_beside_the_runs_is_passed_over():
    recorded(config(8), "done")
    RunFolder(folder_of(config(8)).path.parent / "notes").write_config({"name": "mine", "labels": {}})
    run = config(8, seed=5)
    assert planned.times_of([run], [folder_of(run)]).of_run(run) == 20


def test_a_measurement_is_listed_too(monkeypatch, capfd, tmp_path):
    code, said = dry(monkeypatch, capfd, "measure", "measure=gradient_autocorrelation")
    assert (code, list(tmp_path.iterdir())) == (0, [])
    assert re.search(r"^  missing +starts +gradient_autocorrelation-\w{10}$", said.out, re.MULTILINE)


def test_what_the_command_would_refuse_is_refused(monkeypatch, capfd):
    code, said = dry(monkeypatch, capfd, "train", "-m", *SMALL, "model.depth=8,9")
    assert code == 2
    assert "got 9" in said.err


def test_nothing_is_downloaded(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr("resexp.data.cifar._download", None)
    (tmp_path / "data").mkdir()
    code, said = dry(monkeypatch, capfd, "train", "dataset=cifar10", "dataset.root=data")
    assert code == 2
    assert re.fullmatch(mentions("--dry-run", "CIFAR-10"), said.err.strip())


def test_other_refusals_are_passed_on():
    class Command:
        def check(self, run):
            raise ConfigError("as it was")

    with pytest.raises(ConfigError, match=r"\Aas it was\Z"):
        planned.check(Command(), {"command": "train"})


@pytest.mark.parametrize(
    ("statuses", "lengths", "words"),
    [
        (["done", "diverged"], [], ("2 of 2 finished", "nothing to run")),
        (["done", "running"], [], ("1 of 2 finished", "1 running", "nothing to run")),
        (["failed", "missing", "missing"], [60, 60, 120], ("3 to run", "2 min", "2 workers")),
        (["missing", "missing"], [60, None], ("2 to run", "unknown")),
    ],
)
def test_totals(statuses, lengths, words):
    assert re.match(mentions(*words), planned.totals(statuses, lengths, workers=2))
