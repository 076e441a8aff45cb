"""Forward mode against reverse mode, finite differences and closed forms."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from helpers import Fixed, mentions

from resexp.bench import gradient_speed as speed
from resexp.measure import gradient_correlation as pairs
from resexp.measure.gradient_autocorrelation import gradient_autocorrelation, measure, trained
from resexp.measure.line_gradients import line_gradients, noise, set_batch_statistics
from resexp.measure.random_networks import Setup, active_units, forward

CPU = torch.device("cpu")


def setup(**changes):
    balduzzi = {
        "kind": "feedforward", "gain": 2.0, "bias": False, "normalization": "center",
        "normalized_from": 1, "through_statistics": False, "branch_scale": 1.0,
        "first_weights": "unit", "first_gain": 1.0, "first_bias": None, "output_gain": 2.0,
    }  # fmt: skip
    return Setup(**balduzzi | changes)


KINDS = [
    {"kind": kind, "normalization": norm, "bias": bias}
    for kind, norm, bias in product(
        ("feedforward", "residual", "looks_linear"), ("none", "center", "batch"), (False, True)
    )
    if not (bias and kind != "feedforward")
]
KINDS += [  # first layers of their own
    {"first_weights": "ones", "first_bias": 1.0, "normalized_from": 2},
    {"first_weights": "width", "first_gain": 3.0, "first_bias": 0.5, "normalization": "batch", "bias": True},
    {"kind": "residual", "first_bias": 1.0, "normalized_from": 3, "normalization": "none"},
]


def outputs(chosen, x, width=30, layers=3):
    generator = torch.Generator().manual_seed(3)
    one = torch.ones(x.shape[2], dtype=x.dtype)
    *_, (a, da, _) = forward(chosen, x, one, width=width, layers=layers, generator=generator)
    readout = torch.randn(a.shape[2], dtype=x.dtype, generator=torch.Generator().manual_seed(4))
    return a @ readout, da @ readout


@pytest.mark.parametrize("changes", KINDS)
def test_forward_mode_equals_reverse_mode(changes):
    x = torch.linspace(-2, 2, 16, dtype=torch.float64).view(1, -1, 1).repeat(2, 1, 1).requires_grad_()
    y, slope = outputs(setup(**changes), x)
    (reverse,) = torch.autograd.grad(y.sum(), x)  # the statistics are held fixed: no input sees another
    torch.testing.assert_close(slope, reverse.squeeze(2), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("changes", [c for c in KINDS if c.get("normalization") == "none"])
def test_forward_mode_equals_finite_differences(changes):
    x = torch.linspace(-2, 2, 16, dtype=torch.float64).view(1, -1, 1)
    step = 1e-6  # no kink lies this near to the points
    up, down = (outputs(setup(**changes), x + s)[0] for s in (step, -step))
    slope = outputs(setup(**changes), x)[1]
    torch.testing.assert_close(slope, (up - down) / (2 * step), rtol=1e-6, atol=1e-7)


def test_through_the_statistics_equals_finite_differences_of_the_sum():
    chosen = setup(through_statistics=True, normalization="batch")
    points = torch.linspace(-2, 2, 8, dtype=torch.float64).view(1, -1, 1)
    x = points.clone().requires_grad_()
    (reverse,) = torch.autograd.grad(outputs(chosen, x)[0].sum(), x)
    for i in range(8):  # none at the kink that all share, x = 0
        moved = torch.zeros_like(points)
        moved[0, i] = 1e-6
        up, down = (outputs(chosen, points + s * moved)[0].sum() for s in (1, -1))
        assert reverse[0, i, 0].item() == pytest.approx(((up - down) / 2e-6).item(), rel=1e-4, abs=1e-6)


def gradients(chosen, networks, depths=(1, 4), seed=0):
    x = torch.linspace(-2, 2, 33, dtype=torch.float64)
    return line_gradients(chosen, x, depths, networks=networks, width=20, seed=seed)


def test_a_network_does_not_depend_on_the_number_of_networks():
    few, many = gradients(setup(), 3), gradients(setup(), 45)
    for a, b in zip(few, many, strict=True):
        assert torch.equal(a, b[:, :3])
    assert not torch.equal(many[0][:, 0], many[0][:, 20]), "another group, another network"


def test_depths_are_prefixes_of_the_deepest():
    alone, among = gradients(setup(), 2, (4,))[0], gradients(setup(), 2, (1, 2, 4))[0]
    assert torch.equal(alone[0], among[2])


@pytest.mark.parametrize("depths", [[4, 1], [0, 2], [2, 2]])
def test_depths_must_ascend(depths):
    with pytest.raises(ValueError, match=mentions("depths", "1")):
        gradients(setup(), 1, depths)


def test_without_new_settings_the_weights_are_those_of_before():
    """The first layer's own settings draw nothing more where they say what the other layers do."""
    named = setup(first_weights="width", first_gain=2.0, first_bias=None, bias=True)
    usual = setup(first_weights="width", first_gain=2.0, first_bias=2.0 / 20, bias=True)
    assert torch.equal(gradients(named, 3)[0], gradients(usual, 3)[0])


