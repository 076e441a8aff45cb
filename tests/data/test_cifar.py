"""Each form of CIFAR on small stand-ins; the real images are in test_real_cifar10.py."""

import hashlib
import pickle
import re
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from helpers import mentions
from PIL import Image

from resexp.data import cache, cifar, npz
from resexp.data.checksums import contents_checksum
from resexp.data.dataset import check_classes, existing


@pytest.fixture
def arrays(monkeypatch):
    """Two images per class and training batch, one per class for the test; the counts follow."""
    monkeypatch.setattr(cifar, "TRAIN", 100)
    monkeypatch.setattr(cifar, "TEST", 10)
    random = np.random.default_rng(0)
    made = {
        "x_train": random.integers(0, 256, (100, 3, 32, 32), dtype=np.uint8),
        "y_train": np.tile(np.arange(10), 10),
        "x_test": random.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8),
        "y_test": np.arange(10),
    }
    official = [
        contents_checksum(torch.from_numpy(made[f"x_{split}"]), torch.from_numpy(made[f"y_{split}"]))
        for split in ("train", "test")
    ]
    monkeypatch.setitem(cifar.CONTENTS, 10, tuple(official))
    return made


def load(root, **changes):
    return cifar.load(str(root), **{"num_classes": 10, "download": False} | changes)


def assert_holds(dataset, arrays):
    assert np.array_equal(dataset.inputs.numpy(), arrays["x_train"])
    assert np.array_equal(dataset.targets.numpy(), arrays["y_train"])
    assert np.array_equal(dataset.test_inputs.numpy(), arrays["x_test"])
    assert np.array_equal(dataset.test_targets.numpy(), arrays["y_test"])


def test_where_no_copy_can_be_kept_the_data_is_read_all_the_same(tmp_path, arrays, monkeypatch, capsys):
    np.savez(tmp_path / "cifar10.npz", **arrays)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "savez", full)
    assert_holds(load(tmp_path), arrays)
    assert re.search(mentions("cifar10", "[Errno 28]"), capsys.readouterr().err.strip())
    assert not list((tmp_path / ".resexp").glob("*.npz"))


