"""Which of two settings has the lower error, and how sure that is: paired differences over seeds.

python -m resexp.plots.orderings TABLE COLUMN [COLUMN=VALUE ...] compares every two options of a column.
"""

import sys
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from resexp.plots.tables import final

# Two-sided 95 % quantiles of Student's t for 1 to 9 degrees of freedom.
T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


class Difference(NamedTuple):
    """Mean of paired differences with its 95 % confidence interval; without one (nan) if n = 1."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """On the claim that the difference is positive."""
        if self.low > 0:
            return "holds"
        return "does not hold" if self.high < 0 else "not settled"

    def __str__(self) -> str:
        return f"{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}]"


def paired_difference(first: pd.Series, second: pd.Series) -> Difference:
    """Mean of first - second over the seeds that both have, with Student's interval.

    The interval holds for differences that are normally distributed. It is of one comparison: of twenty
    that differ in nothing, one is expected to exclude zero.

    Args:
        first, second: numbers, such as final errors, by seed; at most ten seeds in common.
    Raises:
        ValueError: a seed that occurs twice, no seed in common, or more than ten.
    """
    if not (first.index.is_unique and second.index.is_unique):
        raise ValueError("a seed occurs twice; choose one run of each seed")
    differences = (first - second).dropna()
    n = len(differences)
    if not 1 <= n <= len(T_95) + 1:
        raise ValueError(f"from 1 to {len(T_95) + 1} seeds must be common to both, there are {n}")
    mean = differences.mean()
    half = T_95[n - 2] * differences.std() / n**0.5 if n > 1 else float("nan")
    return Difference(mean, mean - half, mean + half, n)


def main(path: str, column: str, *chosen: str) -> None:
    """Print the difference in final test error of every two options, the larger one first."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for key, value in (word.split("=") for word in chosen):
        table = table[table[key] == (value if table[key].dtype.kind not in "if" else float(value))]
    runs = final(table, [column, "seed"])
    errors = runs[~runs["diverged"]].set_index([column, "seed"])["test_error_percent"]
    means = errors.groupby(level=0).mean().sort_values(ascending=False)
    for larger, smaller in combinations(means.index, 2):
        found = paired_difference(errors[larger], errors[smaller])
        print(f"{larger} > {smaller}: {found} (n = {found.n}), {found.verdict}")


if __name__ == "__main__":
    if len(sys.argv) < 3 or not Path(sys.argv[1]).is_file():
        sys.exit(__doc__)
    main(*sys.argv[1:])
