import pytest
from helpers import mentions

from resexp.config.compose import ConfigError, compose, resolve


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["model.dpeth=3"], ["model.dpeth", "model.depth?", "width"]),
        (["case=identty"], ["case=identty", "shortcut_variants/identity", "relatives/dense"]),
        (["modle=resnet20"], ["modle", "model?", "norm"]),
        (["dataset.root=x"], ["dataset.root", "dataset=mnist1d", "val_size"]),
        (["nothing.at.all=1"], ["nothing.at.all"]),
        (["seed=x"], ["seed", "an integer", "x"]),
        (["dataset=cifar11"], ["dataset=cifar11", "cifar10?", "cifar100", "mnist1d"]),
        (["experiment=none_such"], ["experiment=none_such", "activation_orders", "depth_sweep"]),
        (["model.depth=20,30"], ["model.depth=20,30", "-m"]),
        (["model.depth={x"], ["'model.depth={x'", "key=value"]),
        (["+foo=1"], ["foo", "command", "name", "case", "seed"]),
        (["+train.devise=1"], ["train.devise", "train.device?", "threads"]),
        (["+dataset.foo=1"], ["dataset.foo", "val_size"]),
        (["model=resnett20", "dataset.root=x"], ["model=resnett20", "resnet20?"]),
        (["seed=???"], ["seed"]),
        (["norm=null"], ["norm=null", "batch", "none"]),
        (["model=56"], ["model=56", "densenet", "resnet20"]),
        (["norm=[batch,group]"], ["norm=[batch,group]", "batch", "none"]),
        (["model=resnet20,plain20"], ["model=resnet20,plain20", "-m"]),
        (["schedule.divide_at=0.5,0.6"], ["schedule.divide_at=0.5,0.6", "-m", "[a,b]"]),
    ],
)
def test_mistyped_overrides_are_explained(overrides, named):
    with pytest.raises(ConfigError, match=mentions(*named)) as error:
        resolve(compose("train", overrides))
    offers_a_list = "[a,b]" in str(error.value)
    assert offers_a_list == (overrides[0] in ("model.depth=20,30", "schedule.divide_at=0.5,0.6"))


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("name=2026_11_24", "name"),
        ("name=1e3", "name"),
        ("name=a,1_1", "name"),
        ("train.runs=1_0", "train.runs"),
        ("labels.depth=56", "labels.depth"),
        ("labels={depth: 56}", "labels"),
    ],
)
def test_what_hydra_would_read_otherwise_than_it_was_typed_is_refused(override, key):
    with pytest.raises(ConfigError, match=mentions(key)) as error:
        compose("train", [override])
    assert "\n" not in str(error.value)


def test_quoted_text_stays_text():
    assert resolve(compose("train", ['name="2026_11_24"']))["name"] == "2026_11_24"
    assert resolve(compose("train", ["name=5"]))["name"] == "5"


@pytest.mark.parametrize("typed", ["=5", "=-0.5", "=[1,2]"])
def test_a_value_without_a_key_is_refused_in_a_sentence(typed):
    with pytest.raises(ConfigError, match=mentions(f"'{typed}'", "key=value")):
        compose("train", [typed])