def test_the_first_layer_of_figure_11_3a():
    """y = w . relu(x + b): dy/dx jumps by w_i at -b_i, so its squared steps add up to |w|^2."""
    chosen = setup(first_weights="ones", first_bias=1.0, normalized_from=2, output_gain=1.0)
    x = torch.linspace(-5, 5, 4001, dtype=torch.float64)
    found = line_gradients(chosen, x, [1], networks=200, width=50, seed=0)[0][0]
    # |w|^2 is a chi-squared variable of 50 over 50, standard deviation sqrt(2 / 50)
    variation = found.diff(dim=1).square().sum(dim=1)
    assert variation.mean().item() == pytest.approx(1, abs=5 * (2 / 50 / 200) ** 0.5)
    assert variation.std().item() == pytest.approx((2 / 50) ** 0.5, rel=0.25)
    # at x a unit is active with probability Phi(x): the variance of dy/dx
    for place in (-2.0, 0.0, 2.0):
        index = int((x - place).abs().argmin())
        active = 0.5 * (1 + math.erf(place / 2**0.5))
        assert found[:, index].square().mean().item() == pytest.approx(active, rel=5 * (2 / 200) ** 0.5)
    centered = setup(first_weights="ones", first_bias=1.0, output_gain=1.0)
    steps = line_gradients(centered, x, [1], networks=3, width=50, seed=0)[0][0].diff(dim=1)
    kinks = x[1:].expand(3, -1)[steps != 0]
    assert kinks.abs().max() < 2 * 10 / 4000, "centering takes the biases out: all kinks at the mean input"


def test_output_and_first_layer_only_scale_what_is_centered():
    """Units without biases are homogeneous in each layer's weights."""
    usual = setup(first_weights="width", first_gain=2.0)
    other = setup(first_weights="width", first_gain=0.5, output_gain=0.5)
    a, b = gradients(usual, 4)[0], gradients(other, 4)[0]
    torch.testing.assert_close(b, a / 4)


def test_a_first_bias_of_zero_is_none_and_null_is_that_of_the_other_layers():
    """At x = 0 the first layer is its biases."""
    x = torch.zeros(1, 2, 1, dtype=torch.float64)
    for first_bias, variance in ((0.0, 0.0), (None, 2 / 400)):
        chosen = setup(bias=True, first_bias=first_bias, normalization="none")
        generator = torch.Generator().manual_seed(0)
        ((units, *_),) = forward(chosen, x, torch.ones(1).double(), width=400, layers=1, generator=generator)
        # half of them are cut off at 0; the mean square has the standard error sqrt(5 / 4 / 400) of itself
        assert units.square().mean().item() == pytest.approx(variance / 2, rel=5 * (5 / 400) ** 0.5)


def test_of_a_looks_linear_pair_one_unit_is_active_at_every_input(generator):
    """[relu(h), relu(-h)]: the second half mirrors the first."""
    h = torch.randn(2, 3, 5, generator=generator)
    active = active_units(setup(kind="looks_linear", normalization="none"), torch.cat([h, -h], 2).relu())
    assert torch.equal(active, torch.cat([h > 0, h < 0], dim=2))


