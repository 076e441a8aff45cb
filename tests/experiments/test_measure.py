"""Settings of measurements that are refused before anything is measured."""

import pytest
from helpers import mentions

from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments.checks import refused_in_a_sentence
from resexp.experiments.measure import check, function_of


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["measure.random=3"], ["measure", "_target_", "3"]),
        (["measure.depths=3"], ["measure.depths", "list", "integers", "got 3"]),
        (["measure.depths=[2,a]"], ["measure.depths", "list", "integers", "'a'"]),
        (["measure.curves=3"], ["measure.curves", "list", "got 3"]),
        (["measure.networks=many"], ["measure.networks", "integer", "'many'"]),
        (["measure.setups.balduzzi=3"], ["measure.setups", "section", "3"]),
        (["measure.depths=[4,24,4]"], ["measure.depths", "4", "once"]),
    ],
)
def test_a_value_of_another_kind_or_a_point_given_twice_is_refused(overrides, named):
    config = resolve(compose("measure", overrides))
    with pytest.raises(ConfigError, match=mentions(*named)):
        check(config)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["measure=batch_noise", "measure.sizes=3"], ["measure.sizes", "list", "integers", "got 3"]),
        (["measure=rescaling", "measure.factors=[1,x]"], ["measure.factors", "list", "numbers", "'x'"]),
        (["measure=lesion", "measure.trained=3"], ["measure", "_target_", "3"]),
    ],
)
def test_so_is_one_of_a_measurement_of_trained_runs(overrides, named):
    config = resolve(compose("measure", overrides))
    with refused_in_a_sentence(), pytest.raises(ValueError, match=mentions(*named)):
        function_of(config | {"run": "a pattern"})
