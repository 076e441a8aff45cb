"""Images that travel within the page."""

import base64
import io

import PIL.Image
import pytest
from helpers import ROOT

from resexp.report.figures import figures_in, images


@pytest.fixture(scope="module")
def figures():
    found, unknown = figures_in(ROOT / "results/figures")
    assert not unknown, "draw them again: make figures ALL=1"
    return found


def opened(image):
    """The pixels that a browser gets."""
    kind, _, text = image.source.partition(",")
    assert kind == "data:image/webp;base64"
    return PIL.Image.open(io.BytesIO(base64.b64decode(text)))


@pytest.fixture
def two(figures):
    return [figure for figure in figures if figure.name in ("activations", "relatives")]


def test_an_image_keeps_its_pixels_where_there_is_room(two):
    for figure in two:
        image = images([figure], 10**9)[figure.name]
        with PIL.Image.open(figure.image) as original:
            assert opened(image).size == original.size == (image.width, image.height)
            difference = [
                abs(a - b)
                for a, b in zip(
                    original.convert("L").resize((64, 64)).tobytes(),
                    opened(image).convert("L").resize((64, 64)).tobytes(),
                    strict=True,
                )
            ]
        assert sum(difference) / len(difference) < 2, "of 255"


def test_where_there_is_not_all_get_smaller_and_are_shown_as_large(two):
    large, small = images(two, 10**9), images(two, 1)
    for name, image in small.items():
        assert len(image.source) < 0.7 * len(large[name].source)
        assert (image.width, image.height) == (large[name].width, large[name].height)
    total = sum(len(image.source) for image in large.values())
    assert images(two, total) == large
    assert sum(len(image.source) for image in images(two, total - 1).values()) < total


def test_departures_are_found_where_they_stand(figures):
    (paths,) = (figure for figure in figures if figure.name == "paths")
    assert len(paths.departures) == 2
    (sweep,) = (figure for figure in figures if figure.name == "depth_curves")
    assert sweep.departures[0].startswith("mnist1d: "), "of a panel"
