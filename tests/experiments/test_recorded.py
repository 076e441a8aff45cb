"""How a piece of work ended is on record whatever happens."""

import pytest
import torch

from resexp.experiments.recorded import record
from resexp.records.run import RunFolder


@pytest.mark.parametrize("ending", [KeyboardInterrupt, BrokenPipeError])
def test_an_interrupted_measurement_is_said_to_be_interrupted(tmp_path, ending):
    def interrupted():
        raise ending

    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ending):
        record(folder, {"name": "x"}, torch.device("cpu"), 1, interrupted)
    state = folder.recorded()
    assert (state["status"], state["step"], state["error"]) == ("interrupted", 0, "")
