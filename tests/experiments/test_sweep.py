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
