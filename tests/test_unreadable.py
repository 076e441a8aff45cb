"""What may not be read is named, and never passed over. For root, too, which is made to obey permissions."""

import ctypes
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from helpers import ROOT, TINY, mentions

from resexp import cli

DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # of linux/capability.h: what lets root ignore permissions
VERSION_3 = 0x20080522  # of its structures

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="by capabilities of Linux")
SHORT = [*TINY, "model=resnet", "model.depth=8", "schedule.steps=2", "interval=1", "name=x"]


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


@contextmanager
def obeying_permissions():
    """Within the block, this thread lacks the capabilities by which root ignores permissions."""
    libc, header = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(VERSION_3, 0)  # 0: this thread
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; those from 32 on behind them
    assert libc.capget(header, data) == 0
    before = data[0]
    data[0] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    assert libc.capset(header, data) == 0
    try:
        yield
    finally:
        data[0] = before
        assert libc.capset(header, data) == 0


def without(closed, command, runs, resexp):
    """Run a command without permission to read a file or folder: its path, and what the command said."""
    (seed0,) = (runs / "results/runs/x").glob("*seed0-*")
    path = runs / closed.replace("RUN", str(seed0.relative_to(runs)))
    for folder in ("results/tables", "images/train/a", "images/val/a"):
        (runs / folder).mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        with obeying_permissions():
            return path, resexp(*command, folder=runs)
    finally:
        path.chmod(mode)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with two finished runs below results/runs/x."""
    folder = tmp_path_factory.mktemp("unreadable")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        here.setattr(sys, "argv", ["resexp", "train", "-m", *SHORT, "seed=0,1"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 0
    return folder


@pytest.mark.parametrize(
    ("closed", "command"),
    [
        ("results/runs", ["status"]),
        ("results/runs", ["collect", "x"]),
        ("results/runs/x", ["status"]),
        slow("results/runs/x", ["status", "x"]),
        ("results/runs/x", ["collect", "x"]),
        slow("results/runs/x", ["train", *SHORT]),
        ("results/runs/x", ["measure", "measure=norm_scales", "run=results/runs/*/*"]),
        ("RUN", ["train", *SHORT]),
        ("results/tables", ["collect", "x"]),
        slow("images/train", ["train", "dataset=imagefolder", "dataset.root=images"]),
        ("images/train/a", ["train", "dataset=imagefolder", "dataset.root=images"]),
        slow("images", ["train", "dataset=cifar10", "dataset.root=images"]),
        slow("images", ["train", "dataset=mnist", "dataset.root=images"]),
    ],
)
def test_what_may_not_be_read_is_named_and_never_passed_over(closed, command, runs, resexp):
    path, done = without(closed, command, runs, resexp)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    said = done.stderr.removesuffix("\n")
    assert re.search(r"\Aresexp: [^\n]*Permission denied[^\n]*\Z", said)
    assert path.relative_to(runs).as_posix() in said
    assert "None" not in said


@pytest.mark.parametrize(
    ("closed", "command"),
    [
        ("RUN/config.json", ["collect", "x", "--replace"]),
        ("RUN/status.json", ["status"]),
        slow("RUN", ["measure", "measure=norm_scales", "run=results/runs/x/*", "name=measured", "threads=1"]),
        *(slow(f"RUN{file}", ["status"]) for file in ("", "/config.json", "/rows.csv")),
        *(slow(f"RUN{file}", ["collect", "x", "--replace"]) for file in ("", "/status.json", "/rows.csv")),
    ],
)
def test_a_run_that_may_not_be_read_is_named_and_the_others_go_on(closed, command, runs, resexp):
    path, done = without(closed, command, runs, resexp)
    name = next(part for part in path.parts if "seed0-" in part)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if name in line)
    assert "Permission denied" in line or "damaged" in line
    assert "seed1-" in done.stdout or "1 runs" in done.stdout


def test_collect_takes_the_home_folder(runs, monkeypatch, capfd):
    monkeypatch.setenv("HOME", str(runs))
    monkeypatch.setattr(
        sys, "argv", ["resexp", "collect", "x", "--runs", "~/results/runs", "--tables", "~/mine"]
    )
    cli.main()
    assert "2 runs" in capfd.readouterr().out
    assert (runs / "mine/x.csv").is_file()


@pytest.mark.parametrize("value", ["", "''"])
def test_an_empty_dataset_root_is_refused(value, resexp):
    done = resexp("train", "dataset=cifar10", f"dataset.root={value}")
    assert done.returncode == 2
    assert re.search(mentions("resexp", "dataset.root", "empty"), done.stderr.strip())


@pytest.mark.parametrize("arguments", [["--cfg", "job"], ["--info"]])
def test_a_config_that_cannot_be_printed_ends_with_a_sentence(arguments, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "resexp", "train", *arguments],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=100,
        )  # fmt: skip
    assert done.returncode == 2
    assert re.fullmatch(r"resexp: .*No space left.*\n", done.stderr)
