"""Measurements that continue: the table of two sessions is that of one, and no point is computed twice."""

import pandas as pd
import pytest
import torch
from helpers import Fixed, settled

from resexp.config.catalog import option
from resexp.measure import batch_noise, hessian, lesion, loss_surface, refinement, rescaling, unrolled
from resexp.records.points import each

SMALL = {
    loss_surface: {"points": 3, "examples": 16, "batch_size": 8},
    hessian: {"points": 2, "examples": 8, "batch_size": 8, "least": 3, "most": 3},
    batch_noise: {"sizes": [4, 8, 5], "draws": 2, "examples": 16, "gap_examples": 16, "batch_size": 8},
    refinement: {"examples": 4, "training_examples": 4, "batch_size": 4},
    rescaling: {"factors": [1, 2, 1.5], "examples": 16, "canvas_examples": 2, "batch_size": 8},
    unrolled: {"most": 2, "examples": 16, "batch_size": 8},
    lesion: {"most": 2, "draws": 2, "swaps": [1], "examples": 16, "examples_of_draws": 8, "batch_size": 4},
}


class Interrupted(Fixed):
    """Its session ends after so many points, which are kept."""

    def __init__(self, run, folder, left):
        super().__init__(run.model, run.x, run.y)
        self.folder, self.left, self.computed = folder, left, 0

    def each(self, name, keys, compute):
        def counted(key):
            if self.computed == self.left:
                raise KeyboardInterrupt
            self.computed += 1
            return compute(key)

        return each(self.folder / name, keys, counted)


@pytest.mark.parametrize("measurement", SMALL, ids=lambda module: module.__name__.rpartition(".")[2])
def test_two_sessions_give_the_table_of_one(measurement, tmp_path, generator):
    name = measurement.__name__.rpartition(".")[2]
    options = {key: value for key, value in option("measure", name).items() if key not in ("name", "trained")}
    options |= SMALL[measurement]
    x = torch.randn(16, 1, 40, generator=generator)
    network = settled("recurrent", 20) if measurement is unrolled else settled("resnet", 14)
    run = Fixed(network, x, torch.arange(16) % 10)
    right = measurement.trained(run, **options)
    first, second = Interrupted(run, tmp_path, 2), Interrupted(run, tmp_path, 99)
    with pytest.raises(KeyboardInterrupt):
        measurement.trained(first, **options)
    found = measurement.trained(second, **options)
    whole = Interrupted(run, tmp_path / "whole", 99)
    whole.folder.mkdir()
    measurement.trained(whole, **options)
    assert first.computed + second.computed == whole.computed
    assert found.keys() == right.keys()
    for table in right:
        pd.testing.assert_frame_equal(found[table], right[table], check_exact=True)
