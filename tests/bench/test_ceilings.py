import pytest
import torch
from torch import nn

from resexp.bench.ceilings import copy_bandwidth, matrix_rate, numbers_moved, operations

CPU = torch.device("cpu")


def test_operations_are_two_per_weight_and_position_three_times_over():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    x = torch.zeros(2, 3, 6, 5)
    first, second = 2 * 2 * 8 * 3 * 9 * 30, 2 * 2 * 4 * 8 * 30
    # backward: one product for the weights, one for the input, which the first layer does not need
    assert operations(model, x) == 2 * first + 3 * second
    assert all(p.grad is None for p in model.parameters())


def test_numbers_moved_are_those_of_inputs_and_outputs_three_times():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(8 * 9, 5))
    x = torch.zeros(2, 3, 6, 6)
    numbers = 3 * (2 * 3 * 36 + 2 * 8 * 9) + 3 * (2 * 72 + 2 * 5)
    assert numbers_moved(model, x) == numbers


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_rates_are_of_this_worlds_size(precision):
    assert 1e8 < matrix_rate(CPU, precision, size=256, repetitions=3) < 1e16
    assert 1e8 < copy_bandwidth(CPU, mebibytes=16, repetitions=3) < 1e14
    assert torch.get_float32_matmul_precision() == "highest"
