import os

import pytest
import torch
from helpers import mentions

from resexp.training import checkpoint

CPU = torch.device("cpu")
RUN = "0123456789"


def save(folder, step, run=RUN):
    checkpoint.save(folder, step, {"step": step, "tensor": torch.arange(step)}, run=run)


def load(folder, run=RUN):
    return checkpoint.load(folder, CPU, run=run)


def steps(folder):
    return sorted(int(path.name.split("-")[1].removesuffix(".pt")) for path in folder.glob("*.pt"))


def newest(folder):
    return max(folder.glob("checkpoint-*.pt"))


def test_the_last_two_are_kept_and_the_newest_is_read(tmp_path):
    assert load(tmp_path) == (None, [])
    for step in (5, 20, 100, 3000):
        save(tmp_path, step)
    assert steps(tmp_path) == [100, 3000]
    state, wrong = load(tmp_path)
    assert state["step"] == 3000
    assert torch.equal(state["tensor"], torch.arange(3000))
    assert wrong == []
    checkpoint.keep(tmp_path, 1)
    assert steps(tmp_path) == [3000]


@pytest.mark.parametrize("kind", ["bit", "cut"])
def test_any_damage_gives_way_to_the_one_before_and_is_said(tmp_path, kind, generator):
    for step in (10, 20):
        save(tmp_path, step)
    path = newest(tmp_path)
    whole = path.read_bytes()
    for _ in range(40):
        place = int(torch.randint(len(whole), (1,), generator=generator))
        flipped = whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]
        path.write_bytes(flipped if kind == "bit" else whole[:place])
        state, (wrong,) = load(tmp_path)
        assert state["step"] == 10
        assert path.name in wrong


def test_the_state_of_another_run_is_not_resumed(tmp_path):
    """Of equal shapes, as that of another seed is."""
    save(tmp_path, 10)
    save(tmp_path, 20, run="another")
    state, (wrong,) = load(tmp_path)
    assert state["step"] == 10
    assert "another run" in wrong


def test_what_earlier_versions_wrote_is_read(tmp_path):
    torch.save({"step": 7}, tmp_path / "checkpoint-00000007.pt")
    assert load(tmp_path)[0]["step"] == 7


def test_all_damaged_is_said(tmp_path):
    save(tmp_path, 10)
    newest(tmp_path).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=mentions(str(tmp_path), "delete")):
        load(tmp_path)


def test_a_crash_while_writing_leaves_the_old_one(tmp_path, monkeypatch):
    save(tmp_path, 10)

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 20)
    assert [path.name for path in tmp_path.iterdir()] == [newest(tmp_path).name]
    assert load(tmp_path)[0]["step"] == 10


def test_a_pipe_in_place_of_a_checkpoint_is_not_waited_for(tmp_path):
    save(tmp_path, 10)
    save(tmp_path, 20)
    path = newest(tmp_path)
    path.unlink()
    os.mkfifo(path)
    state, (wrong,) = load(tmp_path)
    assert state["step"] == 10
    assert path.name in wrong
