"""Learning-rate schedules: pure functions of the step and the training error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class StepDecay:
    """Step decay: the learning rate is divided at given fractions of the run.

    With a warm-up it starts at a lower rate, until the training error drops below a threshold. The divisions
    also apply during a warm-up.

    Args:
        steps: of the whole run.
        learning_rate: initial learning rate.
        divisor: applied at each fraction.
        divide_at: fractions of `steps`, ascending, each in (0, 1).
        warm_up: whether the run starts with a warm-up.
        warm_up_learning_rate: learning rate during the warm-up.
        warm_up_error_percent: training error that ends the warm-up.
        warm_up_window: steps over which that error is averaged; it is checked once per window.
    Raises:
        ValueError: an argument is out of range.
    Source: He et al. 2015, section 4.2: 0.1, divided by 10 at 32k and 48k of 64k iterations;
    110 layers: 0.01 until the training error is below 80 % (about 400 iterations), then 0.1. The
    config determines which depths warm up.
    Departure: the paper does not specify over how many steps the error is averaged; here 100.
    """

    steps: int
    learning_rate: float
    divisor: float
    divide_at: Sequence[float]
    warm_up: bool
    warm_up_learning_rate: float
    warm_up_error_percent: float
    warm_up_window: int

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"schedule.steps must be at least 1, got {self.steps}")
        if self.warm_up_window < 1:
            raise ValueError(f"schedule.warm_up_window must be at least 1, got {self.warm_up_window}")
        for key in ("learning_rate", "warm_up_learning_rate"):
            if not 0 <= getattr(self, key) < math.inf:  # also rejects nan
                raise ValueError(f"schedule.{key} must be at least 0 and finite, got {getattr(self, key)}")
        if not self.divisor > 0:
            raise ValueError(f"schedule.divisor must be above 0, got {self.divisor}")
        bounds = [0, *self.divide_at, 1]
        if any(a >= b for a, b in pairwise(bounds)):
            raise ValueError(
                "schedule.divide_at must be a list of ascending fractions between 0 and 1, got"
                f" {list(self.divide_at)}"
            )

    def warm_up_ends(self, error_percent: float) -> bool:
        """Whether this training error, averaged over the window, ends the warm-up."""
        return error_percent < self.warm_up_error_percent

    def at(self, step: int, *, warming_up: bool) -> float:
        """Learning rate of the update after `step` updates."""
        rate = self.warm_up_learning_rate if warming_up else self.learning_rate
        passed = sum(step >= round(fraction * self.steps) for fraction in self.divide_at)
        return rate / self.divisor**passed
