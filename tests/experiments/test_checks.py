import pytest
import torch
from helpers import mentions

from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments.checks import check


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
        (["model.block=bottleneck"], ["'str'", "'depth'"]),
        (["activation._target_=3"], ["activation._target_", "resexp.models", "torch.nn", "3"]),
        (["model.name=../../x"], ["model", "'../../x'"]),
        (["norm.name=a/b"], ["norm", "'a/b'"]),
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
        (["train.keep=all"], ["train.keep", "log", "480", "all"]),
        (["train.keep=[5,481]"], ["train.keep", "1", "480", "481"]),
        (["train.checkpoint_minutes=-1"], ["train.checkpoint_minutes", "0", "-1.0"]),
        (["dataset.flip=true"], ["dataset=mnist1d", "dataset.crop_padding", "dataset.flip"]),
        (["dataset=fake", "dataset.crop_padding=-1"], ["dataset.crop_padding", "0", "-1"]),
        (["batch_size=4001"], ["batch_size", "1..4000", "4001"]),
        (["dataset.val_size=4000"], ["dataset.val_size", "0..3999", "4000"]),
        (["dataset=cifar10", "dataset.root=/nowhere"], ["dataset.root=/nowhere"]),
    ],
)
def test_what_cannot_run_is_refused_before_it_starts(overrides, named):
    with pytest.raises(ConfigError, match=mentions(*named)):
        check(resolve(compose("train", overrides)))
