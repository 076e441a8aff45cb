"""Runs that a table leaves out are counted, whatever their protocol; few are named."""

from types import SimpleNamespace

from resexp.records.left_out import FEW, LeftOut


def test_runs_of_one_reason_are_counted_over_all_protocols():
    left_out = LeftOut()
    for steps in (100, 200):
        for number in range(FEW - 5):
            run = SimpleNamespace(name=f"run-{steps}-{number:02}", protocol={"schedule.steps": steps})
            left_out.add(run, "failed")
    left_out.add(SimpleNamespace(name="another", protocol={}), "missing")
    listed = left_out.listed()
    assert left_out.count == 2 * (FEW - 5) + 1
    assert sum(why == "failed" for why in listed.values()) == FEW + 1
    assert listed[f"{2 * (FEW - 5) - FEW} more"] == "failed"
    assert listed["another"] == "missing"


def test_what_is_kept_does_not_grow_with_the_runs():
    left_out = LeftOut()
    for number in range(5 * FEW):
        left_out.add(SimpleNamespace(name=f"run-{number}", protocol={}), "failed")
    (group,) = left_out.groups
    assert (len(group.names), group.count) == (FEW, 5 * FEW)
