"""What transformers look at, against the network's own outputs."""

import pytest
import torch
from helpers import Fixed, mentions

from resexp import build_model
from resexp.measure.attended import ENTRIES, trained


def image(pixels, example, number, channel):
    rows = pixels.query("example == @example and image == @number and channel == @channel").sort_values("row")
    return torch.tensor([[float(value) for value in line.split()] for line in rows["values"]])


def test_tables_hold_inputs_thetas_and_patches(generator):
    model = build_model("stn2", dataset="mnist_addition_embedded").eval()
    with torch.no_grad():
        model.transformers[1].pose.bias += 0.1
    x = torch.rand(3, 2, 32, 32, generator=generator)
    tables = trained(Fixed(model, x, torch.tensor([5, 6, 7])), examples=2)
    theta, pixels = tables["theta"], tables["pixels"]
    assert theta["target"].tolist() == [5, 6, 5, 6]
    assert theta["answer"].tolist() == model(x[:2]).argmax(1).tolist() * 2
    moved = theta.query("transformer == 2")[list(ENTRIES)].to_numpy()
    assert moved == pytest.approx(torch.tensor([[1.1, 0.1, 0.1, 0.1, 1.1, 0.1]] * 2).numpy())
    torch.testing.assert_close(image(pixels, 1, 0, 1), x[1, 1], atol=1e-3, rtol=1e-2)
    patch = model.attended(x)[1, 2]  # the second transformer's first channel
    torch.testing.assert_close(image(pixels, 1, 2, 0), patch, atol=1e-3, rtol=1e-2)
    assert len(pixels) == 2 * 2 * (32 + 2 * 28)


@pytest.mark.parametrize("model", ["fcn", "cnn"])
def test_networks_without_transformers_are_refused(model):
    run = Fixed(
        build_model(model, dataset="mnist_addition_embedded"), torch.zeros(2, 2, 32, 32), torch.zeros(2)
    )
    with pytest.raises(ValueError, match=mentions("measure=attended", "model=stn")):
        trained(run, examples=2)
