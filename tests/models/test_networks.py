"""Networks against torchvision's, and what each family is made of."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from helpers import mentions
from torch import nn

import resexp
from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import build
from resexp.models.blocks import Block
from resexp.models.fractalnet import Column, FractalNet, Join
from resexp.models.layers import Basic
from resexp.models.norms import BatchNorm
from resexp.models.orders import full_preactivation
from resexp.models.parts import Parts
from resexp.models.shortcuts import NoShortcut
from resexp.models.stochastic import Dropout
from resexp.models.vgg import as_convolutions
from resexp.models.weights import load_by_position

NO_COLUMN = torch.tensor(-1)
PARTS = Parts(dims=2, norm=BatchNorm, activation=nn.ReLU, shortcut=NoShortcut)
# torchvision's name -> ours
TORCHVISION = {
    "resnet18": "model=imagenet_resnet18",
    "resnet34": "model=imagenet_resnet34",
    "resnet50": "model=imagenet_resnet50",
    "resnet101": "model=imagenet_resnet101",
    "resnet152": "model=imagenet_resnet152",
    "resnext50_32x4d": "model=imagenet_resnet50 block.layers.groups=32 block.layers.width_factor=2",
    "wide_resnet50_2": "model=imagenet_resnet50 block.layers.width_factor=2",
    "densenet121": "model=imagenet_densenet",
    "vgg16_bn": "model=vgg model.hidden=4096",
}


def network(*overrides, seed=0):
    config = resolve(compose("train", list(overrides)))
    torch.manual_seed(seed)
    return make(config["model"], "model").eval()


@pytest.mark.parametrize(("name", "overrides"), TORCHVISION.items())
def test_equals_torchvisions(name, overrides):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    theirs = getattr(models, name)(weights=None).eval()
    for module in theirs.modules():  # statistics that a trained network would have
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = network("dataset=fake", "dataset.num_classes=1000", *overrides.split(), seed=1)
    count = [sum(p.numel() for p in model.parameters()) for model in (ours, theirs)]
    assert count[0] == count[1]
    load_by_position(ours, theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(x)
        difference = (ours(x) - expected).abs().max() / expected.abs().max()
    assert difference < 1e-5


FULLY_CONVOLUTIONAL = [
    "resnet20", "preact164", "wide16_8", "densenet", "fractal", "vgg", "ror", "highway", "recurrent",
]  # fmt: skip


@pytest.mark.parametrize("name", FULLY_CONVOLUTIONAL)
def test_other_sizes_are_accepted(name):
    small = {"wide16_8": ["model.widen=1"], "fractal": ["model.widths=[4,4,4,4,4]"], "vgg": ["model.width=4"]}
    for dataset, shape in (("fake", (2, 3, 45, 31)), ("mnist1d", (2, 1, 57))):
        model = network(f"model={name}", f"dataset={dataset}", *small.get(name, []))
        assert model(torch.zeros(shape)).shape == (2, 10)


def test_a_head_as_convolutions_equals_sliding_it(generator):
    head = nn.Sequential(nn.Linear(4 * 3 * 3, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 5)).eval()
    sliding = as_convolutions(head, (4, 3, 3)).eval()
    features = torch.randn(2, 4, 6, 5, generator=generator)
    heat_map = sliding(features)
    assert heat_map.shape == (2, 5, 4, 3)
    for row in range(4):
        for column in range(3):
            window = features[:, :, row : row + 3, column : column + 3]
            torch.testing.assert_close(heat_map[:, :, row, column], head(window.flatten(1)))
    with pytest.raises(ValueError, match=mentions("36", "(4, 2, 2)", "16")):
        as_convolutions(head, (4, 2, 2))


def test_vgg_gives_a_heat_map():
    model = network("dataset=fake", "model=vgg", "model.width=4", "model.hidden=16", "model.positions=2")
    head = as_convolutions(model.head, (32, 2, 2)).eval()
    x = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        features = model.features(x)
        heat_map = head(features)
        assert heat_map.shape == (1, 10, 2, 3)
        expected = model.head(features[:, :, 1:3, 2:4].flatten(1))
    torch.testing.assert_close(heat_map[:, :, 1, 2], expected)


def test_fractal_paths_and_joins(generator):
    parts = replace(PARTS, norm=lambda channels: nn.Identity())
    sizes = {"columns": 2, "widths": [4, 4], "c_in": 3, "num_classes": 5}
    model = FractalNet(4, **sizes, drop_path=0.0, global_drop_path=0.0, dropout=0.0, parts=parts)
    f, x = model.blocks[0].fractal, torch.randn(2, 3, 8, 8, generator=generator)
    expected = (f.short(x) + f.second.short(f.first.short(x))) / 2
    torch.testing.assert_close(model.blocks[0].join(f(x, NO_COLUMN), NO_COLUMN), expected)
    pooled = [nn.functional.max_pool2d(path, 2) for path in (f.short(x), f.second.short(f.first.short(x)))]
    torch.testing.assert_close(model.blocks[0](x, NO_COLUMN), sum(pooled) / 2)


def test_dropout_rises_from_block_to_block():
    """Larsson et al. 2017, section 4.1: 0, 10, 20, 30, 40 %."""
    model = build.build_model(resolve(compose("train", ["model=fractal", "model.dropout=0.4"])))
    rates = [{m.probability for m in b.modules() if isinstance(m, Dropout)} for b in model.blocks]
    assert [rate for (rate,) in rates] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"depth": 3}, ["model.depth", "4", "3"]),
        ({"drop_path": 1.0}, ["model.drop_path", "[0, 1)", "1.0"]),
        ({"global_drop_path": 1.1}, ["model.global_drop_path", "[0, 1]", "1.1"]),
        ({"dropout": 1.0}, ["model.dropout", "[0, 1)", "1.0"]),
    ],
)
def test_invalid_fractals_are_refused(wrong, named):
    sizes = {"columns": 2, "widths": [4, 4], "c_in": 3, "num_classes": 5, "parts": PARTS}
    with pytest.raises(ValueError, match=mentions(*named)):
        FractalNet(**{"depth": 4, "drop_path": 0.1, "global_drop_path": 0.5, "dropout": 0.0} | sizes | wrong)


def test_a_join_keeps_at_least_one_path(generator):
    join = Join(0.9)
    join.generator = generator
    paths = [torch.full((2, 3), float(value)) for value in (1, 2, 4)]
    seen = {round(join(paths, NO_COLUMN)[0, 0].item(), 3) for _ in range(400)}
    assert {1.0, 2.0, 4.0} <= seen <= {1.0, 2.0, 4.0, 1.5, 2.5, 3.0, 2.333}
    assert join.eval()(paths, NO_COLUMN)[0, 0].item() == pytest.approx(7 / 3)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_global_drop_path_keeps_one_column(column, generator):
    sizes = {"columns": 3, "widths": [4], "c_in": 3, "num_classes": 5}
    model = FractalNet(4, **sizes, drop_path=0.9, global_drop_path=1.0, dropout=0.0, parts=PARTS)
    f, x = model.blocks[0].fractal, torch.randn(2, 3, 8, 8, generator=generator)
    alone = {
        2: [f.short],
        1: [f.first.short, f.second.short],
        0: [f.first.first.short, f.first.second.short, f.second.first.short, f.second.second.short],
    }
    expected = nn.Sequential(*alone[column])(x)
    torch.testing.assert_close(
        model.blocks[0].join(f(x, torch.tensor(column)), torch.tensor(column)), expected
    )


def test_columns_are_drawn_in_their_share_of_the_batches(generator):
    column = Column(3, fraction=0.5)
    column.generator = generator
    drawn = torch.stack([column(torch.device("cpu")) for _ in range(4000)])
    shares = drawn.add(1).bincount() / len(drawn)
    assert shares.tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6], abs=5 * (0.25 / 4000) ** 0.5)
    assert column.eval()(torch.device("cpu")) == -1


def test_recurrent_blocks_share_convolutions_and_not_normalizations():
    model = network("model=recurrent", "model.depth=20", "dataset=cifar10")
    assert len(model.blocks) == 9

    def different(kind):
        return len({id(m.weight) for block in model.blocks for m in block.modules() if isinstance(m, kind)})

    assert different(nn.Conv2d) == 2 * 6, "the first block of a stage, and the others"
    assert different(BatchNorm) == 2 * 9
    usual = network("model=resnet", "model.depth=20", "dataset=cifar10")
    saved = sum(2 * 9 * width**2 for width in (16, 32, 64))
    assert sum(p.numel() for p in usual.parameters()) - sum(p.numel() for p in model.parameters()) == saved


def test_ror_adds_shortcuts_around_stages_and_all(generator):
    model = network("model=ror", "model.depth=8", "dataset=cifar10")
    x = torch.randn(2, 3, 32, 32, generator=generator)
    with torch.no_grad():
        root = h = model.stem(x)
        for stage in range(3):
            block = model.blocks[stage]
            inside = block.shortcut.projection(h) + block.transform(h)
            h = model.around_stages[stage].projection(h) + inside
            h = torch.relu(h if stage < 2 else model.around_all.projection(root) + h)
        torch.testing.assert_close(model(x), model.head(h.mean((2, 3))))


@pytest.mark.parametrize(("depth", "theirs"), [(50, 762_746), (104, 1_637_690)])
def test_ror_is_as_large_as_in_another_library(depth, theirs):
    """osmr/imgclsmob's ror3_56_cifar10 and ror3_110_cifar10, which have 8 and 17 blocks in a stage."""
    model = network("model=ror", f"model.depth={depth}", "dataset=cifar10")
    around_the_first_stage = 16 * 16 + 2 * 16  # a projection there, where no shape changes
    assert sum(p.numel() for p in model.parameters()) == theirs - around_the_first_stage


