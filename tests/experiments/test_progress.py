"""What is shown of runs that go on: by `resexp status`, and by a sweep on a terminal."""

import contextlib
import copy
import functools
import io
import json
import os
import re
import signal
import sys

import pytest
from helpers import TINY, mentions

from resexp import cli, files
from resexp.commands import status
from resexp.config.compose import compose, resolve
from resexp.experiments import board, progress, workers
from resexp.experiments.progress import Overview, Seen
from resexp.experiments.runs import folder_of
from resexp.records import contents
from resexp.records.run import RunFolder

WRITTEN = 1_000_000_000.0  # seconds since 1970: when the last row of every run was written


def seen(status="running", *, name="resnet8-mnist1d-batch-seed0-0123456789", step=40, left=60.0, error=""):
    return Seen(name, status, step, 100, error, "train 12.00%, test 20.10%", left)


def row(step, seconds):
    return {"step": step, "train_error_percent": 12.5, "test_error_percent": 20.0, "seconds": seconds}


@functools.cache
def composed():
    return resolve(compose("train", [*TINY, "model=resnet", "schedule.steps=100"]))


@contextlib.contextmanager
def recorded(depth, status, rows=(), *, seed=0, error=""):
    """A run's folder in the current folder, locked if it is running; its settings and folder."""
    settings = copy.deepcopy(composed()) | {"seed": seed}
    settings["labels"] |= {"depth": depth, "seed": seed}
    settings["model"]["depth"] = depth
    folder = folder_of(settings)
    folder.write_config(settings)
    folder.write_rows(list(rows))
    os.utime(folder.path / "rows.csv", (WRITTEN, WRITTEN))
    folder.write_status(status, step=0, steps=100, error=error)
    with folder.held() if status == "running" else contextlib.nullcontext():
        yield settings, folder


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Four runs: finished, running, failed, interrupted; 0.1 s a step, 2 s after the last row."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress.time, "time", lambda: WRITTEN + 2)
    with contextlib.ExitStack() as stack:
        found = [
            stack.enter_context(recorded(8, "done", [row(50, 4.0), row(100, 10.0)])),
            stack.enter_context(recorded(8, "running", [row(40, 4.0)], seed=1)),
            stack.enter_context(recorded(14, "failed", error="RuntimeError: broken")),
            stack.enter_context(recorded(20, "interrupted", [])),
        ]
        yield Overview([f for _, f in found], {f.name: s for s, f in found})


def test_the_last_row_is_that_of_all_rows(tmp_path):
    run = RunFolder(tmp_path / "run")
    assert run.last_row() == {}
    for rows in ([], [row(1, 2.0)], [row(step, 2.0) for step in range(5000)]):
        run.write_rows(rows)
        assert run.last_row() == (run.rows() or [{}])[-1]
    with (run.path / "rows.csv").open("a") as file:
        file.write("99999,1")  # the process was killed while it wrote
    assert run.last_row() == run.rows()[-1]
    (run.path / "rows.csv").write_bytes(b"step,\xff\n1,\xff\n")
    assert run.last_row() == {}


def test_an_overview_says_how_long_each_run_still_takes(sweep):
    done, running, failed, begun = sweep.now()
    assert done.left == 0
    assert running.left == pytest.approx(4.0), "60 steps at its own pace, less 2 s since its last row"
    assert failed.left is None, "it does not go on"
    assert begun.left == pytest.approx(0.1 * 20 / 8 * 100), "in proportion to its depth"
    assert running.errors == "train 12.50%, test 20.00%"
    assert progress.totals([done, running, failed, begun], 2) == (
        "1 of 4 finished, 1 running, 1 failed, about 25 s left"
    )


def test_runs_that_are_running_are_all_that_is_known_of_the_others_at_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with recorded(8, "running", [row(50, 10.0)]) as one, recorded(14, "interrupted") as other:
        found = Overview([one[1], other[1]], {})
        assert found.now()[1].left == pytest.approx(0.2 * 14 / 8 * 100)


def test_finished_runs_are_read_once_and_new_ones_are_taken_up(sweep, monkeypatch):
    sweep.now()
    read = []
    monkeypatch.setattr(progress, "look", lambda folder: read.append(folder.name) or seen(name=folder.name))
    sweep.now()
    assert [name.partition("-")[0] for name in read] == ["resnet8", "resnet14", "resnet20"]
    with recorded(26, "done") as (_, new):
        sweep.add([sweep.found[0], new])
        assert [run.name for run in sweep.now()] == sorted(f.name for f in sweep.found)
        assert len(sweep.found) == 5


