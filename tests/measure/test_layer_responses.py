"""Layer responses against a forward pass by hand."""

import numpy as np
import pytest
import torch
from helpers import Fixed, mentions, settled

from resexp import build_model
from resexp.measure.layer_responses import responses, trained


def network(name="resnet", **choices):
    return settled(name, 8, **choices)


@pytest.fixture
def x(generator):
    return torch.randn(12, 1, 40, generator=generator)


@pytest.mark.parametrize("name", ["resnet", "plain"])
def test_deviations_are_those_behind_each_normalization(name, x):
    model = network(name=name)
    outputs = []
    with torch.no_grad():
        conv, norm, act, _ = model.stem
        outputs.append(norm(conv(x.unsqueeze(2))))
        h = act(outputs[-1].clone())
        for block in model.blocks:
            conv, norm, act, second, second_norm = block.transform
            outputs.append(norm(conv(h)))
            outputs.append(second_norm(second(act(outputs[-1].clone()))))
            h = block.after(block.shortcut(h, outputs[-1].clone()))
    found = trained(Fixed(model, x, torch.zeros(12)), examples=12, batch_size=5)["deviation"]
    assert found["layer"].tolist() == list(range(1, 8)), "8 weight layers but the classifier"
    expected = [np.std(output.double().numpy()) for output in outputs]
    assert found["standard_deviation"].tolist() == pytest.approx(expected, rel=1e-5)


def test_without_a_normalization_behind_it_a_convolution_responds_itself(x):
    model = network(name="resnet", block="full_preactivation", shortcut="projection")
    found = responses(model, [x])
    assert len(found) == 7, "shortcuts of 1x1 convolutions do not count"
    kept = []
    model.blocks[0].transform[-1].register_forward_hook(lambda *_: kept.append(_[2].clone()))
    model(x)
    assert found["standard_deviation"][2] == pytest.approx(kept[0].std(correction=0).item(), rel=1e-4)


def test_networks_without_such_layers_are_refused():
    with pytest.raises(ValueError, match=mentions("convolutions", "1x1")):
        responses(build_model("mlp").eval(), [])


def test_the_network_is_left_as_it_was(x):
    model = network()
    responses(model, [x])
    assert not any(module._forward_hooks for module in model.modules())
