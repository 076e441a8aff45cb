import errno
import fcntl
import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import mentions

from resexp.files import DamagedError, LockedError, exclusive, is_held, read_json, write_json
from resexp.records.folders import find, folders
from resexp.records.identity import identity
from resexp.records.run import BusyError, RemovedError, RunFolder


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "name-0123456789")
    folder.write_config({"seed": 1})
    return folder


def test_rows_come_back_as_they_were_written(run):
    rows = [{"step": 1, "loss": 0.1 + 0.2}, {"step": 2, "loss": 1e-300}]
    run.write_rows([])
    for row in rows:
        run.append_row(row)
    assert [{"step": int(r["step"]), "loss": float(r["loss"])} for r in run.rows()] == rows
    run.write_rows(rows[:1])
    run.append_row(rows[1])
    assert len(run.rows()) == 2


def test_a_row_cut_short_is_passed_over(run):
    run.append_row({"step": 10, "loss": 0.5})
    path = run.path / "rows.csv"
    path.write_text(path.read_text() + "20,0.2")
    assert [row["step"] for row in run.rows()] == ["10"]


def test_status_goes_from_missing_to_running_interrupted_and_failed(run):
    assert run.state()["status"] == "missing"
    run.write_status("running", step=0, steps=9)
    run.append_row({"step": 4})
    with run.held():
        assert run.state() | {"error": ""} == {"status": "running", "step": 4, "steps": 9, "error": ""}
    assert run.state()["status"] == "interrupted", "nobody holds it"
    assert not run.is_finished
    run.write_status("failed", step=5, steps=9, error="x")
    assert run.state() == {"status": "failed", "step": 5, "steps": 9, "error": "x"}


def test_a_second_process_is_refused(run):
    with run.held(), pytest.raises(BusyError, match=mentions(str(run.path), "`resexp status`")), run.held():
        pass
    with run.held():
        pass


