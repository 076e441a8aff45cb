"""What a run's identity depends on, and what it does not."""

import pytest

from resexp.records.identity import NEUTRAL, digest, identity, protocol

CONFIG = {
    "seed": 1,
    "name": "sweep",
    "train": {"device": "cpu", "runs": "results/runs"},
    "labels": {"depth": 8},
    "dataset": {
        "name": "cifar10",
        "root": "/a",
        "load": {"_target_": "x.load", "root": "/a", "shape": [3, 8]},
    },
    "norm": {"name": "group", "_target_": "resexp.models.norms.group", "_partial_": True, "groups": 8},
    "model": {"name": "resnet", "depth": 8, "norm": {"name": "group", "groups": 8}},
}


def changed(key, value):
    """CONFIG with one setting changed or added."""
    section, _, leaf = key.rpartition(".")
    if not section:
        return CONFIG | {leaf: value}
    return CONFIG | {section: CONFIG.get(section, {}) | {leaf: value}}


def test_a_digest_depends_on_values_and_not_on_order():
    assert digest({"a": 1, "b": {"c": 2.5}}) == digest({"b": {"c": 2.5}, "a": 1})
    assert digest({"a": 1}) == digest({"a": 1.0}), "one number"
    assert len({digest({"a": value}) for value in (1, 2, True, "1", None, [1])}) == 6
    assert digest({}) == "44136fa355", "as sha256sum prints for {}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("norm._target_", "resexp.models.normalization.GroupNorm"),
        ("dataset.root", "/b"),
        ("name", "another"),
        ("train", {"device": "cuda", "workers": 4}),
        ("tracker", {"name": "tensorboard"}),
        ("labels", {"depth": 56}),
        *NEUTRAL.items(),
    ],
)
def test_where_code_and_data_lie_and_how_a_run_is_executed_change_nothing(key, value):
    assert digest(changed(key, value)) == digest(CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 2),
        ("norm.groups", 4),
        ("norm.name", "layer"),
        ("model.norm", {"name": "group", "groups": 4}),
        ("dataset.load", {"shape": [3, 9]}),
        ("data", "another fingerprint"),
        ("typed", {"norm._target_": "torch.nn.Identity"}),
        ("unheard_of", None),
        *((key, "something else") for key in NEUTRAL),
    ],
)
def test_what_decides_numbers_changes_the_digest(key, value):
    assert digest(changed(key, value)) != digest(CONFIG)


def test_a_section_that_is_repeated_counts_once():
    """So a network may take one more part of the top level."""
    repeated = CONFIG | {"model": CONFIG["model"] | {"norm": CONFIG["norm"]}}
    assert "model.norm.groups" not in identity(repeated)
    assert identity(repeated)["norm.groups"] == 8


def test_the_protocol_is_what_runs_of_a_table_share():
    found = protocol(CONFIG | {"data": "fingerprint", "precision": "float32", "schedule": {"steps": 5}})
    assert found == {
        "dataset.name": "cifar10", "dataset.load.shape": [3, 8], "data": "fingerprint",
        "precision": "float32", "schedule.steps": 5,
    }  # fmt: skip