@pytest.fixture
def batches(tmp_path, arrays, monkeypatch):
    """The unpacked archive's folder, with the md5 sums of these batches."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    sums = {}
    for i in range(5):
        part = slice(20 * i, 20 * (i + 1))
        content = {
            "data": arrays["x_train"][part].reshape(20, -1),
            "labels": arrays["y_train"][part].tolist(),
        }
        sums[f"data_batch_{i + 1}"] = content
    sums["test_batch"] = {"data": arrays["x_test"].reshape(10, -1), "labels": arrays["y_test"].tolist()}
    for name, content in sums.items():
        raw = pickle.dumps(content)
        (folder / name).write_bytes(raw)
        sums[name] = hashlib.md5(raw).hexdigest()
    monkeypatch.setitem(cifar.BATCHES, 10, sums)
    return folder


def test_extracted_batches_are_read(batches, arrays):
    assert_holds(load(batches.parent), arrays)
    assert_holds(load(batches), arrays)


def test_a_truncated_batch_is_refused(batches):
    path = batches / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=mentions("data_batch_3", "md5")):
        load(batches)


def test_a_missing_batch_is_refused(batches):
    (batches / "data_batch_2").unlink()
    with pytest.raises(ValueError, match=mentions("data_batch_2")):
        load(batches)


@pytest.fixture
def archive(batches, monkeypatch):
    path = batches.parent / "archive" / "cifar-10-python.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(batches, batches.name)
    monkeypatch.setitem(cifar.ARCHIVES, 10, (path.name, hashlib.md5(path.read_bytes()).hexdigest()))
    return path


def test_the_archive_is_read(archive, arrays):
    assert_holds(load(archive.parent), arrays)


def test_a_damaged_archive_is_refused(archive):
    archive.write_bytes(archive.read_bytes()[:100])
    with pytest.raises(ValueError, match=mentions("cifar-10-python.tar.gz", "md5", "delete")):
        load(archive.parent)


@pytest.fixture
def class_folders(tmp_path, arrays):
    """train/<class>/ and test/<class>/, and the arrays in the order of the folders."""
    order = {}
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        for i, (image, label) in enumerate(zip(x, y, strict=True)):
            folder = tmp_path / split / "abcdefghij"[label]
            folder.mkdir(parents=True, exist_ok=True)
            suffix = ("png", "webp")[i % 2]
            Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{i:03d}.{suffix}", lossless=True)
        by_class = np.argsort(y, kind="stable")
        order |= {f"x_{split}": x[by_class], f"y_{split}": y[by_class]}
    return tmp_path, order


def test_class_folders_are_read(class_folders):
    folder, arrays = class_folders
    assert_holds(load(folder), arrays)


def test_a_damaged_image_is_refused(class_folders):
    path = class_folders[0] / "train" / "c" / "002.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=mentions("002.png")):
        load(class_folders[0])


def test_an_image_of_another_size_is_refused(class_folders):
    path = class_folders[0] / "train" / "c" / "002.png"
    Image.new("RGB", (28, 30)).save(path)
    with pytest.raises(ValueError, match=mentions("002.png", "28x30", "32x32")):
        load(class_folders[0])


def test_a_missing_image_is_refused(class_folders):
    (class_folders[0] / "train" / "c" / "002.png").unlink()
    with pytest.raises(ValueError, match=mentions("train", "CIFAR-10", "99", "100")):
        load(class_folders[0])


def test_other_classes_are_refused(class_folders):
    (class_folders[0] / "test" / "c").rename(class_folders[0] / "test" / "zebra")
    with pytest.raises(ValueError, match=mentions("train", "test", "c, zebra")):
        load(class_folders[0])
    (class_folders[0] / "train" / "extra").mkdir()
    with pytest.raises(ValueError, match=mentions("train", "11", "10")):
        load(class_folders[0])


@pytest.mark.parametrize("content", [np.array([print], dtype=object), "no archive"])
def test_nobody_is_advised_to_load_objects(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_text(content) if isinstance(content, str) else np.savez(path, x=content)
    with pytest.raises(ValueError, match=mentions(str(path), "npz")) as refused:
        npz.read(path, ["x"])
    assert "allow_pickle" not in str(refused.value)


@pytest.mark.parametrize("channels_last", [True, False])
def test_npz_files_are_read(tmp_path, arrays, channels_last):
    stored = dict(arrays)
    if channels_last:
        stored |= {k: arrays[k].transpose(0, 2, 3, 1) for k in ("x_train", "x_test")}
    np.savez(tmp_path / "cifar10.npz", **stored)
    assert_holds(load(tmp_path), arrays)
    assert_holds(load(tmp_path / "cifar10.npz"), arrays)


def test_npz_files_with_other_arrays_are_refused(tmp_path, arrays):
    path = tmp_path / "cifar10.npz"
    np.savez(path, **arrays | {"x_test": arrays["x_test"].astype(np.float32)})
    with pytest.raises(ValueError, match=mentions("uint8", "float32")):
        load(path)
    np.savez(path, images=arrays["x_test"])
    with pytest.raises(ValueError, match=mentions("x_train", "y_train", "x_test", "y_test")):
        load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=mentions("cifar10.npz", "x_train")):
        load(path)


def test_a_mixed_class_balance_is_refused(tmp_path, arrays):
    labels = arrays["y_train"].copy()
    labels[0] = 5
    np.savez(tmp_path / "cifar10.npz", **arrays | {"y_train": labels})
    with pytest.raises(ValueError, match=mentions("class 0", "9", "10")):
        load(tmp_path)


def test_offline_with_no_data_says_the_three_ways_out(tmp_path):
    for download in (False, True):
        with pytest.raises(
            ValueError, match=mentions("CIFAR-10", "dataset.root", "dataset.download=true", "dataset=mnist1d")
        ):
            load(tmp_path, download=download)


def test_a_root_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ValueError, match=mentions(f"dataset.root={tmp_path / 'mistyped'}")):
        load(tmp_path / "mistyped", download=True)
    assert not (tmp_path / "mistyped").exists()
    assert existing("data").name == "data"


def test_other_class_counts_are_refused(tmp_path):
    with pytest.raises(ValueError, match=mentions("10", "100", "dataset.num_classes=7")):
        load(tmp_path, num_classes=7)


def test_check_classes_refuses_labels_out_of_range():
    with pytest.raises(ValueError, match=mentions("class 0", "1", "2")):
        check_classes("x", torch.tensor([0, 1, 2, 2]), [2, 2])


def test_decoded_once_and_again_when_the_source_changes(tmp_path, arrays, monkeypatch):
    np.savez(tmp_path / "cifar10.npz", **arrays)
    load(tmp_path)
    with monkeypatch.context() as unread:
        unread.setattr(cifar, "read_npz", lambda path: pytest.fail("read again"))
        assert_holds(load(tmp_path), arrays)
    changed = {key: array[::-1] for key, array in arrays.items()}  # the same images in another order
    np.savez(tmp_path / "cifar10.npz", **changed)
    assert_holds(load(tmp_path), changed)


def test_a_damaged_copy_is_recreated(tmp_path, arrays):
    np.savez(tmp_path / "cifar10.npz", **arrays)
    load(tmp_path)
    (copy,) = (tmp_path / ".resexp").glob("*.npz")
    raw = bytearray(copy.read_bytes())
    raw[len(raw) // 2] ^= 1  # one bit, in the middle of the images
    copy.write_bytes(raw)
    assert_holds(load(tmp_path), arrays)
    copy.write_bytes(raw[:1000])
    assert_holds(load(tmp_path), arrays)


def test_two_that_start_together_decode_once(tmp_path, arrays, monkeypatch):
    np.savez(tmp_path / "cifar10.npz", **arrays)
    read, calls = cifar.read_npz, []
    monkeypatch.setattr(cifar, "read_npz", lambda path: (calls.append(path), read(path))[1])
    with ThreadPoolExecutor(4) as pool:
        for dataset in pool.map(load, [tmp_path] * 4):
            assert_holds(dataset, arrays)
    assert len(calls) == 1
    assert not list((tmp_path / ".resexp").glob("*.part"))


def test_a_folder_that_cannot_be_written_is_cached_elsewhere(tmp_path, arrays, monkeypatch):
    source, user = tmp_path / "source", tmp_path / "user"
    source.mkdir()
    np.savez(source / "cifar10.npz", **arrays)
    monkeypatch.setattr("resexp.data.cache.os.access", lambda path, mode: False)  # root may write all
    monkeypatch.setenv("XDG_CACHE_HOME", str(user))
    assert_holds(load(source), arrays)
    assert not (source / ".resexp").exists()
    assert list(user.rglob("cifar10-*.npz"))


def test_cifar100_is_read_with_its_fine_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "TRAIN", 200)
    monkeypatch.setattr(cifar, "TEST", 100)
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    sums = {}
    for name, count in (("train", 200), ("test", 100)):
        labels = {"fine_labels": (np.arange(count) % 100).tolist(), "coarse_labels": [0] * count}
        raw = pickle.dumps({"data": np.zeros((count, 3072), np.uint8), **labels})
        (folder / name).write_bytes(raw)
        sums[name] = hashlib.md5(raw).hexdigest()
    monkeypatch.setitem(cifar.BATCHES, 100, sums)
    dataset = load(tmp_path, num_classes=100)
    assert dataset.targets.max() == 99
    assert dataset.inputs.shape == (200, 3, 32, 32)


def test_images_without_labels_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "cifar10.npz", **arrays | {"x_train": arrays["x_train"][:80]})
    with pytest.raises(ValueError, match=mentions("train", "CIFAR-10", "80", "100")):
        load(tmp_path)


def test_negative_labels_are_refused():
    with pytest.raises(ValueError, match=mentions("label", "-1", "0")):
        check_classes("x", torch.tensor([-1, 0]), [1, 1])


def test_altered_pixels_are_refused_whatever_the_form(tmp_path, arrays):
    arrays["x_train"][17, 0, 3, 3] ^= 1
    np.savez(tmp_path / "cifar10.npz", **arrays)
    with pytest.raises(ValueError, match=mentions("CIFAR-10", "official", "dataset=imagefolder")):
        load(tmp_path)


def test_another_order_of_the_same_images_is_accepted(tmp_path, arrays):
    order = np.random.default_rng(1).permutation(100)
    arrays |= {"x_train": arrays["x_train"][order], "y_train": arrays["y_train"][order]}
    np.savez(tmp_path / "cifar10.npz", **arrays)
    assert_holds(load(tmp_path), arrays)


def test_what_cannot_be_verified_has_a_fingerprint(tmp_path, arrays):
    """CIFAR-100 in other forms than the archive's: no checksum of its images is published."""
    assert cifar.fingerprint(str(tmp_path), num_classes=100) is None, "nothing there"
    found = []
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        if name == "c":
            arrays["x_test"][0, 0, 0, 0] ^= 1
        np.savez(tmp_path / name / "cifar100.npz", **arrays)
        found.append(cifar.fingerprint(str(tmp_path / name), num_classes=100))
    assert found[0] == found[1] != found[2]
    (tmp_path / "a" / "cifar100.npz").rename(tmp_path / "a" / "cifar10.npz")
    assert cifar.fingerprint(str(tmp_path / "a"), num_classes=10) is None, "verified as it is read"
