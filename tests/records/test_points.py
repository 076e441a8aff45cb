"""Points of a measurement: none is computed twice, and none that was damaged is believed."""

import math
import random

import pytest

from resexp.records.points import each

KEYS = [(-0.1, 0.2), (0.1 + 0.2, 5e-324), (1.0, -1.0), (1 / 3, math.pi)]


def values(key):
    return [key[0] * key[1], math.inf if key[1] == -1 else math.exp(key[0]), 7]


def interrupted(path, after):
    done = []

    def compute(key):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(key)
        return values(key)

    with pytest.raises(KeyboardInterrupt):
        each(path, KEYS, compute)


@pytest.mark.parametrize("after", range(len(KEYS)))
def test_points_that_were_computed_are_not_computed_again(tmp_path, after):
    path, again = tmp_path / "grid", []
    interrupted(path, after)
    found = each(path, KEYS, lambda key: again.append(key) or values(key))
    assert again == KEYS[after:]
    assert found == [values(key) for key in KEYS], "to the last bit"
    assert each(path, KEYS[::-1], values) == found[::-1], "a point is known by its key, not by its place"


def test_other_keys_take_nothing_from_the_file(tmp_path):
    each(tmp_path / "grid", [1, 2], lambda key: [key])
    assert each(tmp_path / "grid", [(1,), "2", 3], lambda key: [0]) == [[0], [0], [0]]


def test_without_a_file_everything_is_computed():
    assert each(None, KEYS, values) == [values(key) for key in KEYS]


def test_a_cut_file_continues_and_a_flipped_bit_is_computed_again(tmp_path):
    path, right = tmp_path / "grid", [values(key) for key in KEYS]
    each(path, KEYS, values)
    whole, draw = path.read_bytes(), random.Random(0)
    for cut in range(0, len(whole), 9):
        path.write_bytes(whole[:cut])
        assert each(path, KEYS, values) == right
        assert each(path, KEYS, lambda key: pytest.fail("computed twice")) == right
    for _ in range(40):
        damaged, place = bytearray(whole), draw.randrange(len(whole))
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        assert each(path, KEYS, values) == right
