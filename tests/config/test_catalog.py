import pytest
from helpers import mentions
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import resexp.config.schema  # noqa: F401  registers the schema
from resexp.config.catalog import CONF, command_of, option, options, swept_by


def test_options_are_listed_with_a_line_each():
    assert options("models")["resnet20"] == "Residual network of 20 weight layers."
    with pytest.raises(ValueError, match=mentions("'colours'", "activation", "shortcut")):
        options("colours")


@pytest.mark.parametrize("experiment", options("experiment"))
def test_an_experiment_is_what_hydra_makes_of_it(experiment):
    """Its file alone tells the command and what is swept, through the files that it is built on."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(command_of(experiment), [f"experiment={experiment}"], return_hydra_config=True)
    assert swept_by(experiment) == list(config.hydra.sweeper.params)
    assert command_of(experiment) == config.command


@pytest.mark.parametrize("measure", options("measure"))
def test_a_measurement_is_what_hydra_makes_of_it(measure):
    """With the options of other groups that its file places at keys of its own."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert option("measure", measure) == compose("measure", [f"measure={measure}"]).measure