def kinds(module):
    return [type(layer).__name__ for layer in module.modules() if not list(layer.children())]


def test_wide_blocks_drop_between_activation_and_convolution():
    """Zagoruyko and Komodakis 2016, section 2.4: between the convolutions and after ReLU."""
    transform = network("model=wide16_8", "block=wide", "dataset=fake").blocks[1].transform
    half = ["BatchNorm", "ReLU", "Conv2d"]
    assert kinds(transform) == [*half, "BatchNorm", "ReLU", "Dropout", "Conv2d"]


def test_dense_networks_drop_behind_all_convolutions_but_the_first():
    """Huang et al. 2017, section 4.2."""
    for name in ("densenet", "densenet_bc"):
        layers = kinds(network(f"model={name}", "model.depth=16", "model.dropout=0.2", "dataset=fake"))
        behind = [b for a, b in pairwise(layers) if a == "Conv2d"]
        assert behind[0] != "Dropout"
        assert set(behind[1:]) == {"Dropout"}


def test_stochastic_depth_grows_along_the_network():
    model = network("model=stochastic", "model.depth=20", "dataset=cifar10")
    survival = [block.branch.survival for block in model.blocks]
    assert survival == pytest.approx([1 - 0.5 * n / 9 for n in range(1, 10)])


def test_an_mlp_reads_any_shape():
    model = network("model=residual_mlp", "dataset=mnist1d")
    assert model(torch.zeros(3, 1, 40)).shape == (3, 10)
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 8
    assert network("model=mlp", "dataset=cifar10")(torch.zeros(3, 3, 32, 32)).shape == (3, 10)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["model=wide", "model.depth=20"], ["model.depth", "6n+4", "20", "16", "22"]),
        (["model=preact", "model.depth=111"], ["model.depth", "9n+2", "111", "110", "119"]),
        (["model=resnet", "block=bottleneck", "model.depth=26"], ["model.depth", "9n+2", "26"]),
        (["model=imagenet_resnet", "model.depth=50"], ["model.depth", "18, 34", "50", "block=bottleneck"]),
        (["model=imagenet_resnet50", "model.depth=18"], ["model.depth", "50, 101, 152, 200", "18"]),
        (["model=densenet", "model.depth=41"], ["model.depth", "3n+4", "41"]),
        (["model=densenet_bc", "model.compression=0.0"], ["model.compression", "(0, 1]", "0.0"]),
        (["model=imagenet_densenet", "model.depth=122"], ["model.depth", "121, 169, 201, 161", "122"]),
        (["model=vgg", "model.depth=12"], ["model.depth", "11, 13, 16, 19", "12"]),
        (["model=mlp", "model.depth=9"], ["model.depth", "2n+2", "9", "8", "10"]),
        (["model=ror", "model.depth=21"], ["model.depth", "6n+2", "21"]),
        (["model=ror", "shortcut=none"], ["model=ror", "shortcut=none", "model=plain"]),
        (["model=densenet", "model.dropout=1.0"], ["model.dropout", "[0, 1)", "1.0"]),
        (["model=mlp", "norm=instance"], ["norm=batch", "norm.groups"]),
        (["model=residual_mlp", "norm=group", "norm.groups=100"], ["norm=batch", "norm.groups"]),
        (["model=residual_mlp", "block=grouped", "model.depth=8"], ["block=grouped"]),
        (["model=plain", "branch=stochastic_depth"], ["model=plain", "branch=..."]),
        (["model=stochastic", "shortcut=none"], ["branch=stochastic_depth", "shortcut"]),
        (["model=imagenet_plain18", "shortcut=projection"], ["model=imagenet_plain", "shortcut=..."]),
        (["block=bottleneck", "block.layers.expansion=0", "model.depth=20"], ["block.layers.expansion", "1"]),
        (["block=bottleneck", "block.layers.groups=0", "model.depth=20"], ["block.layers.groups", "1", "0"]),
        (["model=resnext", "block.layers.groups=7"], ["block.layers.groups=7", "512"]),
        (["block.layers.count=0"], ["block.layers.count", "1", "0"]),
        (["block=relu_first", "block.layers.dropout=0.3"], ["block.layers.dropout"]),
        *((["model=" + name, "shortcut=zero_pad"], [f"model={name}", "shortcut=..."])
          for name in ("vgg", "densenet", "fractal")),
        *((["model=" + name, "branch=stochastic_depth"], [f"model={name}", "branch=..."])
          for name in ("vgg", "densenet", "fractal")),
    ],
)  # fmt: skip
def test_other_sizes_are_refused(overrides, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        network(*overrides, "dataset=cifar10")


def test_a_block_takes_its_input_from_the_stem():
    block = Block(full_preactivation, Basic())
    assert not block.activates_stem
    model = network("model=resnet", "block=full_preactivation", "dataset=cifar10")
    assert not any(isinstance(m, BatchNorm) for m in model.stem), "the first block activates it"


def test_a_transition_keeps_the_floor_of_its_channels():
    """Huang et al. 2017, section 3: floor(theta m); with theta = 0.5 and an odd m it rounds down."""
    model = resexp.build_model(
        "densenet", model__depth=7, model__growth=3, model__compression=0.5, dataset="cifar10"
    )
    widths = [m.in_channels for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert 19 in widths, "16 + 3 behind the first block, an odd number"
    assert 9 in widths
    assert 10 not in widths
