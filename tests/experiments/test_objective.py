"""What a sweeper that searches is told of a run."""

import math

import pytest

from resexp.experiments.objective import objective
from resexp.records.run import RunFolder

ROW = {"step": 4, "test_error_percent": 30.0}


def folder(path, *rows) -> RunFolder:
    run = RunFolder(path / "run")
    run.write_config({})
    run.write_rows(list(rows))
    return run


def test_it_is_the_last_test_error_without_a_validation_split(tmp_path):
    assert objective(folder(tmp_path, ROW | {"test_error_percent": 20.0}, ROW), "done") == 30.0


def test_it_is_the_validation_error_where_examples_are_held_out(tmp_path):
    assert objective(folder(tmp_path, ROW | {"val_error_percent": 40.0}), "done") == 40.0


def test_a_diverged_run_is_worse_than_all_others(tmp_path):
    assert objective(folder(tmp_path, ROW), "diverged") == math.inf


@pytest.mark.parametrize("status", ["failed", "interrupted", "running", "missing"])
def test_a_run_without_a_result_is_no_number(status, tmp_path):
    assert math.isnan(objective(folder(tmp_path, ROW), status))
