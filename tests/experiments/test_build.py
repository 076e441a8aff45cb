import pytest
import torch
from torch import nn

import resexp
from resexp.experiments import build
from resexp.experiments.compose import ConfigError, composed, resolved
from resexp.experiments.listing import options


def config(*overrides):
    return resolved(composed("train", list(overrides)))


def test_build_model_for_notebooks():
    model = resexp.build_model("resnet56", norm="group", dataset="cifar10")
    assert any(isinstance(m, nn.GroupNorm) for m in model.modules())
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    deep = resexp.build_model("plain", model__depth=110, dataset="cifar100")
    assert sum(p.numel() for p in deep.parameters()) == 1_727_962 + 65 * 90


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"name": "resnet57"}, r"no model=resnet57 \(did you mean resnet56\?\); there are densenet"),
        ({"name": "resnet20", "norm": "bach"}, r"no norm=bach \(did you mean batch\?\)"),
        ({"name": "resnet20", "model__depth": 21}, r"6n\+2"),
        ({"name": "densenet", "block": "bottleneck"}, "model=densenet has no residual blocks"),
        ({"name": "resnet20", "model": "plain20"}, "two networks, resnet20 and plain20: name one"),
        ({"name": "resnet", "depth": 20}, r"did you mean model\.depth"),
        ({"name": "resnet20", "model__width": 0}, "model.width must be at least 1"),
    ],
)
def test_build_model_says_what_there_is(choices, message):
    with pytest.raises(ValueError, match=message):
        resexp.build_model(**choices)


def test_the_seed_draws_the_weights_and_nothing_global():
    before = torch.get_rng_state()
    a, b, c = (resexp.build_model("resnet20", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)
    assert not torch.equal(a.head.weight, c.head.weight)


def test_models_of_one_depth_share_their_draws():
    plain, residual = (resexp.build_model(name, dataset="cifar10") for name in ("plain20", "resnet20"))
    for p, q in zip(plain.parameters(), residual.parameters(), strict=True):
        assert torch.equal(p, q)


def test_settings_leave_out_where_and_how_a_run_is_carried_out():
    here = config("dataset=cifar10", "dataset.root=/a", "train.device=cpu", "name=x")
    there = config("dataset=cifar10", "dataset.root=/b", "dataset.download=false", "train.threads=7")
    assert build.settings(here) == build.settings(there)
    for change in ("seed=1", "precision=bfloat16", "schedule.steps=3", "batch_size=4", "norm=group"):
        assert build.settings(config("dataset=cifar10", change)) != build.settings(here)


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
        build.check(config(*overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.dpeth=3"], r"no key model.dpeth \(did you mean model.depth\?\)"),
        (["modle=resnet20"], r"no key modle \(did you mean model\?\)"),
        (["dataset.root=x"], "no key dataset.root; dataset .dataset=mnist1d. has"),
        (["nothing.at.all=1"], "there is no key nothing.at.all"),
        (["seed=x"], "seed: Value 'x' of type 'str' could not be converted to Integer"),
        (["dataset=cifar11"], r"no dataset=cifar11 \(did you mean cifar10\?\); there are cifar10, cifar100"),
        (["experiment=none_such"], "no experiment=none_such; there are activation_orders"),
        (["model.depth=20,30"], "gives several values: add -m"),
        (["model.depth={x"], "cannot read 'model.depth={x'"),
        (["+foo=1"], "no key foo; allowed: command, name, case, seed"),
        (["+train.devise=1"], r"no key train.devise \(did you mean train.device\?\)"),
        (["+dataset.foo=1"], "no key dataset.foo"),
        (["model=resnett20", "dataset.root=x"], "no model=resnett20"),
        (["seed=???"], "seed"),
    ],
)
def test_mistyped_overrides_are_explained(overrides, message):
    with pytest.raises(ConfigError, match=message) as error:
        config(*overrides)
    assert "\n" not in str(error.value)


def test_a_validation_split_is_evaluated_beside_the_test_split():
    trainer = build.trainer(config("dataset.val_size=500", "schedule.steps=2"), torch.device("cpu"))
    trainer.train_step()
    assert list(trainer.evaluated()) == ["test_loss", "test_error_percent", "val_loss", "val_error_percent"]
    assert len(trainer.batches.targets) == 3500


def test_options_are_listed_with_a_line_each():
    assert options("models")["resnet20"] == "Residual network of 20 weight layers."
    with pytest.raises(ValueError, match="no list of 'colours'; there are activation"):
        options("colours")


def test_threads_are_as_asked_else_as_the_environment_says_else_a_share_of_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [build.threads_of(None, workers) for workers in (1, 2, 9)] == [6, 3, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert build.threads_of(None) == 2
    assert build.threads_of(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert build.threads_of(None) == 6
