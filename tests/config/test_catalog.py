import pytest
from helpers import mentions

from resexp.config.catalog import command_of, options, swept_by
from resexp.config.sweep import plan


def test_options_are_listed_with_a_line_each():
    assert options("models")["resnet20"] == "Residual network of 20 weight layers."
    with pytest.raises(ValueError, match=mentions("'colours'", "activation", "shortcut")):
        options("colours")


@pytest.mark.parametrize("experiment", options("experiment"))
def test_an_experiment_is_what_hydra_makes_of_it(experiment, tmp_path):
    """Its file alone tells the command and what is swept, through the files that it is built on."""
    configs, swept = plan(experiment, tmp_path)
    assert swept_by(experiment) == swept
    assert {command_of(experiment)} == {config["command"] for config in configs}