def test_one_look_at_many_runs_reads_every_file_once_and_parses_one_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with contextlib.ExitStack() as stack:
        recordings = [
            recorded(8, ["done", "failed", "interrupted"][n % 3], [row(5, 1.0)], seed=n) for n in range(9)
        ]
        found = [stack.enter_context(each)[1] for each in recordings]
        opened, parsed = [], []
        monkeypatch.setattr(
            files.os, "open", lambda path, *how, to=os.open: opened.append(path) or to(path, *how)
        )
        monkeypatch.setattr(
            contents, "translate", lambda text, to=contents.translate: parsed.append(text) or to(text)
        )
        Overview(found, {}).now()
    of_timed = [f"{f.path}/rows.csv" for f in found[::3]]
    assert sorted(opened) == sorted(
        [f"{f.path}/{name}" for f in found for name in ("config.json", "rows.csv", "status.json")]
        + 2 * of_timed
    ), "those that have finished twice more: for the time they took"
    assert len(parsed) == 1, "they differ in the seed"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"command": "train", "schedule": []}), ("config.json", {"command": "train"}),
        ("config.json", {"command": "train", "labels": {"x": []}}),
        ("config.json", {"command": "train", "labels": {}, "schedule": {"steps": 10**400}}),
        ("config.json", {"command": "train", "labels": {}, "schedule": {"steps": "8"}}),
        ("config.json", {"command": "train", "labels": {}, "batch_size": 0}),
        ("status.json", {"status": "interrupted", "step": 10**400, "steps": 10**4000, "error": ""}),
        ("status.json", {"status": "done", "step": -1, "steps": 1, "error": ""}),
        ("status.json", {"status": "\ud800", "step": 1, "steps": 1, "error": "\ud800"}),
        ("rows.csv", f"step,seconds\n{10**400},nan\n"), ("rows.csv", "step,seconds\n4,nan\n"),
        ("rows.csv", "step,seconds\n4,-inf\n"), ("rows.csv", "step,seconds\n4,1e400\n"),
        ("rows.csv", "\0,\0\n\0,\0\n"), ("rows.csv", "step\n" + "x" * 200_000 + "\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["done", "interrupted"])
def test_what_a_folder_holds_stops_nobody_from_seeing_the_others(
    tmp_path, monkeypatch, file, content, kind, capsys
):
    monkeypatch.chdir(tmp_path)
    with recorded(8, kind, [row(50, 10.0)]) as (_, one), recorded(14, "interrupted") as (_, other):
        if file == "config.json":  # an earlier version recorded no checksum
            state = json.loads((one.path / "status.json").read_text())
            (one.path / "status.json").write_text(json.dumps(state | {"config_sha256": None}))
        (one.path / file).write_text(content if isinstance(content, str) else json.dumps(content))
        status.main(["single"])
    assert other.name in capsys.readouterr().out


@pytest.mark.parametrize("width", [79, 60])
def test_lines_fit_the_terminal_and_their_bars_stand_below_each_other(width):
    runs = [
        seen(), seen("done"), seen(name="imagenet_resnet152-imagefolder-batch-seed12-abcdef0123", step=100),
        seen(name="x", left=None),
    ]  # fmt: skip
    lines = progress.running_lines(runs, width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert len({line.index("|") for line in lines}) == 1
    bars = [re.search(r"\|(.*)\| ", line)[1] for line in lines]
    assert [bar.count("#") for bar in bars] == [3, 8, 3], "40 and 100 of 100 steps, in 8 characters"
    assert re.search(r" 40/100  test 20.10%  60 s left\Z", lines[0])
    assert lines[1].startswith("i") and "abcd" in lines[1]  # noqa: PT018


def test_a_strangers_name_and_error_cannot_act_on_the_terminal():
    wild = seen("failed", name="a\x1b[2J", error="b\x1b[2J{}%s")
    text = "\n".join(status.block({"x": [wild, seen(name="{bar}\x1b[J-0123456789")]}, "12:00:00", 79))
    assert "\x1b" not in text
    assert "{bar}" in text


def test_status_lists_failures_last_and_then_the_totals(sweep, capsys):
    status.main(["single"])
    name, *runs, totals = capsys.readouterr().out.splitlines()
    assert name == "single"
    assert [line.split()[0] for line in runs] == ["interrupted", "done", "running", "failed"]
    assert runs[-1].endswith("RuntimeError: broken")
    assert re.search(r" 40/100 .*test 20\.00%  about 4 s left\Z", runs[2])
    assert totals.strip().startswith("1 of 4 finished, 1 running, 1 failed, about")


def test_damaged_runs_stand_among_the_failures():
    statuses = {"a": "damaged", "b": "done", "c": "failed", "d": "running"}
    runs = [progress.Seen(name, status, 0, 1, "", "") for name, status in statuses.items()]
    assert "".join(run.name for run in progress.failures_last(runs)) == "bdac"


def test_watching_ends_when_all_runs_have_ended(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with recorded(8, "running", [row(50, 5.0)]) as (_, folder):
        slept = []

        def sleep(seconds):
            slept.append(seconds)
            folder.write_status("done", step=100, steps=100)

        monkeypatch.setattr(status.time, "sleep", sleep)
        with pytest.raises(SystemExit) as ended:
            status.main(["--watch", "single"])
    assert (ended.value.code, slept) == (0, [status.INTERVAL])
    first, second = capsys.readouterr().out.strip().split("\n\n")
    assert [line.split(" ")[0] for line in first.splitlines()[1:]] == ["single:", ""]
    assert "single: 1 of 1 finished" in second
    assert "\x1b" not in first


def test_watching_on_a_terminal_redraws_in_place_and_ctrl_c_ends_it(sweep, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def fileno(self):
            raise OSError

    def interrupt(seconds):
        raise KeyboardInterrupt

    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(status.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        status.main(["single", "--watch", "5"])
    text = out.getvalue()
    assert text.startswith(status.CLEAR + status.HOME)
    assert all(len(re.sub(r"\x1b\[\w+", "", line)) < 80 for line in text.splitlines())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(cli, "_dispatch", interrupt)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert ended.value.code == 130


@pytest.mark.parametrize("seconds", ["soon", "0"])
def test_how_often_is_a_number_of_seconds(seconds, capsys):
    with pytest.raises(SystemExit) as ended:
        status.main(["single", "--watch", seconds])
    assert ended.value.code == 2
    assert re.match(mentions("--watch", "seconds"), capsys.readouterr().err.strip())


def test_what_does_not_fit_is_counted():
    runs = {"x": [seen(name=f"resnet8-{n}") for n in range(30)], "y": [seen("done", left=0.0)]}
    lines = status.block(runs, "12:00:00", 79, 24)
    assert len(lines) == 24
    assert lines[-1] == "... 10 more lines", "a clock, x, 30 runs, and that y has finished: 33"


def test_a_sweep_draws_one_line_per_running_run_and_the_totals(sweep):
    lines = board.board_lines(sweep, 3, 79)
    assert len(lines) == 4
    assert "resnet8-mnist1d-batch-seed1" in lines[0]
    assert lines[1].startswith("1 of 4 finished")
    assert lines[2:] == ["", ""]


def test_text_appears_above_what_is_drawn_and_everything_is_as_before_afterwards(sweep, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def fileno(self):
            raise OSError

    terminal, log = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", log)
    with board.on_terminal(sweep, 1):
        assert workers.is_drawn()
        print("to a file", end=" ")
        print("in pieces")
        print("a warning", file=sys.stderr)
        print("without an end", end="")
    assert not workers.is_drawn()
    assert (sys.stdout, sys.stderr) == (log, terminal)
    said = "to a file in pieces\nwithout an end"
    assert log.getvalue() == said, "a stream that leads elsewhere is left as it is"
    assert "a warning\n" in terminal.getvalue()
    assert "1 of 4 finished, 1 running" in terminal.getvalue()


def test_a_worker_and_a_sweep_without_a_terminal_draw_nothing(sweep, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with board.on_terminal(sweep, 2):
        assert not workers.is_drawn()
    monkeypatch.setenv(workers.VARIABLE, "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with board.on_terminal(sweep, 2):
        assert workers.DRAWN not in os.environ
    assert sys.stderr.getvalue() == ""
