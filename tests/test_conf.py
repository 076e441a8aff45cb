"""Every yaml composes, builds and runs one step; found by listing conf/."""

import pytest
import torch
from helpers import Fixed

from resexp import build_model
from resexp.config.catalog import CONF, groups, options
from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.config.sweep import plan
from resexp.experiments import build
from resexp.experiments import measure as measuring
from resexp.experiments.checks import check
from resexp.experiments.runs import folder_of

CPU = torch.device("cpu")
SMALL = ["batch_size=8", "dataset=fake", "dataset.load.train_size=16", "dataset.load.test_size=4"]
DEEPEST, LARGEST = 150, 3_000_000  # deeper and larger networks are built, but take no step here
DENSE = ["dataset=cells", "dataset.load.size=32", "dataset.load.augment.crop=32"]
DIGITS = ["dataset=digits_at_scales", "dataset.load.size=64", "dataset.size=[64,64]"]
DIGITS += ["dataset.load.train_size=16", "dataset.load.test_size=4", "model.depth=7", "model.width=4"]
DENSE_UNET = [*DENSE, "model=unet", "model.depth=8", "model.width=4"]
JOINTS = ["dataset=figures", "dataset.load.train_size=8", "dataset.load.test_size=2"]
HOURGLASS = {"model.depth": 1, "model.width": 8, "model.stacks": 2}
SMALL_HOURGLASS = ["model=hourglass", *(f"{key}={value}" for key, value in HOURGLASS.items())]
TOGETHER = {  # parts that need others
    ("shortcut", "none"): ["model=plain20"],
    ("model", "inception_v4"): ["dataset=fake", "dataset.load.shape=[3,80,80]", "dataset.size=[80,80]"],
    ("activation", "crelu"): ["block=full_preactivation"],
    ("init", "looks_linear"): ["activation=crelu", "block=full_preactivation"],
    ("init", "fixup"): ["norm=none"],
    ("block", "fixup"): ["norm=none"],
    ("task", "segmentation"): DENSE_UNET,
    ("task", "detection"): [*DIGITS, "model=pyramid"],
    ("model", "pyramid"): DIGITS,
    ("model", "unet"): [*DENSE, "model.depth=8", "model.width=4"],
    ("task", "heatmaps"): [*JOINTS, *SMALL_HOURGLASS],
    ("model", "hourglass"): [*JOINTS, *SMALL_HOURGLASS[1:]],
}
FAMILIES = {
    "unet": DENSE_UNET,
    "hourglass": [*JOINTS, *SMALL_HOURGLASS],
    "pyramid": [*DIGITS, "model=pyramid"],
}  # of cases
PREDICTS = {
    "segmentation": (
        ["model=unet", "model.depth=8", "model.width=4"],
        lambda classes, size: (classes, *size),
    ),
    "heatmaps": (
        [*SMALL_HOURGLASS],
        lambda joints, size: (2, joints, *(side // 4 for side in size)),
    ),
    "detection": (["model=pyramid", "model.depth=7"], lambda classes, size: (classes + 10, 64 + 16 + 4)),
}  # task -> a network, and the shape of its output
ELSEWHERE = ("experiment", "dataset", "measure", "random_network", "case")  # tested below
CASES = [(group, name) for group in groups() if group not in ELSEWHERE for name in options(group)]
# A measurement's sizes, cut down to seconds.
SMALLER = {
    "depths": [1, 3], "depth": 3, "networks": 2, "width": 8, "inputs": 24, "max_lag": 1, "seeds": 1,
    "overflow_depth": 3, "one_by_one": 1, "repetitions": 1, "panels": [], "draws": 2, "points": 3,
    "curves": [], "sizes": [2], "steps": 2, "interval": 1,
}  # fmt: skip
NETWORK = {
    "inserted_identity": ("plain", 14),
    "unrolled": ("recurrent", 20),
    "attended": ("stn", 4),
}  # of measurements that do not take any


@pytest.mark.parametrize(("group", "name"), CASES)
def test_every_part_builds_and_takes_a_step(group, name):
    overrides = [*SMALL, f"{group}={name}", *TOGETHER.get((group, name), [])]
    if group == "tracker" and name in ("wandb", "trackio"):  # extras that the tests do not require
        pytest.importorskip(name)
    config = resolve(compose("train", overrides))
    if group == "block":  # a depth that it divides
        block = make(config["block"], "block")
        config = resolve(compose("train", [*overrides, f"model.depth={3 * block.depth + 2}"]))
    assert name.startswith(config[group]["name"]), "a part is labelled with its file's name"
    check(config)
    with torch.device("meta"):
        size = sum(p.numel() for p in make(config["model"], "model").parameters())
    if size > LARGEST or config["model"].get("depth", 0) > DEEPEST:
        return
    trainer = build.trainer(config, CPU)
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.train_step()
    assert trainer.read_interval()["train_loss"] > 0
    assert any(not torch.equal(p, q) for p, q in zip(before, trainer.model.parameters(), strict=True))


@pytest.mark.parametrize("name", options("case"))
def test_every_case_names_itself_and_takes_a_step(name):
    network = FAMILIES.get(name.partition("_")[0], [])
    config = resolve(compose("train", ["batch_size=8", *network, f"case={name}"]))
    assert config["case"].endswith(name.rpartition("/")[2])
    check(config)
    trainer = build.trainer(config, CPU)
    trainer.train_step()
    assert trainer.read_interval()["train_loss"] > 0


@pytest.mark.parametrize("name", options("dataset"))
def test_every_dataset_composes_and_its_network_fits(name):
    config = resolve(compose("train", [f"dataset={name}", "model=resnet20"]))
    assert config["dataset"]["name"] == name
    size = {1: (40,), 2: (32, 32), 3: (8, 8, 8)}[config["dataset"]["dims"]]
    if config["task"]["name"] != "classification":
        network, shape = PREDICTS[config["task"]["name"]]
        config = resolve(compose("train", [f"dataset={name}", *network]))
        model, x = build.build_model(config), torch.zeros(2, config["dataset"]["c_in"], *size)
        assert model(x).shape == (2, *shape(config["dataset"]["num_classes"], size))
        return
    model = build.build_model(config)
    assert model(torch.zeros(2, config["dataset"]["c_in"], *size)).shape == (
        2,
        config["dataset"]["num_classes"],
    )


@pytest.mark.parametrize("name", options("measure"))
def test_every_measurement_composes_and_gives_tables(name):
    config = resolve(compose("measure", [f"measure={name}"]))
    assert config["measure"]["name"] == name
    if name == "activation_variance_cifar10":  # needs files; its case is that of the images
        assert config["measure"]["cases"]["cifar10"]["batch"]["count"] == 16
        return
    if config["measure"].get("random"):
        measuring.check(config)
    small = config["measure"] | {k: v for k, v in SMALLER.items() if k in config["measure"]}
    if name == "gradient_speed":
        small["networks"] = [2, 3]
    for case in small.get("cases", {}).values():
        case |= {"depth": 3, "width": 16}
    if small.get("random"):
        tables = measuring.function_of(config | {"measure": small})(seed=0, device=CPU)
    elif name == "agreement":
        x, y = torch.randn(2, 1, 8, 8, 8), torch.ones(2, 3, 8, 8, 8)
        settings = {"dataset": "tissue", "model__depth": 8, "model__width": 4}
        runs = [Fixed(build_model("unet", seed=k, **settings).eval(), x, y) for k in range(2)]
        tables = measuring.function_of(config | {"measure": small, "run": "a pattern"})(runs)
    elif name == "segments":
        x, y = torch.randn(2, 1, 16, 16), torch.ones(2, 3, 16, 16)
        model = build_model("unet", dataset="cells", model__depth=8, model__width=4).eval()
        tables = measuring.function_of(config | {"measure": small, "run": "a pattern"})(Fixed(model, x, y))
    elif name == "detections":
        x, y = torch.randn(2, 1, 32, 32), torch.tensor([[[3.0, 0.5, 0.5, 0.3, 0.3]]]).expand(2, -1, -1)
        model = build_model("pyramid", dataset="digits_at_scales", model__depth=7, model__width=4).eval()
        tables = measuring.function_of(config | {"measure": small, "run": "a pattern"})(Fixed(model, x, y))
    elif name == "pose":
        x, y = torch.randn(2, 1, 16, 16), torch.ones(2, 14, 4)
        settings = {key.replace(".", "__"): value for key, value in HOURGLASS.items()}
        model = build_model("hourglass", dataset="figures", **settings).eval()
        tables = measuring.function_of(config | {"measure": small, "run": "a pattern"})(Fixed(model, x, y))
    else:
        x, y = torch.randn(16, 1, 40), torch.arange(16) % 10
        network, depth = NETWORK.get(name, ("resnet", 8))
        run = Fixed(build_model(network, model__depth=depth, model__width=4).eval(), x, y)
        run.config = {
            "seed": 0,
            "activation": {"name": "relu"},
            "schedule": {"learning_rate": 0.1, "steps": 1},
        }
        tables = measuring.function_of(config | {"measure": small, "run": "a pattern"})(run)
    assert tables
    for table in tables.values():
        assert len(table)


@pytest.mark.parametrize("name", options("random_network"))
def test_every_random_network_composes(name):
    config = resolve(compose("measure", [f"+random_network@measure.setups.x={name}"]))
    assert config["measure"]["setups"]["x"]["name"] == name
    make(config["measure"]["setups"]["x"], "random_network")


@pytest.mark.parametrize("name", options("experiment"))
def test_every_experiment_names_itself_and_plans_distinct_runs(name, tmp_path):
    configs, swept = plan(name, tmp_path)
    assert swept
    assert {config["name"] for config in configs} == {name}
    folders = {folder_of(config).name for config in configs}
    assert len(folders) == len(configs) > 0


def test_every_yaml_says_what_it_is_in_its_first_line():
    for path in CONF.rglob("*.yaml"):
        lines = [line for line in path.read_text().splitlines() if line != "# @package _global_"]
        assert lines[0].startswith("# "), path
        assert lines[0].endswith("."), path
