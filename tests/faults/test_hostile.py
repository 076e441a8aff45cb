"""A stranger's folder of runs: nothing of it is executed, nothing outside is written, nothing hangs."""

import collections
import json
import os
import pickle
import shutil
import subprocess
import sys
from functools import partial

import pytest
from faults.inside import SHORT, command, here, refuse_traceback, tell  # noqa: F401
from helpers import ROOT, only_run

pytestmark = pytest.mark.slow
TARGETS = (
    "os.system", "subprocess.run", "torch.load", "builtins.eval", "resexp.cli.main", "hydra.utils.call",
    "resexp.commands.hydra_job.train", "resexp.files.atomic", "resexp.training.checkpoint.load",
    "resexp.data.cifar_files.pickle", "torch.hub.load", "resexp.experiments.workers.start_processes",
)  # fmt: skip
OUTSIDE = "precious"


class Touches:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


def sections(config):
    """Every section of a config that names what is to be called."""
    for value in config.values():
        if isinstance(value, dict):
            if "_target_" in value:
                yield value
            yield from sections(value)


def names(target, run):
    config = json.loads((run / "config.json").read_text())
    for section in sections(config):
        section.clear()
        section.update(name="x", _target_=target, command="touch pwned", args=["touch pwned"])
    (run / "config.json").write_text(json.dumps(config))


def pickled(run):
    path = next(run.glob("checkpoint-*"))
    path.unlink()
    (run / "checkpoint-00000008.pt").write_bytes(pickle.dumps({"model": Touches(), "step": 8}))


def escapes(run):
    state = {"status": "failed", "step": 1, "steps": 8, "error": "\x1b[2J\x1b]0;mine\x07"}
    (run / "status.json").write_text(json.dumps(state))


def fifo(name, run):
    path = next(run.glob(name))
    path.unlink()
    os.mkfifo(path)


def link(name, run):
    path = next(run.glob(name))
    path.unlink()
    path.symlink_to(run.parents[3] / OUTSIDE)


def label(run):
    config = json.loads((run / "config.json").read_text())
    config["labels"]["model"] = config["name"] = config["labels"]["norm"] = "../../../escaped"
    (run / "config.json").write_text(json.dumps(config))


def huge(run):
    (run / "status.json").write_text("[" * 100_000)


FILES = ("config.json", "status.json", "rows.csv", "provenance.json", "checkpoint-*", "lock")
FOLDERS = [
    *(pytest.param(partial(names, target), id=target) for target in TARGETS),
    *(pytest.param(partial(fifo, name), id=f"fifo {name}") for name in FILES),
    *(pytest.param(partial(link, name), id=f"link {name}") for name in FILES),
    *(pytest.param(change, id=change.__name__) for change in (pickled, escapes, label, huge)),
]


@pytest.fixture(scope="module")
def counts():
    found = collections.Counter()
    yield found
    tell("a stranger's folder", found)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with one finished run."""
    folder = tmp_path_factory.mktemp("original")
    line = [sys.executable, "-m", "resexp", "train", *SHORT]
    subprocess.run(line, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return folder / "results"


@pytest.mark.parametrize("change", FOLDERS)
def test_a_strangers_folder(here, capfd, counts, original, change):  # noqa: F811
    shutil.copytree(original, here / "results", dirs_exist_ok=True)
    run = only_run(here)
    precious = here / OUTSIDE
    precious.write_text("mine\n")
    change(run)
    outside = {path for path in here.rglob("*") if "results" not in path.parts}
    for line in (
        ("status",),
        ("collect", "single"),
        ("measure", "measure=norm_scales", f"run={run}", "threads=1"),
        ("train", *SHORT),
    ):
        said = command(capfd, *line)
        refuse_traceback(said)
        assert "\x1b" not in said[1] + said[2]
    assert precious.read_text() == "mine\n"
    assert not list(here.rglob("pwned"))
    assert {path for path in here.rglob("*") if "results" not in path.parts} == outside
    assert not list(here.rglob("*escaped*"))
    counts["folders"] += 1
    counts["let in"] += 0
