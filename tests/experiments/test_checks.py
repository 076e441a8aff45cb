import pytest

from resexp.config.compose import ConfigError, composed, resolved
from resexp.experiments.checks import check


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.depth=abc"], "model.depth must be a whole number, got 'abc'"),
        (["model.depth=20.5"], "model.depth must be a whole number, got 20.5"),
        (["model=plain", "model.width=x"], "model.width must be a whole number"),
        (["model.depth=21"], r"must be 6n\+2 .* nearest are 20 and 26"),
        (["+model.foo=1"], "there is no key model.foo; model takes"),
        (["norm=group", "norm.groups=5"], "norm.groups must divide"),
        (["optimizer.momentum=high"], "optimizer.momentum must be a number"),
        (["+optimizer.nope=1"], "there is no key optimizer.nope; optimizer takes"),
        (["optimizer.momentum=1.5"], "optimizer.momentum must be at least 0 and below 1, got 1.5"),
        (["schedule.learning_rate=high"], "schedule.learning_rate must be a number, got 'high'"),
        (["norm=group", "norm.groups=0"], "norm.groups must divide the 16 channels, got 0"),
        (["norm=group", "norm.groups=-1"], "norm.groups must divide the 16 channels, got -1"),
        (["model.block=bottleneck"], "these settings do not go together"),
        (["activation._target_=3"], r"activation._target_ must begin with resexp\., .* got 3"),
        (["train.device=mps"], "device must be auto, cpu, cuda or cuda:N, got 'mps'"),
        (["+optimizer.foreach=true"], "these settings do not go together: .*foreach"),
        (["norm._target_=torch.nn.GroupNorm"], "these settings do not go together: .*num_channels"),
        (["activation._target_=torch.nn.functional"], "activation._target_ must be a class or a function"),
        (["schedule.divide_at=0.5"], "schedule.divide_at must be a list of numbers"),
        (["schedule.steps=0"], "schedule.steps must be at least 1"),
        (["activation.inplace=maybe"], "activation.inplace must be true or false"),
        (["activation._target_=os.system"], r"_target_ must begin with resexp\., torch"),
        (["activation._target_=torch.nn.Relu"], r"there is no torch.nn.Relu"),
        (["model=plain", "shortcut=zero_pad"], "model=plain has no shortcuts"),
        (["model=vgg", "block=bottleneck"], "model=vgg has no residual blocks: leave out block="),
        (["model=vgg", "block.branches=3"], "model=vgg has no residual blocks: leave out block="),
        (["precision=half"], "precision must be one of float32, tf32, bfloat16"),
        (["train.device=gpu"], "device must be auto, cpu, cuda or cuda:N, got 'gpu'"),
        (["train.device=cuda:77"], "this machine has . CUDA devices"),
        (["train.threads=0"], "train.threads must be above 0"),
        (["train.max_minutes=-1"], "train.max_minutes must be above 0"),
        (["interval=0"], "interval must be at least 1"),
        (["train.checkpoint_minutes=-1"], "train.checkpoint_minutes must be at least 0, got -1"),
        (["dataset.flip=true"], "dataset=mnist1d has sequences, which are not cropped or mirrored"),
        (["dataset=fake", "dataset.crop_padding=-1"], "dataset.crop_padding must be at least 0, got -1"),
        (["batch_size=4001"], r"batch_size must lie in 1\.\.4000"),
        (["dataset.val_size=4000"], r"dataset.val_size must lie in 0\.\.3999"),
        (["dataset=cifar10", "dataset.root=/nowhere"], "dataset.root=/nowhere does not exist"),
    ],
)
def test_what_cannot_run_is_refused_before_it_starts(overrides, message):
    with pytest.raises(ConfigError, match=message):
        check(resolved(composed("train", overrides)))
