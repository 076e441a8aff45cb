"""Experiments that need no files, against what is known of some and what composed configs say of all."""

import pytest

from resexp.config.catalog import command_of, options
from resexp.config.compose import compose, resolve
from resexp.config.reproducible import without_files


@pytest.fixture(scope="module")
def found():
    return without_files()


def test_everything_comes_once_and_behind_what_it_measures(found):
    seen = []
    for name, needed in found.items():
        assert set(needed) <= set(seen)
        assert bool(needed) <= (command_of(name) == "measure")
        seen.append(name)


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("depth_sweep", []),
        ("pyramid_levels_quick", []),  # whose dataset is that of what it is built on
        ("unet3d_regions", ["unet3d_agree"]),
        ("signals", ["depth_sweep", "depth_sweep_without_norm"]),  # a pattern
        ("shattered_gradients", []),  # of random networks
    ],
)
def test_what_is_generated_is_there_with_what_it_measures(found, name, needed):
    assert found[name] == needed


@pytest.mark.parametrize(
    "name",
    ["fleuret_mnist", "relatives_cifar10", "unet3d_regions_em", "lesions_cifar10", "variance_growth_cifar10"],
)
def test_what_needs_files_is_not_there(found, name):
    """The last but one measures imported networks, the last random ones with images."""
    assert name in options("experiment")
    assert name not in found


@pytest.mark.slow
def test_of_all_trained_experiments_the_composed_config_says_the_same(found):
    trained = [name for name in options("experiment") if command_of(name) == "train"]
    reads = {name: "root" in resolve(compose("train", [f"experiment={name}"]))["dataset"] for name in trained}
    assert {name for name in trained if not reads[name]} == {n for n in found if command_of(n) == "train"}
