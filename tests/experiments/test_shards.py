"""What the processes of torchrun are not to train."""

import numpy as np
import pytest
import torch
from helpers import mentions
from PIL import Image

from resexp.config.compose import ConfigError, compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import shards
from resexp.experiments.checks import check, refused_in_a_sentence
from resexp.experiments.data import load_dataset

IMAGES = [
    "dataset=imagefolder", "dataset.num_classes=2", "dataset.size=[16,16]", "dataset.load.size=16",
    "dataset.load.resize=20", "model=resnet", "model.depth=8", "model.width=4", "batch_size=4",
    "train.device=cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for split, count in (("train", 3), ("val", 1)):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.full((20, 20, 3), 10 * number, np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return f"dataset.root={root}"


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")


def test_dropout_that_drops_nothing_is_shared(two, images):
    network = [*IMAGES, images, "norm=layer", "shortcut=dropout"]
    checked(*network, "shortcut.probability=0")
    with pytest.raises(ConfigError, match=mentions("Dropout", "one process")):
        checked(*network, "shortcut.probability=0.5")


def checked(*choices):
    check(resolve(compose("train", list(choices))))


@pytest.mark.parametrize("norm", ["group", "layer", "none"])
def test_networks_without_statistics_of_a_batch_are_shared(two, images, norm):
    more = ["norm.groups=2"] if norm == "group" else []
    checked(*IMAGES, images, f"norm={norm}", *more)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (["norm=batch"], ["norm=batch", "norm=group", "GPUs"]),
        (["norm=batch", "train.sync_batch_norm=true"], ["norm=batch", "norm=group", "GPUs"]),
        (["norm=ghost"], ["norm=ghost", "part"]),
        (["norm=batch_std"], ["norm=batch_std", "part"]),
        (["norm=layer", "branch=stochastic_depth"], ["StochasticDepth", "one process"]),
        (["norm=layer", "activation._target_=torch.nn.RReLU"], ["RReLU", "one process"]),
        (["norm=layer", "batch_size=5"], ["batch_size", "multiple", "2", "5"]),
        (["norm=layer", "train.workers=2"], ["train.workers", "1"]),
        (["norm=layer", "train.compile=true"], ["train.compile"]),
    ],
)
def test_other_numbers_than_those_of_one_process_are_refused(two, images, choices, words):
    with pytest.raises(ConfigError, match=mentions(*words)):
        checked(*IMAGES, images, *choices)


def test_small_images_are_refused_and_pointed_to_workers(two):
    with pytest.raises(ConfigError, match=mentions("128", "2", "statistics", "train.workers=2")):
        checked("dataset=mnist1d")


def test_one_process_is_refused_nothing(monkeypatch, images):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "1")
    checked(*IMAGES, images, "norm=batch", "branch=stochastic_depth", "batch_size=5")


def test_on_gpus_batch_normalization_is_gathered_where_that_is_asked_for(two, images, monkeypatch):
    """A stand-in: no machine with several GPUs has been at hand."""
    monkeypatch.setattr(shards, "device_of", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=mentions("norm=batch", "train.sync_batch_norm=true")):
        shards_of("cuda", images)
    shards_of("cuda", images, "train.sync_batch_norm=true")
    with pytest.raises(ConfigError, match=mentions("cuda:1", "train.device=cuda")):
        shards_of("cuda:1", images, "train.sync_batch_norm=true")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=mentions("2 processes", "1 GPUs", "train.device=cpu")):
        shards_of("cuda", images, "train.sync_batch_norm=true")


def shards_of(device, *choices):
    config = resolve(compose("train", [*IMAGES, *choices]))
    config["train"]["device"] = device
    with torch.device("meta"):
        model = make(config["model"], "model")
    with refused_in_a_sentence():
        shards.check_shards(config, model, load_dataset(config))
