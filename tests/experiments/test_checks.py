import pytest
import torch
from helpers import mentions

from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments.checks import check

FIGURES = ["model=hourglass", "dataset=figures", "dataset.load.train_size=8", "dataset.load.test_size=1"]
FAKE = ["dataset=fake", "model.depth=8", "dataset.load.train_size=200", "dataset.load.test_size=9"]


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["model.depth=abc"], ["model.depth", "'abc'"]),
        (["model.depth=20.5"], ["model.depth", "20.5"]),
        (["model=plain", "model.width=x"], ["model.width", "'x'"]),
        (["model.depth=21"], ["model.depth", "6n+2", "21", "20", "26"]),
        (["+model.foo=1"], ["model.foo", "depth", "width", "shared"]),
        (["norm=group", "norm.groups=5"], ["norm.groups", "16", "5"]),
        (["optimizer.momentum=high"], ["optimizer.momentum", "'high'"]),
        (["+optimizer.nope=1"], ["optimizer.nope", "momentum", "nesterov"]),
        (["optimizer.momentum=1.5"], ["optimizer.momentum", "0", "1", "1.5"]),
        (["schedule.learning_rate=high"], ["schedule.learning_rate", "'high'"]),
        (["norm=group", "norm.groups=0"], ["norm.groups", "16", "0"]),
        (["norm=group", "norm.groups=-1"], ["norm.groups", "16", "-1"]),
        (["model.block=bottleneck"], ["model.block", "_target_", "'bottleneck'"]),
        (["activation._target_=3"], ["activation._target_", "resexp.models", "torch.nn", "3"]),
        (["model.name=../../x"], ["model", "'../../x'"]),
        (["norm.name=a/b"], ["norm", "'a/b'"]),
        (["name=" + 101 * "\N{LATIN SMALL LETTER E WITH ACUTE}"], ["name", "200", "202"]),
        (["train.device=mps"], ["device", "auto", "cpu", "cuda", "cuda:N", "'mps'"]),
        (["+optimizer.foreach=true"], ["`fused`", "`foreach`"]),
        (["norm._target_=torch.nn.GroupNorm"], ["GroupNorm.__init__()", "'num_channels'"]),
        (["activation._target_=torch.nn.functional"], ["activation._target_", "torch.nn.functional"]),
        (["schedule.divide_at=0.5"], ["schedule.divide_at", "list", "0.5"]),
        (["schedule.steps=0"], ["schedule.steps", "1", "0"]),
        (["activation.inplace=maybe"], ["activation.inplace", "true", "false", "'maybe'"]),
        (
            ["activation._target_=os.system"],
            ["activation._target_", "resexp.models", "torch.nn", "os.system"],
        ),
        (["activation._target_=torch.nn.Relu"], ["activation._target_", "torch.nn.Relu"]),
        (["model=plain", "shortcut=zero_pad"], ["model=plain", "shortcut=..."]),
        (["model=vgg", "block=bottleneck"], ["model=vgg", "block=..."]),
        (["model=vgg", "block.branches=3"], ["model=vgg", "block=..."]),
        (["precision=half"], ["precision", "float32", "tf32", "bfloat16", "half"]),
        (["train.channels_last=first"], ["train.channels_last", "auto", "true", "false", "first"]),
        (["train.cudnn_benchmark=no way"], ["train.cudnn_benchmark", "auto", "true", "false", "no way"]),
        (["train.device=gpu"], ["device", "auto", "cpu", "cuda", "cuda:N", "'gpu'"]),
        (["train.device=cuda:77"], ["device=cuda:77", str(torch.cuda.device_count()), "cpu"]),
        (["train.threads=0"], ["train.threads", "0"]),
        (["train.max_minutes=-1"], ["train.max_minutes", "0", "-1.0"]),
        (["interval=0"], ["interval", "1", "0"]),
        (["optimizer=adam", "optimizer.betas=3"], ["optimizer.betas", "list", "2", "number", "got 3"]),
        (["optimizer=adam", "optimizer.betas=[0.9]"], ["optimizer.betas", "list", "2", "number", "0.9"]),
        (["dataset=fake", "dataset.load.shape=3"], ["dataset.load.shape", "list", "integers", "got 3"]),
        (["dataset=fake", "dataset.load.shape=[a,2,2]"], ["dataset.load.shape", "list", "integers", "'a'"]),
        (["dataset=fake", "dataset.load.shape=[3,true,2]"], ["dataset.load.shape", "integers", "True"]),
        ([*FAKE, "normalization=imagenet", "normalization.mean=3"], ["normalization.mean", "list", "got 3"]),
        (["schedule.name=3"], ["schedule.name", "text", "3"]),
        (["block=bottleneck", f"block.branches={10**30}"], ["block.branches", "1,000,000", str(10**30)]),
        (["model.width=1000000"], ["model=resnet", "10,000,000,000", "model.width"]),
        (["train.keep=all"], ["train.keep", "log", "480", "all"]),
        (["train.keep=3"], ["train.keep", "log", "480", "got 3"]),
        (["train.keep=[5,481]"], ["train.keep", "1", "480", "481"]),
        (["train.checkpoint_minutes=-1"], ["train.checkpoint_minutes", "0", "-1.0"]),
        (["dataset.flip=true"], ["dataset=mnist1d", "dataset.crop_padding", "dataset.flip"]),
        (["dataset=fake", "dataset.crop_padding=-1"], ["dataset.crop_padding", "0", "-1"]),
        (["batch_size=4001"], ["batch_size", "1..4000", "4001"]),
        (["dataset.val_size=4000"], ["dataset.val_size", "0..3999", "4000"]),
        (["dataset=cifar10", "dataset.root=/nowhere"], ["dataset.root=/nowhere"]),
        (["model=mlp", "batch_size=1"], ["norm=batch", "batch_size=1", "norm=layer"]),
        (["model=residual_mlp", "batch_size=1"], ["norm=batch", "batch_size=1", "norm=layer"]),
        (["model=mlp", "norm=ghost", "norm.size=1"], ["norm=ghost", "norm.size"]),
        (["model=mlp", "norm=ghost", "norm.size=127"], ["norm=ghost", "norm.size"]),
        ([*FAKE, "dataset.load.shape=[3,4,4]", "norm=instance"], ["norm=instance", "norm=layer"]),
        ([*FAKE, "dataset.load.shape=[1,32,32]"], ["dataset.c_in=3", "dataset=fake", "1"]),
        ([*FAKE, "dataset.load.shape=[32,32]"], ["dataset.dims=2", "dataset=fake", "1"]),
        ([*FAKE, "dataset.load.test_size=0"], ["dataset.load.test_size", "1", "0"]),
        ([*FAKE, "dataset.load.train_size=-1"], ["dataset.load.train_size", "1", "-1"]),
        (["dataset=fake", "model=mlp", "dataset.load.shape=[3,8,8]"], ["dataset.size", "[32, 32]", "[8, 8]"]),
        (["dataset.size=[41]"], ["dataset.size", "dataset=mnist1d", "[40]", "[41]"]),
        ([*FIGURES, "dataset.load.size=32"], ["dataset.size=[64, 64]", "dataset=figures", "[32, 32]"]),
        ([*FIGURES, "task.size=[32,32]"], ["task.size=[32, 32]", "dataset=figures", "[64, 64]"]),
        ([*FIGURES, "dataset.flip=true"], ["dataset=figures", "dataset.load", "dataset.flip"]),
        ([*FIGURES, "dataset.crop_padding=4"], ["dataset=figures", "dataset.crop_padding"]),
        (["optimizer.lr=0.2"], ["optimizer.lr=0.2", "schedule.learning_rate=0.2"]),
        (["optimizer=adam", "optimizer.lr=0.001"], ["optimizer.lr=0.001", "schedule.learning_rate=0.001"]),
        (["schedule=constant", "schedule.divisor=5"], ["schedule.divisor=5", "schedule.divide_at"]),
        (["dataset.num_classes=5"], ["dataset.num_classes=5", "dataset=mnist1d", "10"]),
        (["dataset.dims=2"], ["dataset.dims=2", "dataset=mnist1d", "1"]),
        (["dataset.load.seed=-1"], ["dataset.load.seed", "0", "-1"]),
        (["norm._target_=torch.nn.BatchNorm3d"], ["5D input", "4D input"]),
        (["norm._target_=torch.nn.LayerNorm"], ["normalized_shape=[16]"]),
        (["task._target_=resexp.tasks.classification.No"], ["resexp.tasks.classification.No"]),
        (["tracker=tensorboard", "tracker.folder=/proc/x"], ["tracker.folder=/proc/x"]),
        (["schedule.learning_rate=inf"], ["schedule.learning_rate", "finite", "inf"]),
        (["optimizer.weight_decay=nan"], ["optimizer.weight_decay", "finite", "nan"]),
        (["train.threads=1000000"], ["train.threads", "1..1024", "1000000"]),
        (["train.checkpoint_minutes=nan"], ["train.checkpoint_minutes", "0", "nan"]),
        ([*FAKE, "normalization=imagenet", "normalization.std=[1,0,1]"], ["normalization.std", "[1, 0, 1]"]),
    ],
)
def test_what_cannot_run_is_refused_before_it_starts(overrides, named):
    with pytest.raises(ConfigError, match=mentions(*named)):
        check(resolve(compose("train", overrides)))


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.depth=8", "batch_size=1"],  # several positions
        ["model.depth=8", "optimizer.lr=0.2", "schedule.learning_rate=0.2"],
        [*FAKE, "dataset.load.shape=[3,4,4]"],  # the network is of any size, and none was typed
        ["model=mlp", "batch_size=1", "norm=layer"],
        ["model=mlp", "norm=ghost", "norm.size=2"],
        ["model=stochastic", "model.depth=8"],
        ["model.depth=8", "shortcut=dropout", "precision=bfloat16"],
        ["model=fractal", *FAKE[2:], "dataset=fake"],
        ["model.depth=8", "activation._target_=torch.nn.RReLU"],
        ["tracker=none", "model.depth=8", "interval=1000000", "schedule.steps=1"],
    ],
)
def test_what_can_run_is_not_and_nothing_is_drawn(overrides):
    """A trial step must not move the random stream that the run will draw from."""
    before = torch.random.get_rng_state()
    check(resolve(compose("train", overrides)))
    assert torch.equal(torch.random.get_rng_state(), before)
