"""1,000 random lists of overrides: each ends in a plan or in one sentence."""

import collections
import random

import pytest
import torch
from faults.inside import tell

from resexp.config.catalog import groups, options
from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments.checks import check
from resexp.experiments.runs import folder_of, settle
from resexp.records.identity import flat

pytestmark = pytest.mark.slow
ODD = (
    "", "0", "-1", "1", "2", "7", "1e3", "1e400", "-0.5", "nan", ".inf", "null", "~", "true", "yes", "[]",
    "[1,2]", "{}", "{a: 1}", "''", '"a b"', "a b", "a=b", "${seed}", "${nothing}", "${", "../x", "/", "é",
    "\\x1b[2J", "2026_11_24", "0x10", "99999999999999999999", "a,b", "[a,b", "glob(*)", "range(0,3)",
    "os.system", "torch.load", "torch.nn.Identity", "resexp.cli.main",
)  # fmt: skip


def override(draws: random.Random, keys: list[str]) -> str:
    """Mostly a key that there is; a value that fits, or any."""
    if draws.random() < 0.4:
        group = draws.choice([name for name in groups() if name not in ("case", "experiment", "dataset")])
        return f"{group}={draws.choice([*options(group), draws.choice(ODD)])}"
    key = draws.choice(keys)
    if draws.random() < 0.15:
        key = draws.choice(
            [key[:-1], f"{key}.x", f"+{key}", f"++{key}.y", f"~{key}", "", "=", f"{key}@a", "-x"]
        )
    return f"{key}={draws.choice(ODD)}"


def test_a_plan_or_one_sentence(tmp_path, capfd):
    draws, counts = random.Random(0), collections.Counter(trials=0)
    keys = [key for key in flat(resolve(compose("train", []))) if not key.startswith("labels.")]
    for _ in range(1000):
        chosen = [override(draws, keys) for _ in range(draws.randint(1, 3))]
        counts["trials"] += 1
        try:
            config = settle(resolve(compose("train", chosen)))
            check(config)
            path = folder_of(config).path
        except ConfigError as error:
            counts[
                "refused in a sentence" if len(str(error).splitlines()) == 1 else "refused in several"
            ] += 1
        except BaseException as error:
            counts["tracebacks"] += 1
            with capfd.disabled():
                print(f"\n{chosen}: {type(error).__name__}: {error}")
        else:
            runs, name = str(config["train"]["runs"]), config["name"]
            assert str(path.parent).endswith(name), (chosen, path, runs)
            counts["plans"] += 1
    torch.set_num_threads(1)
    with capfd.disabled():
        tell("random overrides", counts)
    assert not counts["tracebacks"] + counts["refused in several"]
    assert counts["plans"] > 100
