import pytest

from resexp.experiments.listing import options


def test_options_are_listed_with_a_line_each():
    assert options("models")["resnet20"] == "Residual network of 20 weight layers."
    with pytest.raises(ValueError, match="no list of 'colours'; there are activation"):
        options("colours")
