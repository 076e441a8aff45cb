import os

import pytest
import torch
from helpers import mentions
from torch import nn

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


def test_a_checkpoint_under_the_name_of_another_step_is_not_resumed(tmp_path):
    save(tmp_path, 10)
    save(tmp_path, 20)
    newest(tmp_path).rename(tmp_path / newest(tmp_path).name.replace("-00000020-", "-00000030-"))
    state, (wrong,) = load(tmp_path)
    assert state["step"] == 10
    assert "of step 20" in wrong


def test_the_network_of_another_step_is_not_measured(tmp_path):
    model = torch.nn.Linear(2, 2)
    checkpoint.save_network(tmp_path, 4, model, run="run")
    (path,) = (tmp_path / checkpoint.NETWORKS).iterdir()
    path.rename(path.with_name(path.name.replace("04", "08")))
    with pytest.raises(ValueError, match=mentions("train.keep", "4")):
        checkpoint.network(tmp_path, 8, torch.device("cpu"), run="run")


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


def test_networks_are_kept_beside_what_is_resumed_from(tmp_path):
    model, weights = nn.Linear(2, 1), {}
    for step in (1, 2, 8):
        nn.init.constant_(model.weight, step)
        checkpoint.save_network(tmp_path, step, model, run=RUN)
        weights[step] = model.weight.detach().clone()
    for step in (8, 9, 10):
        save(tmp_path, step)
    checkpoint.keep(tmp_path, 1)
    assert checkpoint.steps_of_networks(tmp_path) == [1, 2, 8]
    assert load(tmp_path)[0]["step"] == 10
    for step, weight in weights.items():
        assert torch.equal(checkpoint.network(tmp_path, step, CPU, run=RUN)["weight"], weight)
    with pytest.raises(ValueError, match=mentions(str(tmp_path), "step 3", "train.keep=[3]")):
        checkpoint.network(tmp_path, 3, CPU, run=RUN)
    with pytest.raises(ValueError, match=mentions("another run")):
        checkpoint.network(tmp_path, 8, CPU, run="another")


def test_a_step_that_is_taken_again_has_one_network(tmp_path):
    model = nn.Linear(2, 1)
    for value in (1.0, 2.0):
        nn.init.constant_(model.weight, value)
        checkpoint.save_network(tmp_path, 4, model, run=RUN)
    assert steps(tmp_path / checkpoint.NETWORKS) == [4]
    assert checkpoint.network(tmp_path, 4, CPU, run=RUN)["weight"].tolist() == [[2, 2]]


def test_which_steps_are_kept():
    assert checkpoint.kept_steps("log", 480) == {1, 2, 4, 8, 16, 32, 64, 128, 256}
    assert checkpoint.kept_steps("log", 8) == {1, 2, 4}, "the last network is kept in any case"
    assert checkpoint.kept_steps(None, 8) == set()
    assert checkpoint.kept_steps([3, 8], 8) == {3, 8}
    for wrong in ("all", [0], [9], ["log"], [1.5]):
        with pytest.raises(ValueError, match=mentions("train.keep", "log", "8")):
            checkpoint.kept_steps(wrong, 8)


def test_a_pipe_in_place_of_a_checkpoint_is_not_waited_for(tmp_path):
    save(tmp_path, 10)
    save(tmp_path, 20)
    path = newest(tmp_path)
    path.unlink()
    os.mkfifo(path)
    state, (wrong,) = load(tmp_path)
    assert state["step"] == 10
    assert path.name in wrong