def test_a_lock_does_not_outlive_its_holder(tmp_path):
    root = Path(__file__).parents[2]
    code = (
        "from resexp.files import exclusive; from pathlib import Path; import time\n"
        "with exclusive(Path('lock'), wait=False): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError), exclusive(tmp_path / "lock", wait=False):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive(tmp_path / "lock", wait=False):
        pass


def test_looking_at_a_lock(tmp_path):
    path = tmp_path / "lock"
    with exclusive(path, wait=False):
        assert is_held(path)
    assert not is_held(path)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # somebody else who looks
        assert not is_held(path)


def test_a_lock_that_may_only_be_read_is_looked_at_all_the_same(monkeypatch, tmp_path):
    path, usual = tmp_path / "lock", Path.open

    def read_only(self, mode="r", **options):
        if mode != "r":
            raise PermissionError(13, "Permission denied", str(self))
        return usual(self, mode, **options)

    with exclusive(path, wait=False):
        monkeypatch.setattr(Path, "open", read_only)
        assert is_held(path)
    assert not is_held(path)


def test_waiting_for_a_lock(tmp_path):
    from threading import Thread

    order = []

    def second():
        with exclusive(tmp_path / "lock", wait=True):
            order.append("second")

    with exclusive(tmp_path / "lock", wait=True):
        thread = Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_failures_keep_their_traceback(run):
    try:
        raise KeyError("what went wrong")
    except KeyError as error:
        run.write_failure(error)
    text = (run.path / "error.txt").read_text()
    assert "test_run.py" in text
    assert "what went wrong" in text


def test_folders_are_those_with_a_config(run, tmp_path):
    (tmp_path / "stray").mkdir()
    assert [folder.name for folder in folders(tmp_path)] == [run.name]
    run.write_provenance({"sessions": [{"start": "1"}]})
    assert run.provenance() == json.loads((run.path / "provenance.json").read_text())


def test_a_run_in_a_folder_with_an_earlier_digest_is_found_there(tmp_path):
    config = {"seed": 1, "model": {"name": "resnet", "_target_": "resexp.models.resnet.resnet"}}
    now = find(tmp_path, "resnet20-seed1", identity(config))
    assert now.path.parent == tmp_path
    older = RunFolder(tmp_path / "resnet20-seed1-0123456789")
    older.write_config(config | {"model": {"name": "resnet", "_target_": "resexp.elsewhere.resnet"}})
    other = RunFolder(tmp_path / "resnet20-seed1-9876543210")
    other.write_config(config | {"seed": 2})
    assert find(tmp_path, "resnet20-seed1", identity(config)).path == older.path
    assert find(tmp_path, "resnet20-seed1", identity(config | {"seed": 3})).path not in (
        older.path,
        other.path,
    )
    now.write_config(config)
    assert find(tmp_path, "resnet20-seed1", identity(config)).path == now.path, "today's digest comes first"


@pytest.mark.parametrize("name", ["status.json", "rows.csv", "provenance.json", "config.json"])
@pytest.mark.parametrize("kind", ["bit", "cut"])
def test_no_damage_to_a_finished_run_is_taken_for_its_results(run, name, kind):
    """40 flipped bits and 40 cuts of each file: refused, or harmless, and never another exception."""
    rows = [{"step": step, "loss": 1 / step} for step in (1, 2, 3)]
    run.write_rows(rows)
    run.write_provenance({"sessions": [{"device": "CPU"}]})
    run.write_status("done", step=3, steps=3)
    right = run.rows()
    path = run.path / name
    whole, draws = path.read_bytes(), random.Random(0)
    for _ in range(40):
        place = draws.randrange(len(whole))
        bit = whole[:place] + bytes([whole[place] ^ (1 << draws.randrange(8))]) + whole[place + 1 :]
        path.write_bytes(bit if kind == "bit" else whole[:place])
        if name == "config.json":
            with pytest.raises(DamagedError):
                run.config()
            assert not run.is_finished
        elif run.is_finished:
            assert run.rows() == right
        else:
            assert run.state()["status"] in ("damaged", "missing") or name == "status.json"
        assert isinstance(run.provenance()["sessions"], list)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(run):
    run.write_status("running", step=0, steps=9)
    os.mkfifo(run.path / "rows.csv")
    assert run.rows() == []
    assert run.state()["step"] == 0
    (run.path / "status.json").unlink()
    os.mkfifo(run.path / "status.json")
    assert run.state()["status"] == "damaged"
    (run.path / "lock").unlink(missing_ok=True)
    os.mkfifo(run.path / "lock")
    with pytest.raises(OSError, match=str(run.path / "lock")), run.held():
        pass


def test_an_altered_setting_is_noticed_whatever_the_folder_is_called(run, tmp_path):
    run.write_status("done", step=3, steps=3)
    path = run.path / "config.json"
    path.write_text(path.read_text().replace("}", ', "seed": 3}'))
    for name in ("name-0123456789", "renamed"):
        run = RunFolder(run.path.rename(tmp_path / name))
        with pytest.raises(DamagedError, match=mentions("config.json", "altered")):
            run.config()
        assert run.state()["status"] == "damaged"
        assert "config.json" in run.state()["error"]


def test_a_renamed_run_is_as_it_was(run, tmp_path):
    run.write_status("done", step=3, steps=3)
    config, renamed = run.config(), RunFolder(run.path.rename(tmp_path / "renamed"))
    assert renamed.config() == config
    assert renamed.is_finished


def test_a_status_of_earlier_versions_has_no_checksums(run):
    run.write_rows([{"step": 3}])
    (run.path / "status.json").write_text('{"status": "done", "step": 3, "steps": 3, "error": ""}')
    assert run.is_finished
    assert run.config()


def test_another_run_under_the_same_digest_is_not_taken_for_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr("resexp.records.folders.digest_of", lambda identity: "0" * 10)
    one = {"model": {"name": "resnet", "depth": 20}, "steps": 5}
    run = find(tmp_path, "resnet20-seed0", identity(one))
    run.write_config(one)
    run.write_status("done", step=5, steps=5)
    assert find(tmp_path, "resnet20-seed0", identity(one)).is_finished
    with pytest.raises(ValueError, match=mentions(str(run.path), "steps", "another run")):
        find(tmp_path, "resnet20-seed0", identity(one | {"steps": 6}))


def test_a_full_disk_is_said_with_the_file(run, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name, write in (
        ("rows.csv", lambda: run.append_row({"step": 1})),
        ("status.json", lambda: run.write_status("running", step=0, steps=9)),
    ):
        with pytest.raises(OSError, match=re.escape(str(run.path / name))):
            write()


def test_a_folder_that_is_removed_while_it_is_held_is_noticed(run, tmp_path):
    with run.held():
        run.append_row({"step": 1})
        run.path.rename(tmp_path / "elsewhere")
        with pytest.raises(RemovedError):
            run.append_row({"step": 2})
        RunFolder(run.path).write_status("running", step=0, steps=9)
        (run.path / "lock").touch()
        with pytest.raises(RemovedError):
            run.append_row({"step": 2})


def test_a_temporary_file_follows_no_link(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / f".status.json.{os.getpid()}.part").symlink_to(precious)
    write_json(tmp_path / "status.json", {"status": "done"})
    assert precious.read_text() == "mine"
    assert read_json(tmp_path / "status.json") == {"status": "done"}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named_as_that(tmp_path, monkeypatch, number):
    def refused(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with (
        pytest.raises(OSError, match=mentions("locks", "lock")) as raised,
        RunFolder(tmp_path / "run").held(),
    ):
        pass
    assert raised.value.filename == str(tmp_path / "run" / "lock")


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run = RunFolder(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    for write in (lambda: run.append_row({"step": 1}), lambda: run.write_rows([{"step": 1}])):
        with pytest.raises(OSError, match=r"rows\.csv"):
            write()


@pytest.mark.parametrize(
    "config",
    [
        {"command": ["train"]}, {"seed": "0"}, {"labels": {}}, {"labels": {"dataset": "x", "seed": []}},
        {"labels": {"dataset": "x", "other": {}}}, {"measure": []}, {"measure": {"name": 1}}, {"dataset": ""},
        {"model": functools.reduce(lambda inside, _: {"a": inside}, range(900), {})},
    ],
)  # fmt: skip
def test_a_config_that_is_none_of_a_run_is_damaged(run, config):
    run.write_config(config)
    with pytest.raises(DamagedError, match=r"config\.json"):
        run.config()


@pytest.mark.parametrize(
    "rows", ["step,loss\n1,2.0\n", "step,loss\n9,x\n", "loss\n9\n", "step\n9\n9\n", "step\n9,1\n", ""]
)
def test_rows_of_earlier_versions_are_numbers_up_to_the_last_step(run, rows):
    state = {"status": "done", "step": 9, "steps": 9, "error": ""}  # without checksums
    write_json(run.path / "status.json", state)
    (run.path / "rows.csv").write_text("step,loss\n4,nan\n9,\n")
    assert run.state() == state
    (run.path / "rows.csv").write_text(rows)
    assert run.state()["status"] == "damaged"


def test_of_sessions_only_plain_entries_are_read(run):
    whole = {"command": "x", "step": 1, "dirty": False, "versions": {"torch": "2"}}
    odd = [1, {"command": [], "versions": 3}, {"versions": {"torch": []}}]
    run.write_provenance({"sessions": [whole, *odd], "imported": {}})
    assert run.provenance() == {"sessions": [whole, {}, {"versions": {}}], "imported": {}}


def test_a_record_larger_than_any_is_not_read(run):
    os.truncate(run.path / "config.json", 2**36)
    with pytest.raises(DamagedError, match=mentions("larger")):
        run.config()