def test_batch_normalized_units_have_the_variance_of_torchs_batch_norm(generator):
    """The first hidden layer against nn.functional.batch_norm, with its epsilon of 1e-5."""
    x = 0.01 * torch.randn(1, 12, 1, generator=generator, dtype=torch.float64)  # small: epsilon counts
    chosen = setup(normalization="batch", first_weights="ones")
    ones = torch.ones(1, dtype=torch.float64)
    ((units, *_),) = forward(chosen, x, ones, width=3, layers=1, generator=generator)
    expected = torch.nn.functional.batch_norm(x[0].expand(12, 3), None, None, training=True).relu()
    torch.testing.assert_close(units[0], expected)


def test_looks_linear_is_linear():
    found = gradients(setup(kind="looks_linear", normalization="none", gain=1.0), 5, (1, 8))[0]
    spread = found.std(dim=2) / found.abs().mean(dim=2)
    assert spread.max() < 1e-12
    assert torch.isnan(gradient_autocorrelation(found[1], 3)).all(), "a constant has none"
    about_zero = gradient_autocorrelation(found[1], 3, about_zero=True)
    torch.testing.assert_close(about_zero, (1 - torch.arange(4) / 33).double().expand(5, 4))


def test_theorem_1_variance_and_correlation_of_centered_networks():
    """Balduzzi et al. 2017, theorem 1: variance 1, correlation 1/2^L."""
    table = pairs.measure({"x": setup()}, depth=4, networks=30, width=300, inputs=300, seed=0, device=CPU)[
        "correlation"
    ]
    for depth, rows in table.groupby("depth"):
        error = 5 * rows["covariance"].sem()
        assert rows["variance"].mean() == pytest.approx(1, abs=5 * rows["variance"].sem())
        assert rows["covariance"].mean() == pytest.approx(0.5**depth, abs=error + 0.02 * 0.5**depth)
        assert error < 0.2 * 0.5**depth, "or the test could not fail"


def test_theorem_2_variance_of_residual_networks():
    """Balduzzi et al. 2017, theorem 2: variance 2^L; correlation 3/4 after one block."""
    chosen = setup(kind="residual", normalization="none")
    table = pairs.measure({"x": chosen}, depth=5, networks=30, width=300, inputs=200, seed=0, device=CPU)
    for depth, rows in table["correlation"].groupby("depth"):
        assert rows["variance"].mean() == pytest.approx(2**depth, rel=5 * rows["variance"].sem() / 2**depth)
    first = table["correlation"].query("depth == 1")
    assert first["covariance"].mean() / first["variance"].mean() == pytest.approx(0.75, abs=0.05)


def test_theorem_2_correlation_needs_centered_units():
    """(3/4)^L: half the units active, independently at both inputs of a pair."""
    centered = setup(kind="residual", normalization="center")
    plain = setup(kind="residual", normalization="none")
    table = pairs.measure(
        {"centered": centered, "plain": plain}, depth=6, networks=30, width=300, inputs=300, seed=0,
        device=CPU,
    )["correlation"]  # fmt: skip
    mean = table.groupby(["setup", "depth"])[["variance", "covariance"]].mean()
    correlation = mean["covariance"] / mean["variance"]
    for depth in range(1, 7):
        assert correlation["centered", depth] == pytest.approx(0.75**depth, rel=0.05)
    assert correlation["plain", 6] > 1.15 * 0.75**6


def test_theorem_3_variance_of_residual_networks_with_batch_normalization():
    """Balduzzi et al. 2017, theorem 3: beta^2 L + 1; for small beta the first order is exact."""
    chosen = setup(kind="residual", normalization="batch", branch_scale=0.2)
    table = pairs.measure({"x": chosen}, depth=5, networks=30, width=300, inputs=200, seed=0, device=CPU)
    ratio = table["correlation"].groupby("depth")["variance"].mean()
    for depth in range(2, 6):  # relative to the first block: the stem's own scatter drops out
        assert ratio[depth] / ratio[1] == pytest.approx((0.04 * depth + 1) / 1.04, rel=0.02)


