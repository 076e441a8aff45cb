import gzip
import hashlib

import numpy as np
import pytest
from helpers import mentions

from resexp.data import mnist


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Idx files of three images per class (one for the test), one of them packed."""
    monkeypatch.setitem(mnist.COUNTS, "MNIST", ([3] * 10, [1] * 10))
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for split, each in (("train", 3), ("t10k", 1)):
        count = 10 * each
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        sizes = np.array([count, 28, 28], ">u4").tobytes()
        (folder / f"{split}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + sizes + images.tobytes())
        raw = bytes([0, 0, 8, 1]) + sizes[:4] + (np.arange(count) % 10).astype(np.uint8).tobytes()
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(raw))
    sums = {
        name: hashlib.md5(mnist._decompress(folder, name)).hexdigest() for name in mnist.UNPACKED["MNIST"]
    }
    monkeypatch.setitem(mnist.UNPACKED, "MNIST", sums)
    return folder


def load(root, **changes):
    return mnist.load(str(root), **{"variant": "MNIST", "download": False} | changes)


def test_idx_files_as_torchvision_reads_them(files):
    from torchvision.datasets.mnist import read_image_file

    for root in (files, files.parents[0], files.parents[1]):
        data = load(root)
        assert data.inputs.shape == (30, 1, 28, 28)
        assert data.targets.tolist() == [*range(10)] * 3
    theirs = read_image_file(str(files / "train-images-idx3-ubyte"))
    assert (data.inputs[:, 0] == theirs).all()


def test_a_truncated_file_is_refused(files):
    path = files / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=mentions("train-images-idx3-ubyte", "truncated")):
        load(files)


def test_a_missing_or_damaged_file_is_refused(files):
    path = files / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=r"\A.*t10k-labels-idx1-ubyte: .*\Z"):
        load(files)
    whole = gzip.compress(bytes(range(256)) * 8)
    path.write_bytes(whole[:12] + bytes([whole[12] ^ 0xFF]) + whole[13:])  # zlib's own kind of error
    with pytest.raises(ValueError, match=r"\A.*t10k-labels-idx1-ubyte: .*\Z"):
        load(files)
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0])))
    with pytest.raises(ValueError, match=mentions("t10k-labels-idx1-ubyte", "truncated")):
        load(files)
    path.unlink()
    with pytest.raises(ValueError, match=r"\A.*t10k-labels-idx1-ubyte: .*\Z"):
        load(files)


def test_another_dataset_is_refused(files, monkeypatch):
    monkeypatch.setitem(mnist.COUNTS, "MNIST", ([4, 2, *[3] * 8], [1] * 10))
    with pytest.raises(ValueError, match=mentions("class 0", "3", "4")):
        load(files)


def test_offline_with_no_data_says_the_ways_out(tmp_path):
    for download in (False, True):
        with pytest.raises(
            ValueError, match=mentions("MNIST", "dataset.root", "dataset.download=true", "dataset=mnist1d")
        ):
            load(tmp_path, download=download)


def test_unknown_variant_is_refused(tmp_path):
    with pytest.raises(ValueError, match=mentions("dataset.load.variant", "MNIST, FashionMNIST", "KMNIST")):
        load(tmp_path, variant="KMNIST")


def test_altered_pixels_and_other_datasets_are_refused(files):
    path = files / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    with pytest.raises(ValueError, match=mentions("official MNIST", "md5")):
        load(files)


def test_fashion_mnist_that_is_not_packed_as_published_has_a_fingerprint(files, monkeypatch):
    """The files of KMNIST have the same names and counts."""
    found = mnist.fingerprint(str(files), variant="FashionMNIST")
    path = files / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    assert len(found) == 32
    assert mnist.fingerprint(str(files), variant="FashionMNIST") != found
    assert mnist.fingerprint(str(files), variant="MNIST") is None, "verified as it is read"
    for name in mnist.PACKED["FashionMNIST"]:
        raw = gzip.compress(mnist._decompress(files, name))
        (files / f"{name}.gz").write_bytes(raw)
        monkeypatch.setitem(mnist.PACKED["FashionMNIST"], name, hashlib.md5(raw).hexdigest())
    assert mnist.fingerprint(str(files), variant="FashionMNIST") is None, "the published files"
