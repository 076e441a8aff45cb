import gzip

import numpy as np
import pytest

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
    with pytest.raises(ValueError, match="train-images-idx3-ubyte is truncated"):
        load(files)


def test_a_missing_or_damaged_file_is_refused(files):
    path = files / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=r"cannot read .*t10k-labels"):
        load(files)
    whole = gzip.compress(bytes(range(256)) * 8)
    path.write_bytes(whole[:12] + bytes([whole[12] ^ 0xFF]) + whole[13:])  # zlib's own kind of error
    with pytest.raises(ValueError, match=r"cannot read .*t10k-labels"):
        load(files)
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0])))
    with pytest.raises(ValueError, match=r"t10k-labels.* is truncated"):
        load(files)
    path.unlink()
    with pytest.raises(ValueError, match=r"cannot read .*t10k-labels"):
        load(files)


def test_another_dataset_is_refused(files, monkeypatch):
    monkeypatch.setitem(mnist.COUNTS, "MNIST", ([4, 2, *[3] * 8], [1] * 10))
    with pytest.raises(ValueError, match=r"class 0 has 3 examples instead of 4"):
        load(files)


def test_offline_with_no_data_says_the_ways_out(tmp_path):
    for download in (False, True):
        with pytest.raises(ValueError, match=r"no MNIST in .*dataset.root.*dataset.download=true.*mnist1d"):
            load(tmp_path, download=download)


def test_unknown_variant_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be one of MNIST, FashionMNIST, got KMNIST"):
        load(tmp_path, variant="KMNIST")