def test_theory_is_that_of_the_theorems():
    assert pairs.theory(setup(), 6) == (1, 1 / 64)
    assert np.isnan(pairs.theory(setup(normalization="none"), 6)).all(), "theorem 1 needs centered units"
    assert pairs.theory(setup(kind="residual", normalization="none"), 2) == (4, 9 / 16)
    batch = setup(kind="residual", normalization="batch", branch_scale=0.5)
    assert pairs.theory(batch, 1) == (1.25, pytest.approx(1.125 / 1.25))
    assert np.isnan(pairs.theory(setup(gain=1.0), 3)).all()


def test_theorem_3_is_an_exact_product_and_its_approximation_for_large_depth():
    one = setup(kind="residual", normalization="batch")
    assert [pairs.theory(one, depth)[0] for depth in (1, 10)] == [2, 11]
    assert pairs.theory(one, 1)[1] == 0.75
    # prod (1 + 1/(2k)) = Gamma(L + 3/2) / (Gamma(3/2) Gamma(L + 1))
    for depth in (1, 2, 10, 1000):
        product = math.exp(math.lgamma(depth + 1.5) - math.lgamma(1.5) - math.lgamma(depth + 1))
        assert pairs.theory(one, depth)[1] == pytest.approx(product / (depth + 1))
    assert pairs.theory(one, 10)[1] == pytest.approx(0.336, abs=5e-4)
    # theorem 3 says about 1 / (beta sqrt L); the constant it leaves out is 2 / sqrt(pi)
    assert pairs.theory(one, 10**4)[1] * 100 == pytest.approx(2 / math.pi**0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kind": "recurrent"}, ["setup.kind", "feedforward", "residual", "looks_linear"]),
        ({"normalization": "layer"}, ["setup.normalization", "none", "center"]),
        ({"first_weights": "he"}, ["setup.first_weights", "ones", "unit", "width"]),
        ({"normalized_from": 0}, ["setup.normalized_from", "1"]),
        ({"first_bias": -1.0}, ["setup.first_bias", "-1.0"]),
        ({"kind": "residual", "bias": True}, ["setup.bias", "setup.kind=feedforward"]),
    ],
)
def test_invalid_setups_are_refused(changes, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        setup(**changes)


def test_the_biased_estimator_is_numpys_correlate(generator):
    gradient = torch.randn(3, 50, generator=generator).cumsum(dim=1)
    r = gradient_autocorrelation(gradient, 10)
    for row, found in zip(gradient.double().numpy(), r.numpy(), strict=True):
        centred = row - row.mean()
        whole = np.correlate(centred, centred, mode="full")[49:]
        np.testing.assert_allclose(found, whole[:11] / whole[0], rtol=1e-9)


def test_the_unbiased_estimator_divides_by_the_pairs(generator):
    gradient = torch.randn(2, 40, generator=generator)
    biased, unbiased = (gradient_autocorrelation(gradient, 8, unbiased=u) for u in (False, True))
    torch.testing.assert_close(unbiased, biased * 40 / (40 - torch.arange(9)))


def test_about_zero_is_correlate_without_subtraction(generator):
    gradient = torch.randn(3, 50, generator=generator) + 1
    r = gradient_autocorrelation(gradient, 10, about_zero=True)
    for row, found in zip(gradient.double().numpy(), r.numpy(), strict=True):
        whole = np.correlate(row, row, mode="full")[49:]
        np.testing.assert_allclose(found, whole[:11] / whole[0], rtol=1e-9)


@pytest.mark.parametrize("lag", [0, 50])
def test_lags_out_of_range_are_refused(lag):
    with pytest.raises(ValueError, match=mentions("max_lag", "1..49")):
        gradient_autocorrelation(torch.zeros(1, 50), lag)


def test_white_noise_is_uncorrelated_and_brown_noise_is_its_sum():
    white = noise("white", networks=200, inputs=256, generator=torch.Generator().manual_seed(0))
    r = gradient_autocorrelation(white, 3).mean(0)
    assert r[1].item() == pytest.approx(0, abs=5 / (200 * 256) ** 0.5 + 1 / 256)
    brown = noise("brown", networks=3, inputs=256, generator=torch.Generator().manual_seed(0))
    same = noise("white", networks=3, inputs=256, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(brown.diff(dim=1), same[:, 1:], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match=mentions("white", "brown")):
        noise("pink", networks=1, inputs=2, generator=torch.Generator())


SIZES = {"depths": [1, 3], "networks": 4, "width": 10, "inputs": 32, "max_lag": 7, "unbiased": False}


def test_measure_returns_tidy_tables():
    tables = measure(
        {"a": setup(), "b": setup(kind="residual")}, **SIZES, panels=[["a", 3]], curves=[["b", 1]],
        covariance_every=4, seed=0, device=CPU,
    )  # fmt: skip
    autocorrelation, curves = tables["autocorrelation"], tables["curves"]
    columns = ["setup", "depth", "seed", "lag", "delta_x", "autocorrelation", "about_zero"]
    assert list(autocorrelation.columns) == list(curves.columns) == columns
    assert len(autocorrelation) == (2 * 2 + 2) * 4
    assert set(autocorrelation["lag"]) == {1}
    assert curves.groupby(["setup", "depth", "seed"])["lag"].apply(list).tolist() == 12 * [[1, 2, 3, 4, 6]]
    assert curves["delta_x"].max() == 6 * 4 / 32
    assert set(tables["gradients"]["setup"]) == {"a", "brown_noise", "white_noise"}
    assert tables["gradients"]["x"].min() == -2
    summary = tables["summary"].set_index(["setup", "depth", "seed"])
    x = -2 + 4 / 32 * torch.arange(32)
    found = line_gradients(setup(), x, [1, 3], networks=4, width=10, seed=0)[0][1]
    expected = found[2].std(correction=0)
    assert summary.loc[("a", 3, 2), "gradient_std"] == pytest.approx(expected.item(), rel=1e-5)
    assert summary.loc[("a", 3, 2), "quadratic_variation"] == pytest.approx(
        found[2].diff().square().sum().item(), rel=1e-5
    )
    assert summary["coactive_fraction"].between(0, 1).all()
    covariance = tables["covariance"].query("setup == 'a'").set_index("x").drop(columns=["setup", "depth"])
    assert covariance.notna().to_numpy().tolist() == np.tri(8, dtype=bool).tolist()
    expected = np.cov(found[:, 24].double(), found[:, 8].double())[0, 1]
    assert covariance.loc[1.0, "x2"] == pytest.approx(expected, rel=1e-5), "the third input is -1"


def test_a_trained_networks_gradient_along_a_line():
    """Of a quadratic the derivative along a line is itself a line, known in closed form."""

    class Quadratic(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x.square().sum(dim=(1, 2)), x.sum(dim=(1, 2))], dim=1)

    x = torch.randn(8, 1, 5, generator=torch.Generator().manual_seed(0))
    y = torch.zeros(8, dtype=torch.int64)
    table = trained(Fixed(Quadratic(), x, y), inputs=16, max_lag=4, unbiased=False, pairs=4)
    table = table["autocorrelation"].query("stage == 'trained'")
    assert set(table["line"]) == {0, 1, 2, 3}
    for number, found in table.groupby("line"):
        a, b = x[2 * number].double(), (x[2 * number + 1] - x[2 * number]).double()
        slopes = np.array([2 * ((a + s * b) * b).sum().item() for s in np.arange(16) / 16])
        slopes -= slopes.mean()
        expected = [(slopes[: 16 - lag] * slopes[lag:]).sum() / (slopes**2).sum() for lag in range(5)]
        assert found["autocorrelation"].to_numpy() == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert found["delta_s"].tolist() == [lag / 16 for lag in range(5)]


def test_the_notebooks_backward_pass_has_the_gradient_that_finite_differences_have():
    x = np.linspace(-2, 2, 7)
    found = speed.backward_one_network(5, 20, x, np.random.default_rng(0), 1.0)
    random = np.random.default_rng(0)
    scale = (1 / 20) ** 0.5
    sizes = [1, 20, 20, 20, 20, 20, 1]
    weights = [random.normal(size=(b, a)) * scale for a, b in pairwise(sizes)]
    biases = [random.normal(size=(b, 1)) * scale for b in sizes[1:]]

    def output(points):
        h = points[None]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            h = (weight @ h + bias).clip(0)
        return (weights[-1] @ h + biases[-1])[0]

    step = 1e-6
    expected = (output(x + step) - output(x - step)) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_the_speed_table_has_both_methods_and_their_ratio():
    table = speed.measure(
        setup(),
        depth=2,
        width=8,
        inputs=16,
        networks=[20, 40],
        one_by_one=2,
        repetitions=2,
        seed=0,
        device=CPU,
    )["speed"]
    assert table.groupby("way").size().to_dict() == {"at_once": 3, "one_by_one": 2}
    usual = table.query("way == 'one_by_one'")
    assert usual["ratio_to_one_by_one"].tolist() == [1, 1]
    assert (table["peak_memory_mib"] > 10).all()


def test_the_output_weights_are_independent_of_the_hidden_ones():
    """Then the mean of dy/dx over networks is 0 at every input."""
    x = torch.linspace(-2, 2, 4)
    found, _ = line_gradients(setup(normalization="none"), x, [1], networks=4000, width=4, seed=0)
    mean = found[0].mean(dim=0)
    assert (mean.abs() < 5 * found[0].std(dim=0) / 4000**0.5).all()


def test_the_output_layer_keeps_the_size_of_the_gradient():
    """Gain 2 undoes what a ReLU halves: E (dy/dx)^2 = 1 (Balduzzi et al. 2017, theorem 1)."""
    x = torch.linspace(-2, 2, 64)
    found, _ = line_gradients(setup(), x, [1], networks=200, width=200, seed=0)
    per_network = found[0].square().mean(dim=1)
    assert abs(per_network.mean().item() - 1) < 5 * per_network.std().item() / 200**0.5


@pytest.mark.parametrize("depth", [1, 3])
def test_through_the_means_a_shift_of_all_inputs_changes_nothing(depth):
    """Centering takes it out, so the gradients of the sum over the inputs add up to 0."""
    x = torch.linspace(-2, 2, 32, dtype=torch.float64)
    chosen = setup(through_statistics=True)
    found, _ = line_gradients(chosen, x, [depth], networks=3, width=20, seed=0)
    assert found.abs().max() > 0.01
    assert found.sum(dim=2).abs().max() < 1e-9


def test_set_batch_statistics_uses_the_statistics_of_the_batch(generator):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    x = torch.randn(32, 4, generator=generator) + 5
    set_batch_statistics(model, x)
    right = model[0](x)
    torch.testing.assert_close(model[1].running_mean, right.mean(dim=0))
    torch.testing.assert_close(model[1].running_var, right.var(dim=0))
    assert not model.training


def test_the_covariance_is_that_of_all_pairs_of_different_inputs():
    inputs, width, seed = 3, 5, 7
    chosen = setup(normalization="none")
    table = pairs.measure(
        {"a": chosen}, depth=2, networks=1, width=width, inputs=inputs, seed=seed, device=CPU
    )["correlation"]
    generator = torch.Generator().manual_seed(seed * 10**11)
    x = torch.randn(pairs.CHUNK, inputs, width, generator=generator)
    direction = torch.zeros(width)
    direction[0] = width**0.5
    for layer, (_, da, _) in enumerate(
        forward(chosen, x, direction, width=width, layers=2, generator=generator)
    ):
        t = da[0].double()
        products = [(t[i] @ t[j]).item() for i in range(inputs) for j in range(inputs) if i != j]
        expected = chosen.output_gain / width * sum(products) / len(products)
        assert table["covariance"][layer] == pytest.approx(expected, rel=1e-5)
