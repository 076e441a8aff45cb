import pytest
from helpers import mentions

from resexp.training.schedules import StepDecay


def schedule(**changes):
    published = {
        "steps": 64_000, "learning_rate": 0.1, "divisor": 10.0, "divide_at": [0.5, 0.75],
        "warm_up": False, "warm_up_learning_rate": 0.01, "warm_up_error_percent": 80.0,
        "warm_up_window": 100,
    }  # fmt: skip
    return StepDecay(**published | changes)


def test_the_published_rates():
    """He et al. 2015, section 4.2: 0.1, divided by 10 at 32k and 48k of 64k iterations."""
    rates = [schedule().at(step, warming_up=False) for step in range(64_000)]
    expected = [0.1] * 32_000 + [0.01] * 16_000 + [0.001] * 16_000
    assert rates == pytest.approx(expected, rel=1e-12)


def test_one_number_scales_it():
    short = schedule(steps=8000)
    rates = [short.at(step, warming_up=False) for step in range(8000)]
    assert rates == pytest.approx([0.1] * 4000 + [0.01] * 2000 + [0.001] * 2000, rel=1e-12)


def test_a_warm_up_lasts_until_the_error_is_below_80():
    deep = schedule(warm_up=True)
    assert deep.at(0, warming_up=True) == 0.01
    assert not deep.warm_up_ends(80.0)
    assert deep.warm_up_ends(79.9)


def test_a_warm_up_that_never_ends_is_divided_as_any_rate():
    deep = schedule(warm_up=True)
    rates = [deep.at(step, warming_up=True) for step in (0, 31_999, 32_000, 48_000)]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001])


@pytest.mark.parametrize("fractions", [[0.75, 0.5], [0.0], [1.0], [0.5, 0.5]])
def test_fractions_must_ascend_between_0_and_1(fractions):
    with pytest.raises(ValueError, match=mentions("schedule.divide_at", "0", "1", str(fractions))):
        schedule(divide_at=fractions)


@pytest.mark.parametrize("key", ["steps", "warm_up_window"])
def test_counts_must_be_positive(key):
    with pytest.raises(ValueError, match=mentions(f"schedule.{key}", "1", "0")):
        schedule(**{key: 0})


@pytest.mark.parametrize("key", ["learning_rate", "warm_up_learning_rate"])
@pytest.mark.parametrize("rate", [-0.1, float("nan")])
def test_rates_must_not_be_negative(key, rate):
    with pytest.raises(ValueError, match=mentions(f"schedule.{key}", "0", str(rate))):
        schedule(**{key: rate})


def test_a_rate_is_not_divided_by_nothing():
    with pytest.raises(ValueError, match=mentions("schedule.divisor", "0", "0.0")):
        schedule(divisor=0.0)
