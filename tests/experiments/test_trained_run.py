"""A finished run as measurements receive it."""

import pytest
import torch
from faults.inside import SMALL, command, here  # noqa: F401
from helpers import mentions, only_run

from resexp.experiments.trained_run import TrainedRun
from resexp.records.run import RunFolder
from resexp.training import checkpoint


def test_an_earlier_checkpoint_is_not_taken_for_the_trained_network(here, capfd):  # noqa: F811
    """As when a backup is put back over the run."""
    assert command(capfd, "train", *SMALL, "schedule.steps=2", "interval=2")[0] == 0
    run = RunFolder(only_run(here))
    (path,) = run.path.glob("checkpoint-*.pt")
    state = torch.load(path, weights_only=True)
    checkpoint.save(run.path, 1, state | {"step": 1}, run=state["run"])
    assert TrainedRun(run, torch.device("cpu")).network()
    path.unlink()
    with pytest.raises(ValueError, match=mentions("step", "2", "delete")):
        TrainedRun(run, torch.device("cpu")).network()
