import pytest

from resexp.config.compose import ConfigError, composed, resolved


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
        (["norm=null"], "there is no norm=null; there are batch"),
        (["model=56"], "there is no model=56; there are densenet"),
        (["norm=[batch,group]"], r"there is no norm=\[batch,group\]; there are batch"),
        (
            ["model=resnet20,plain20"],
            "model=resnet20,plain20 gives several values: add -m to sweep over them$",
        ),
        (["schedule.divide_at=0.5,0.6"], r"add -m to sweep over them, or write \[a,b\] for a list"),
    ],
)
def test_mistyped_overrides_are_explained(overrides, message):
    with pytest.raises(ConfigError, match=message) as error:
        resolved(composed("train", overrides))
    assert "\n" not in str(error.value)
