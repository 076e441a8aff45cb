"""Which split and which network each measurement takes: training losses are not those of test examples."""

import pytest
import torch
from helpers import Fixed

from resexp import build_model
from resexp.config.compose import compose, resolve
from resexp.experiments.measure import function_of

SMALL = {
    "points": 2, "curves": [], "examples": 16, "gap_examples": 16, "training_examples": 16, "sizes": [8],
    "draws": 2, "steps": 2, "interval": 1, "canvas": 1, "most": 2, "least": 1,
}  # fmt: skip
ALONG_TRAINING = {"smoothness", "signals"}  # the others are of the trained network alone
TRAINING, TEST = {"train"}, {"test"}


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("loss_surface", TRAINING),  # Li et al. 2018: the training loss
        ("hessian", TRAINING),
        ("smoothness", TRAINING),  # Santurkar et al. 2018: along the path of training
        ("signals", TRAINING),
        ("lesion", TEST),  # Veit et al. 2016: test error
        ("paths", TEST),
        ("path_weights", TEST),
        ("layer_responses", TEST),
        ("rescaling", TEST),
        ("refinement", TRAINING | TEST),  # a readout is fitted to one and applied to the other
        ("batch_noise", TRAINING | TEST),
    ],
)
def test_a_measurement_is_of_its_split_and_of_the_trained_network(name, splits, generator):
    config = resolve(compose("measure", [f"measure={name}", "run=a pattern"]))
    config["measure"] |= {key: value for key, value in SMALL.items() if key in config["measure"]}
    run = Fixed(build_model("resnet", model__depth=8, model__width=4), None, None)
    run.x, run.y = torch.randn(16, 1, 40, generator=generator), torch.arange(16) % 10
    run.config = {"schedule": {"learning_rate": 0.1, "steps": 1}}
    function_of(config)(run)
    assert run.splits == splits
    assert run.asked == {"trained"} | ({"initial"} if name in ALONG_TRAINING else set())
