"""What a config may name: the parts that conf/ is made of, and nothing that acts."""

import pytest
from torch import nn

from resexp.config.instantiate import make


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "resexp.cli.main",
        "resexp.commands.hydra_job.train",
        "resexp.training.checkpoint.save",
        "resexp.models.blocks.Callable",  # imported there, defined elsewhere
        "resexp.data.cifar.hashlib",
        "resexp.files.atomic",
        "torch.load",
        "torch.nn.functional.relu",
        "torch.nn.Parameter",
        "torch.hub.load",
        "resexp",
        "",
    ],
)
def test_what_a_strangers_config_may_not_name(target):
    with pytest.raises(ValueError, match=r"^part\._target_"):
        make({"_target_": target}, "part")


def test_what_it_may():
    assert isinstance(make({"_target_": "torch.nn.ReLU"}, "part"), nn.ReLU)
    assert (
        make({"_target_": "resexp.models.norms.group", "_partial_": True, "groups": 2}, "part")(4).num_groups
        == 2
    )
