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
        "resexp.experiments.sweep.Sweep",
        "resexp.data.cache.remembered",  # writes what it is told where it is told
        "resexp.data.fetch.fetch",
        "resexp.data.mnist._download",
        "torch.load",
        "torch.nn.functional.relu",
        "torch.nn.Parameter",
        "torch.hub.load",
        "resexp",
        "",
    ],
)
def test_targets_that_are_not_parts_are_refused(target):
    with pytest.raises(ValueError, match=r"^part\._target_"):
        make({"_target_": target}, "part")


def test_no_file_is_written_by_what_a_config_names(tmp_path):
    """The text of one function, kept by another, in a folder that a third has made a path of."""
    node = {
        "_target_": "resexp.data.cache.remembered",
        "root": {"_target_": "resexp.data.dataset.existing", "root": str(tmp_path)},
        "name": str(tmp_path / "profile"),
        "work_out": {
            "_target_": "resexp.data.mnist._no_data", "_partial_": True, "variant": "mnist", "reason": "mine",
            "root": {"_target_": "resexp.data.dataset.existing", "root": str(tmp_path)},
        },
    }  # fmt: skip
    with pytest.raises(ValueError, match="_target_"):
        make(node, "load")
    assert not list(tmp_path.iterdir())


def test_parts_of_the_project_and_of_torch_are_instantiated():
    assert isinstance(make({"_target_": "torch.nn.ReLU"}, "part"), nn.ReLU)
    assert (
        make({"_target_": "resexp.models.norms.group", "_partial_": True, "groups": 2}, "part")(4).num_groups
        == 2
    )
