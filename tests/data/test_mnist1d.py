import numpy as np
import torch
from mnist1d.data import make_dataset

from resexp.data import mnist1d


def test_sequences_equal_those_of_the_package():
    state = np.random.get_state()
    theirs = make_dataset()  # seeds numpy's global generator
    np.random.set_state(state)
    x, y = mnist1d.generate(42)
    np.testing.assert_allclose(x, np.concatenate([theirs["x"], theirs["x_test"]]), rtol=0, atol=1e-12)
    assert np.array_equal(y, np.concatenate([theirs["y"], theirs["y_test"]]))


def test_the_global_random_state_is_unchanged():
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    mnist1d.load(seed=3)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_splits_have_the_published_sizes_and_classes_are_balanced():
    data = mnist1d.load(seed=42)
    assert data.inputs.shape == (4000, 1, 40)
    assert data.test_inputs.shape == (1000, 1, 40)
    assert torch.bincount(torch.cat([data.targets, data.test_targets])).tolist() == [500] * 10
