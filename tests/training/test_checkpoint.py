import pytest
import torch
from helpers import mentions

from resexp.training import checkpoint

CPU = torch.device("cpu")


def save(folder, step):
    checkpoint.save(folder, step, {"step": step, "tensor": torch.arange(step)})


def test_the_last_two_are_kept_and_the_newest_is_read(tmp_path):
    assert checkpoint.load(tmp_path, CPU) is None
    for step in (5, 20, 100, 3000):
        save(tmp_path, step)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-00000100.pt", "checkpoint-00003000.pt"]
    assert checkpoint.load(tmp_path, CPU)["step"] == 3000
    checkpoint.keep(tmp_path, 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_one_gives_way_to_the_one_before(tmp_path):
    for step in (10, 20):
        save(tmp_path, step)
    newest = tmp_path / "checkpoint-00000020.pt"
    newest.write_bytes(newest.read_bytes()[:200])
    assert checkpoint.load(tmp_path, CPU)["step"] == 10
    newest.write_bytes(b"")
    assert checkpoint.load(tmp_path, CPU)["step"] == 10


def test_all_damaged_is_said(tmp_path):
    save(tmp_path, 10)
    (tmp_path / "checkpoint-00000010.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=mentions(str(tmp_path), "delete")):
        checkpoint.load(tmp_path, CPU)


def test_a_crash_while_writing_leaves_the_old_one(tmp_path):
    save(tmp_path, 10)
    with pytest.raises(RuntimeError, match="disk full"):
        checkpoint.save(tmp_path, 20, Crash())
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-00000010.pt"]


class Crash:
    def __reduce__(self):
        raise RuntimeError("disk full")
