"""How a sweep ends."""

import pytest

from resexp.experiments import sweep


@pytest.mark.parametrize(
    ("statuses", "code"),
    [(["done", "diverged"], 0), (["done", "running"], 0), (["done", "interrupted"], 1), (["failed"], 1)],
)
def test_the_exit_code_says_whether_something_is_left(monkeypatch, statuses, code):
    class Folder:
        def __init__(self, status):
            self.now = status

        def state(self):
            return {"status": self.now}

    checked = sweep.CheckedSweep()
    checked.folders, checked.max_minutes = [Folder(status) for status in statuses], None
    assert checked._sum_up() == code
    checked.max_minutes = 9
    monkeypatch.setattr(sweep.stop, "time_is_up", lambda minutes: minutes == 9)
    assert checked._sum_up() == ("failed" in statuses), "the time was up: the same command goes on"


def test_several_workers_take_the_deepest_networks_first():
    def runs(workers):
        depths = [20, 110, None, 56, 110]
        labels = [{"model": name, "depth": depth} for name, depth in zip("abcde", depths, strict=True)]
        return [{"train": {"workers": workers}, "labels": each} for each in labels]

    assert "".join(run["labels"]["model"] for run in sweep.in_order(runs(1))) == "abcde"
    assert "".join(run["labels"]["model"] for run in sweep.in_order(runs(4))) == "bedac"
