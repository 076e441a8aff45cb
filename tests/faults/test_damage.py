"""40 flipped bits and 40 cuts of each file of a run's folder: the same numbers, or a sentence."""

import collections
import json
import shutil

import pytest
import torch
from faults.inside import SHORT, command, damages, here, refuse_traceback, tell  # noqa: F401
from helpers import numbers, only_run, status

from resexp.commands.collect import collect
from resexp.experiments.trained_run import TrainedRun
from resexp.records.identity import flat
from resexp.records.run import RunFolder

pytestmark = pytest.mark.slow
FILES = ("checkpoint-*.pt", "rows.csv", "status.json", "provenance.json", "config.json")
TRIALS = 40


def restore(folder, from_):
    shutil.rmtree(folder)
    shutil.copytree(from_, folder)


def newest(run, pattern):
    return max(run.glob(pattern))


@pytest.fixture
def interrupted(here, capfd, monkeypatch):  # noqa: F811
    """A finished run, the same run after four steps, and a copy of that."""
    assert command(capfd, "train", "name=whole", *SHORT)[0] == 0
    asked = iter(range(10**6))
    with monkeypatch.context() as patched:
        patched.setattr("resexp.experiments.stop.time_is_up", lambda minutes: next(asked) > 4)
        command(capfd, "train", "name=single", "train.checkpoint_minutes=0", *SHORT)
    run = only_run(here)
    assert status(run)["status"] == "interrupted"
    assert len(list(run.glob("checkpoint-*.pt"))) == 2
    shutil.copytree(run, here / "copy")
    return only_run(here, "whole"), run, here / "copy"


@pytest.mark.parametrize("kind", ["bit", "cut"])
@pytest.mark.parametrize("name", FILES)
def test_an_interrupted_run_is_resumed_to_the_same_numbers(interrupted, capfd, name, kind):
    whole, run, copy = interrupted
    counts = collections.Counter(trials=0, lost=0)
    for content in damages(newest(copy, name).read_bytes(), kind, TRIALS):
        restore(run, copy)
        newest(run, name).write_bytes(content)
        refuse_traceback(command(capfd, "status"))
        code, *_ = said = command(capfd, "train", "name=single", *SHORT)
        refuse_traceback(said)
        counts["trials"] += 1
        assert code == 0, said
        assert numbers(run) == numbers(whole), said
        counts["resumed to the same numbers"] += 1
    with capfd.disabled():
        tell(f"{kind} of {name}, interrupted run", counts)


@pytest.mark.parametrize("kind", ["bit", "cut"])
@pytest.mark.parametrize("name", FILES)
def test_a_finished_run_is_collected_as_it_was_or_left_out(interrupted, here, capfd, name, kind):  # noqa: F811
    whole, *_ = interrupted
    another = ["train", "name=whole", *SHORT, "seed=1"]
    assert command(capfd, *another)[0] == 0
    collect = ("collect", "whole", "--replace")
    command(capfd, *collect)
    table = here / "results/tables/whole.csv"
    right, copy = table.read_text(), here / "finished"
    without = "".join(line for line in right.splitlines(keepends=True) if ",batch,0," not in line)
    shutil.copytree(whole, copy)
    counts = collections.Counter(trials=0, lost=0)
    for content in damages(newest(copy, name).read_bytes(), kind, TRIALS):
        restore(whole, copy)
        newest(whole, name).write_bytes(content)
        refuse_traceback(command(capfd, "status"))
        code, out, _ = said = command(capfd, *collect)
        refuse_traceback(said)
        counts["trials"] += 1
        assert code == 0, said
        if table.read_text() == right:
            counts["collected as it was"] += 1
        else:
            assert table.read_text() == without, said
            assert whole.name in out, "the one left out is named"
            counts["left out and named"] += 1
    restore(whole, copy)
    command(capfd, *collect)
    assert table.read_text() == right
    with capfd.disabled():
        tell(f"{kind} of {name}, finished run", counts)


def altered(node, path):
    """A config with one setting changed, which still reads as a setting."""
    key, *rest = path
    if rest:
        return node | {key: altered(node[key], rest)}
    value = node[key]
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return node | {key: value + 1 if numeric else not value if isinstance(value, bool) else "another"}


def test_an_altered_setting_is_named_and_restored(interrupted, here, capfd):  # noqa: F811
    whole, *_ = interrupted
    assert command(capfd, "train", "name=whole", *SHORT, "seed=1")[0] == 0
    path, runs, tables = whole / "config.json", here / "results/runs", here / "results/tables"
    right, counts = path.read_text(), collections.Counter(trials=0, lost=0)
    for key in flat(json.loads(right)):
        path.write_text(json.dumps(altered(json.loads(right), key.split("."))))
        line, *_ = collect("whole", runs, tables, replace=True)
        assert "1 runs" in line, (key, line)
        assert f"{whole.name} (config.json was altered" in line, key
        assert RunFolder(whole).state()["status"] == "damaged", key
        counts["trials"] += 1
        counts["left out and named"] += 1
    assert command(capfd, "train", "name=whole", *SHORT)[0] == 0
    assert path.read_text() == right
    assert "2 runs" in collect("whole", runs, tables, replace=True)[0]
    with capfd.disabled():
        tell("an altered setting, finished run", counts)


def test_the_files_of_another_run_are_not_taken_for_this_one(interrupted, here, capfd):  # noqa: F811
    whole, *_ = interrupted
    other = ["train", "name=whole", *SHORT, "schedule.learning_rate=0.05"]
    assert command(capfd, *other)[0] == 0
    (path,) = (run for run in whole.parent.iterdir() if run != whole)
    content = {file.name: file.read_bytes() for file in path.iterdir()}
    restore(whole, path)
    code, _, err = said = command(capfd, "train", "name=whole", *SHORT)
    refuse_traceback(said)
    assert code == 2
    assert whole.name in err
    assert "schedule.learning_rate" in err
    assert {file.name: file.read_bytes() for file in whole.iterdir()} == content


@pytest.mark.parametrize("kind", ["bit", "cut"])
def test_no_other_network_is_measured(interrupted, capfd, kind):
    whole, *_ = interrupted
    path = newest(whole, "checkpoint-*.pt")
    content, right = path.read_bytes(), None
    right = TrainedRun(RunFolder(whole), torch.device("cpu")).network().state_dict()
    counts = collections.Counter(trials=0, lost=0)
    for damaged in damages(content, kind, TRIALS):
        path.write_bytes(damaged)
        counts["trials"] += 1
        with pytest.raises(ValueError, match=r"\Ano checkpoint in .*delete"):
            TrainedRun(RunFolder(whole), torch.device("cpu")).network()
    path.write_bytes(content)
    again = TrainedRun(RunFolder(whole), torch.device("cpu")).network().state_dict()
    assert all(torch.equal(right[key], again[key]) for key in right)
    with capfd.disabled():
        tell(f"{kind} of a measured checkpoint", counts | {"refused in a sentence": counts["trials"]})
