import re

import numpy as np
import pandas as pd
import pytest
from helpers import mentions

from resexp.records import table

BEFORE = pd.DataFrame(
    {
        "model": ["plain", "resnet"],
        "test_error_percent": [12.5, np.nan],
        "step": [100, 200],
        "seconds": [1.5, 2.0],
    }
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, []),
        ({"seconds": [1.25, 2.5]}, []),
        (
            {"test_error_percent": [12.25, np.nan], "step": [100, 210]},
            ["2 of 6", "test_error_percent", "0.25", "step", "10"],
        ),
        ({"model": ["plain", "wide"]}, ["1 of 6", "model"]),
        ({"test_error_percent": [12.5, 7.0]}, ["1 of 6", "test_error_percent"]),
        ({"seconds": [1.0, 1.0], "step": [100, 210]}, ["1 of 6", "step", "10"]),
        ({"seed": [0, 0]}, ["columns"]),
    ],
)
def test_a_table_says_how_it_differs_from_the_one_before(tmp_path, changes, named):
    path = tmp_path / "x.csv"
    assert table.write(BEFORE, path, digits=6) == "2 rows"
    said = table.write(BEFORE.assign(**changes), path, digits=6)
    assert re.match(mentions("2 rows", *named), said)
    assert not [name for name in BEFORE if name in said and name not in named]
    assert ("unchanged" in said) == (not named)
    assert ("timings" in said) == (list(changes) == ["seconds"])
    assert len(pd.read_csv(path)) == table.rows(path) == 2


def test_settings_that_are_switches_are_compared(tmp_path):
    path = tmp_path / "x.csv"
    before = BEFORE.assign(nesterov=[False, False]).drop(columns="seconds")
    table.write(before, path, digits=6)
    after = before.assign(nesterov=[False, True])
    assert re.match(mentions("2 rows", "1 of 8", "nesterov"), table.write(after, path, digits=6))


def test_another_number_of_rows_is_said(tmp_path):
    path = tmp_path / "x.csv"
    table.write(BEFORE, path, digits=6)
    assert re.match(mentions("1 rows", "2"), table.write(BEFORE.head(1), path, digits=6))
    assert table.rows(tmp_path / "none.csv") == 0


def test_rows_with_a_field_more_than_the_header_are_replaced(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2,3\n4,5,6\n")
    assert re.match(mentions("2 rows", "columns"), table.write(BEFORE, path, digits=6))


@pytest.mark.parametrize("damaged", ["", "a,b\n1,2\n<<<<<<<,,,\n", b"\xff\xfe,\n"])
def test_what_is_no_table_is_replaced(tmp_path, damaged):
    path = tmp_path / "x.csv"
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    assert table.rows(path) <= 2
    assert re.match(r"2 rows, .*readable", table.write(BEFORE, path, digits=6))
