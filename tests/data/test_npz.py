"""Files of arrays that others have made."""

import numpy as np
import pytest
from helpers import mentions

from resexp.data import npz


class Touches:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_nothing_is_unpickled(tmp_path):
    trace = tmp_path / "trace"
    np.savez(tmp_path / "a.npz", image=np.array([Touches(trace)], dtype=object))
    with pytest.raises(ValueError, match=mentions("a.npz", "image")):
        npz.read(tmp_path / "a.npz", ["image"])
    assert not trace.exists()
    np.load(tmp_path / "a.npz", allow_pickle=True)["image"]
    assert trace.exists(), "it would have been"
