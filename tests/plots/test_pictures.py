"""Pictures from tables."""

import numpy as np
import pandas as pd

from resexp.plots.pictures import coloured, pixels


def test_rows_of_pixels_are_put_in_order():
    rows = pd.DataFrame({"kind": ["a", "a", "b"], "row": [1, 0, 0], "values": ["3 4", "1 2", 9]})
    assert pixels(rows, "a").tolist() == [[1, 2], [3, 4]]
    assert pixels(rows, "b").tolist() == [[9]]


def test_neighbouring_numbers_have_distant_colours_and_nothing_is_black():
    image = coloured(np.arange(40).reshape(1, 40))[0]
    assert (image[0] == 0).all()
    assert np.abs(np.diff(image[1:], axis=0)).max(1).min() > 0.2
