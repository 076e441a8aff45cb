"""How long runs take, and in which order a sweep starts them."""

import itertools

import pytest

from resexp.experiments import expected
from resexp.experiments.expected import Times
from resexp.records.run import RunFolder


def run(depth, *, width=16, steps=100, seed=0, model="resnet"):
    return {
        "command": "train", "batch_size": 32, "schedule": {"steps": steps}, "dataset": {"size": [40]},
        "model": {"depth": depth, "width": width}, "case": None,
        "labels": {"model": model, "depth": depth, "seed": seed},
    }  # fmt: skip


def measurement(name):
    return {"command": "measure", "measure": {"name": name}}


def depths(runs):
    return [one["labels"]["depth"] for one in runs]


def test_without_records_the_larger_network_and_the_longer_training_go_first():
    assert depths(expected.longest_first([run(20), run(110), run(56)], Times())) == [110, 56, 20]
    given = [run(20), run(110, steps=10), run(8, width=64)]
    assert depths(expected.longest_first(given, Times())) == [8, 20, 110], "8 x 64^2 > 20 x 16^2"
    seeds = [run(20, seed=seed) for seed in (4, 1, 3)]
    assert expected.longest_first(seeds, Times()) == seeds, "equal ones as given"


def test_recorded_times_count_more_than_sizes():
    times = Times()
    times.add(run(20), 100, 500.0)
    times.add(run(110), 100, 50.0)
    assert depths(expected.longest_first([run(110, seed=1), run(20, seed=1)], times)) == [20, 110]
    given = [measurement("quick"), measurement("slow")]
    times.add(given[0], 1, 2.0)
    times.add(given[1], 1, 90.0)
    assert expected.longest_first(given, times) == given[::-1]


def test_a_run_takes_as_long_as_those_of_its_kind_and_others_in_proportion_to_their_work():
    times = Times()
    assert times.of_run(run(20)) is None
    for seconds in (9.0, 10.0, 30.0):
        times.add(run(20), 100, seconds)
    assert times.of_run(run(20, seed=7)) == pytest.approx(10.0), "the median"
    assert times.of_run(run(20, steps=1000)) == pytest.approx(100.0)
    assert times.of_run(run(20), done=75) == pytest.approx(2.5)
    assert times.of_run(run(40, width=32)) == pytest.approx(80.0)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_time_of_several_workers_is_near_the_best_of_all_ways_to_share_them(workers):
    seconds = [7.0, 5.0, 4.0, 3.0, 3.0, 1.0]

    def ends(shares):
        return max(sum(s for s, of in zip(seconds, shares, strict=True) if of == w) for w in range(workers))

    best = min(map(ends, itertools.product(range(workers), repeat=len(seconds))))
    found = expected.together(seconds, workers)
    assert best <= found <= best * (4 / 3 - 1 / (3 * workers)), "Graham 1969"
    assert expected.together([], workers) == 0


def test_times_are_read_from_finished_runs_alone(tmp_path):
    def folder(name, status, rows=(), session=None):
        found = RunFolder(tmp_path / name)
        found.write_rows(list(rows))
        found.write_provenance({"sessions": [session] if session else []})
        found.write_status(status, step=0, steps=0)
        return found

    half = [{"step": 5, "seconds": 1.0}, {"step": 10, "seconds": 4.0}]
    done, left = folder("done", "done", half), folder("left", "interrupted", half)
    times = expected.recorded([(run(20), done), (run(56), left)])
    assert times.of_step(run(20)) == pytest.approx(0.4)
    assert times.of_step(run(56)) == pytest.approx(0.4 * 56 / 20)
    session = {"start": "2026-01-31T23:59:30+00:00", "end": "2026-02-01T00:01:00+00:00"}
    measured = folder("measured", "done", session=session)
    assert expected.recorded([(measurement("paths"), measured)]).of_run(measurement("paths")) == 90
    unfinished = folder("old", "done", session={"start": "yesterday"})
    assert expected.duration(unfinished) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (4200, "1 h 10 min"), (5400, "1 h 30 min"), (7190, "2 h"),
     (40 * 3600, "40 h"), (300000, "3 days")],
)  # fmt: skip
def test_times_in_words(seconds, words):
    assert expected.in_words(seconds) == words
