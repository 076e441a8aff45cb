"""The identity of real configs: every key, other data, older folders, pinned digests."""

import functools
import json
import re

import numpy as np
import pytest
from helpers import mentions
from PIL import Image

from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments import measure
from resexp.experiments.runs import damaged_runs, folder_of, settle
from resexp.records.identity import EXECUTION, digest, flat
from resexp.records.run import RunFolder


@functools.cache
def _config(*overrides):
    return resolve(compose("measure" if "measure" in overrides[0] else "train", list(overrides)))


def config(*overrides):
    return _config(*overrides) if overrides else _config("seed=0")


# Whoever changes one makes the runs of before another's: say so in the README, and write the new one here.
PINNED = {
    "model=resnet20": "b0bf596de5",
    "model=plain56 dataset=cifar10": "20624434c1",
    "model=wide28_10 dataset=cifar100": "a3fea9d6ec",
    "model=densenet dataset=mnist schedule=constant": "f2a095fb65",
    "model=imagenet_resnet50 dataset=fake dataset.num_classes=1000": "bf455a5400",
    "model=resnet110 dataset=cifar10 norm=group precision=bfloat16 seed=3": "ab692bb2c0",
    "model=stochastic optimizer.nesterov=true": "7615717565",
    "activation._target_=torch.nn.Mish": "a6fffae532",
    "measure=gradient_autocorrelation": "18d0e3daa6",
    "measure=activation_variance": "7ff1f04779",
}


@pytest.mark.parametrize("overrides", PINNED)
def test_a_digest_stays_from_version_to_version(overrides):
    assert digest(config(*overrides.split())) == PINNED[overrides]


# What a person may change of a composed config without changing a number; the test walks everything else.
NO_NUMBER = {"name", "case", "command", "dataset.root", "dataset.download", "dataset.load.root"}
NO_NUMBER |= {"dataset.load.download", "dataset.load.workers", "run", "device", "threads", "runs"}
DERIVED = ("labels.", "dataset.protocol.", "dataset.fingerprint")


@pytest.mark.parametrize(
    "overrides",
    [
        "dataset=cifar10",
        "dataset=imagefolder dataset.fingerprint=null",
        "model=densenet",
        "measure=gradient_autocorrelation",
    ],
)
def test_every_setting_that_decides_a_number_is_in_the_digest(overrides):
    whole = config(*overrides.split())
    for key, value in flat(whole).items():
        section = key.partition(".")[0]
        if key.endswith(("_target_", "_partial_")) or key.startswith(DERIVED):
            continue
        # a network takes repeated sections from the top level, where they are changed
        if section in ("model", "parts") and any(part in whole for part in key.split(".")[1:-1]):
            continue
        executes = key in NO_NUMBER or section in ("train", "tracker")
        assert (digest(flipped(whole, key.split("."), value)) == digest(whole)) == executes, key


def flipped(node, path, value):
    key, *rest = path
    other = (
        "another"
        if value is None or isinstance(value, str)
        else not value
        if isinstance(value, bool)
        else None
    )
    if other is None:
        other = [*value, 1] if isinstance(value, list) else value + 1
    return node | {key: flipped(node[key], rest, value) if rest else other}


def test_execution_sections_are_those_that_the_schema_has():
    """A section that is renamed must not fall out of the list unseen."""
    known = set(config("dataset=cifar10")) | set(config("measure=gradient_autocorrelation"))
    assert EXECUTION - known <= {"tracker"}


def test_settings_typed_for_python_are_part_of_the_identity():
    usual, typed = config("activation=relu"), config("activation._target_=torch.nn.Mish")
    assert "typed" not in usual
    assert typed["typed"] == {"activation._target_": "torch.nn.Mish"}
    assert config("model=wide28_10", "block=grouped").get("typed") is None


def write_images(root, size=8):
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for label in ("cat", "dog"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(2):
                pixels = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def of_images(root, runs):
    overrides = ["dataset=imagefolder", f"dataset.root={root}", "dataset.num_classes=2"]
    return settle(resolve(compose("train", [*overrides, f"train.runs={runs}"])))


def test_the_same_settings_on_other_data_are_another_run_and_moved_data_is_the_same(tmp_path):
    a, b = write_images(tmp_path / "a"), write_images(tmp_path / "b", size=9)
    runs = tmp_path / "runs"
    before = folder_of(of_images(a, runs)).path
    assert folder_of(of_images(b, runs)).path != before
    moved = a.rename(tmp_path / "moved")
    assert folder_of(of_images(moved, runs)).path == before
    (moved / "train" / "cat" / "0.png").rename(moved / "train" / "dog" / "2.png")
    assert folder_of(of_images(moved, runs)).path != before, "an image with another label"


def test_official_data_need_not_be_at_hand_to_find_its_runs(tmp_path):
    for name in ("cifar10", "mnist"):
        here, there = (
            settle(resolve(compose("train", [f"dataset={name}", f"dataset.root={root}"])))
            for root in (tmp_path, "/somewhere/else")
        )
        assert folder_of(here).name == folder_of(there).name


def test_a_run_of_the_version_before_is_found(tmp_path):
    """Its folder's digest was of Python paths, too."""
    now = config("model=resnet20", f"train.runs={tmp_path}")
    text = json.dumps(now).replace(
        "resexp.models.stochastic.always", "resexp.models.random_layers.undisturbed"
    )
    older = json.loads(text.replace('"name": "always"', '"name": "whole"'))
    del older["schedule"]["warm_up"], older["dataset"]["fingerprint"]
    older["schedule"] |= {"depth": 20, "warm_up_from_depth": 110}
    folder = RunFolder(tmp_path / "single" / "resnet20-mnist1d-batch-seed0-766eabb3da")
    folder.write_config(older)
    folder.write_status("done", step=1, steps=1)
    assert folder_of(now).path == folder.path
    assert folder_of(now).is_finished


@pytest.mark.parametrize("content", ["{", '{"seed": 1}'])
def test_a_measured_run_whose_config_is_damaged_is_named(tmp_path, content):
    for name in ("one", "other"):
        run = RunFolder(tmp_path / name)
        run.write_config({"seed": 0})
        run.write_status("done", step=1, steps=1)
    (run.path / "config.json").write_text(content)
    both = settle(config("measure=norm_scales", f"run={tmp_path}/*"))
    assert len(both["measured"]) == 1, "the other one is measured"
    assert re.search(mentions(str(run.path / "config.json")), *damaged_runs(both))
    asked = settle(config("measure=norm_scales", f"run={run.path}"))
    with pytest.raises(ConfigError, match=mentions(str(run.path / "config.json"), f"run={run.path}")):
        measure.check(asked)
