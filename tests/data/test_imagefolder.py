import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import ROOT, mentions
from PIL import Image
from torchvision.datasets import ImageFolder

from resexp.bench import run as bench
from resexp.config.compose import ConfigError, compose, resolve
from resexp.data import class_folders, imagefolder, streaming
from resexp.data.imagefolder import load
from resexp.data.images import read_rgb
from resexp.data.preprocess import by_channel
from resexp.data.streaming import MEAN, STD, StreamedBatches
from resexp.experiments import build
from resexp.experiments.checks import check
from resexp.files import is_held

CPU = torch.device("cpu")


@pytest.fixture
def root(tmp_path):
    random = np.random.default_rng(0)
    for split, count in (("train", 5), ("val", 2)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 100, (40 + number, 50, 3), dtype=np.uint8) + 150 * label
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / name / f"{number}.png")
    return tmp_path


def images(root, **changes):
    return load(str(root), **{"num_classes": 2, "size": 16, "resize": 20, "workers": 0} | changes)


def batches(root, **changes):
    return StreamedBatches(images(root), **{"batch_size": 4, "seed": 3} | changes)


def taken(row, count):
    found = []
    for _ in range(count):
        row.advance()
        found.append([tensor.clone() for tensor in row.batch()])
    return found


def test_every_image_once_per_epoch(root):
    found = taken(batches(root), 5)  # two epochs of ten
    assert found[0][0].shape == (4, 3, 16, 16)
    for epoch in torch.cat([y for _, y in found]).split(10):
        assert sorted(epoch.tolist()) == [0] * 5 + [1] * 5
    bright = torch.cat([x.mean((1, 2, 3)) for x, _ in found]) > 0
    assert torch.equal(bright, torch.cat([y for _, y in found]) == 1), "labels stay with their images"


def test_shards_of_a_batch_are_the_parts_of_the_whole(root):
    """Augmentation included, also after a saved state of another number of shards."""
    whole = taken(batches(root), 4)
    parts = [StreamedBatches(images(root).sharded(rank, 2), batch_size=4, seed=3) for rank in range(2)]
    found = [taken(part, 2) for part in parts]
    for part in parts:
        part.load_state_dict(parts[0].state_dict())
    found = [first + taken(part, 2) for first, part in zip(found, parts, strict=True)]
    for (x, y), (a, b), (c, d) in zip(whole, *found, strict=True):
        assert len(b) == len(d) == 2
        assert torch.equal(x, torch.cat([a, c]))
        assert torch.equal(y, torch.cat([b, d]))


def test_shards_of_a_split_are_its_batches_dealt_out(root):
    whole = list(images(root).split("train", 4))
    assert [len(y) for _, y in whole] == [4, 4, 2]
    for shards in (2, 5):
        dealt = [list(images(root).sharded(rank, shards).split("train", 4)) for rank in range(shards)]
        for rank, found in enumerate(dealt):
            assert len(found) == len(whole[rank::shards])
            for (x, y), (a, b) in zip(whole[rank::shards], found, strict=True):
                assert torch.equal(x, a)
                assert torch.equal(y, b)


def test_the_same_batches_follow_a_saved_state(root):
    row = batches(root)
    taken(row, 2)
    state = row.state_dict()
    expected = taken(row, 4)
    other = batches(root)
    other.load_state_dict(state)
    for (x, y), (a, b) in zip(expected, taken(other, 4), strict=True):
        assert torch.equal(x, a)
        assert torch.equal(y, b)


def test_other_images_are_not_resumed_on(root):
    state = batches(root).state_dict()
    (root / "train" / "cat" / "0.png").rename(root / "train" / "dog" / "9.png")
    with pytest.raises(ValueError, match=mentions("dataset.root", "data")):
        batches(root).load_state_dict(state)


def test_the_fingerprint_is_of_contents_and_places_and_not_of_where_or_when(root, tmp_path_factory):
    before, file = imagefolder.fingerprint(str(root)), root / "train" / "cat" / "0.png"
    copy = tmp_path_factory.mktemp("copy") / "images"
    shutil.copytree(root, copy)
    os.utime(copy / "train" / "cat" / "0.png", (0, 0))
    assert imagefolder.fingerprint(str(copy)) == before == images(root).fingerprint
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    assert imagefolder.fingerprint(str(root)) != before, "one bit, in a file of the same size"
    (copy / "train" / "cat" / "0.png").rename(copy / "train" / "dog" / "new.png")
    assert imagefolder.fingerprint(str(copy)) != before, "another label"


def test_contents_are_read_once(root, monkeypatch):
    before, read = imagefolder.fingerprint(str(root)), []
    monkeypatch.setattr(class_folders, "_digest", read.append)
    assert imagefolder.fingerprint(str(root)) == before
    assert not read


def test_workers_change_nothing(root):
    alone = taken(batches(root), 3)
    two = StreamedBatches(images(root, workers=2), batch_size=4, seed=3)
    for (x, y), (a, b) in zip(alone, taken(two, 3), strict=True):
        assert torch.equal(x, a)
        assert torch.equal(y, b)


def test_readers_beside_a_gpu_are_not_forked_from_its_threads():
    assert "multiprocessing_context" not in streaming._readers(2, CPU)
    assert "multiprocessing_context" not in streaming._readers(0, torch.device("cuda"))
    readers = streaming._readers(1, torch.device("cuda"))
    assert readers["multiprocessing_context"].get_start_method() == "forkserver"


@pytest.mark.slow
def test_readers_of_a_server_read_the_same(root, monkeypatch):
    readers = streaming._readers(1, torch.device("cuda"))
    monkeypatch.setattr(streaming, "_readers", lambda count, device: readers if count else {})
    one = StreamedBatches(images(root, workers=1), batch_size=4, seed=3)
    for (x, y), (u, v) in zip(taken(one, 4), taken(batches(root), 4), strict=True):
        assert torch.equal(x, u)
        assert torch.equal(y, v)
    split = [images(root, workers=workers).split("test", 3) for workers in (1, 0)]
    for (x, y), (u, v) in zip(*split, strict=True):
        assert torch.equal(x, u)
        assert torch.equal(y, v)


def test_test_images_are_scaled_and_cut_out_of_the_middle(root):
    found = list(images(root).split("test", 3))
    assert [len(y) for _, y in found] == [3, 1]
    assert torch.cat([y for _, y in found]).tolist() == [0, 0, 1, 1]
    with Image.open(root / "val/cat/0.png") as image:  # 50x40: scaled to 25x20
        small = np.asarray(image.resize((25, 20), Image.Resampling.BILINEAR), dtype=np.float32) / 255
    expected = (small[2:18, 4:20] - np.array(MEAN)) / np.array(STD)
    assert np.abs(found[0][0][0].permute(1, 2, 0).numpy() - expected).max() < 0.02


def test_training_on_folders(root):
    overrides = ["model=imagenet_resnet18", "model.width=4", "dataset=imagefolder", f"dataset.root={root}"]
    sizes = ["dataset.num_classes=2", "dataset.load.size=32", "dataset.load.workers=0", "batch_size=5"]
    config = resolve(compose("train", [*overrides, *sizes]))
    check(config)
    trainer = build.trainer(config, CPU)
    trainer.train_step()
    assert trainer.read_interval()["train_loss"] > 0
    assert 0 <= trainer.evaluate_splits()["test_error_percent"] <= 100
    with pytest.raises(ConfigError, match=mentions("dataset=imagefolder", "dataset.val_size")):
        check(resolve(compose("train", [*overrides, *sizes, "dataset.val_size=2"])))


def test_what_is_not_laid_out_so_is_refused(root, tmp_path):
    with pytest.raises(ValueError, match=mentions("2 classes", "dataset.num_classes=2")):
        images(root, num_classes=3)
    (root / "val/cow").mkdir()
    with pytest.raises(ValueError, match=mentions("train", "val", "cow")):
        images(root)
    (root / "train/cow").mkdir()
    with pytest.raises(ValueError, match=mentions("cow", "images")):
        images(root, num_classes=3)
    (root / "train/dog/0.png").write_bytes(b"no image")
    (root / "train/cow").rmdir()
    (root / "val/cow").rmdir()
    with pytest.raises(ValueError, match=mentions("dog/0.png")):
        images(root)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match=mentions("train", "missing")):
        images(empty)
    with pytest.raises(
        ValueError, match=mentions("train/<class>/*", "val/<class>/*", "missing")
    ):  # and is never fetched
        images(tmp_path / "nowhere")


def test_bench_refuses_what_is_not_in_memory(root):
    data = f"dataset=imagefolder dataset.root={root} dataset.num_classes=2 batch_size=2"
    with pytest.raises(ConfigError, match=mentions("cases", "memory")):
        bench.main([f'cases=["model=imagenet_resnet18 {data}"]', "device=cpu", "precisions=[float32]"])


def test_only_imagenets_statistics_normalize_it(root):
    found, numbers = images(root), {"mean": list(MEAN), "std": list(STD)}
    assert found.normalized(partial(by_channel, **numbers)) is found
    with pytest.raises(ValueError, match=mentions("dataset=imagefolder", "normalization=...")):
        found.normalized(partial(by_channel, **numbers | {"std": [0.2] * 3}))


def test_what_torchvision_reads_is_read_and_what_programs_left_is_not(root):
    for suffix in ("BMP", "tif", "TIFF", "ppm", "pgm", "WebP", "JPEG"):
        (root / "train/cat/more").mkdir(exist_ok=True)
        picture = Image.new("L" if suffix == "pgm" else "RGB", (20, 20))
        picture.save(root / "train/cat/more" / f"x.{suffix}")
    theirs = [Path(path).relative_to(root) for path, _ in ImageFolder(root / "train").samples]
    for junk in ("train/cat/._0.png", "train/cat/notes.txt", "train/cat/.DS_Store"):
        (root / junk).write_bytes(b"junk")
    shutil.copy(root / "train/cat/0.png", root / "train/0.png")  # in no class
    for junk in ("train/.ipynb_checkpoints", "val/__MACOSX", "train/cat/.ipynb_checkpoints"):
        (root / junk).mkdir()
        Image.new("RGB", (20, 20)).save(root / junk / "0-checkpoint.png")
    found = images(root)
    assert sorted(file.relative_to(root) for file, _ in found.train) == sorted(theirs)
    (said,) = found.remarks
    assert re.search(mentions("4", "files"), said)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled(tmp_path, suffix):
    wide = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(wide).save(tmp_path / f"x.{suffix}")
    found = np.asarray(read_rgb(tmp_path / f"x.{suffix}"))
    assert np.abs(found - wide[..., None] / 257).max() <= 0.5 + 1e-9


def test_palettes_are_looked_up_and_alpha_is_dropped(tmp_path):
    colours = Image.new("RGB", (4, 4), (200, 100, 0))
    colours.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png", transparency=b"\0")
    Image.new("RGBA", (4, 4), (200, 100, 0, 7)).save(tmp_path / "a.png")
    for name in ("p.png", "a.png"):
        assert np.array_equal(read_rgb(tmp_path / name), colours)


def test_headers_are_read_before_step_1_and_once(root, monkeypatch):
    bad = root / "val/dog/0.png"
    good = bad.read_bytes()
    bad.write_bytes(b"no image")
    with pytest.raises(ValueError, match=mentions("val/dog/0.png", "damaged")):
        images(root)
    bad.write_bytes(good)
    images(root)
    monkeypatch.setattr(imagefolder, "check_headers", lambda files: pytest.fail("read again"))
    images(root)
    (root / "train/cat/new.png").write_bytes(good)
    with pytest.raises(pytest.fail.Exception):
        images(root)


def test_a_picture_that_would_fill_the_memory_gets_a_sentence(root, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    with pytest.raises(ValueError, match=mentions("train/cat/0.png", "1,800 pixels")):
        images(root)


def test_a_file_may_have_any_name(root):
    before = imagefolder.fingerprint(str(root))
    shutil.copy(root / "train/cat/0.png", os.fsencode(root / "train/cat") + b"/\xff\xe9.png")
    assert imagefolder.fingerprint(str(root)) != before
    assert len(images(root).train) == 11


@pytest.mark.parametrize("read", [images, lambda root: imagefolder.fingerprint(str(root))])
def test_a_pipe_among_the_images_is_not_waited_for(root, read):
    pipe = root / "train/cat/9.png"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=mentions(str(pipe), "remove")):
        read(root)


@pytest.mark.parametrize("workers", [0, 1])
def test_whoever_reads_a_damaged_file_names_it(root, workers):
    found = images(root, workers=workers)
    for file in root.glob("*/*/*.png"):
        file.write_bytes(file.read_bytes()[:200])  # the header is whole
    for reading in (
        lambda: taken(StreamedBatches(found, batch_size=4, seed=0), 1),
        lambda: list(found.split("test", 2)),
    ):
        with pytest.raises(ValueError, match=mentions(".png", "damaged")):
            reading()


def test_a_failed_run_ends_with_its_readers(root, resexp):
    """They ignore SIGTERM, with which Python ends what is left at its exit, and then waits for it."""
    settings = ["dataset=imagefolder", f"dataset.root={root}", "dataset.num_classes=2", "batch_size=9"]
    sizes = ["model=imagenet_resnet18", "model.width=4", "dataset.load.size=16", "dataset.load.workers=1"]
    images(root)  # the headers are good, and it is remembered
    bad = root / "train/cat/0.png"
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    size = bad.stat().st_size
    Image.fromarray(pixels).save(bad)
    bad.write_bytes(bad.read_bytes()[: size // 2].ljust(size, b"\0"))
    done = resexp("train", *settings, *sizes, "schedule.steps=2", "interval=1", "train.threads=1")
    assert done.returncode == 1, done.stderr
    assert re.search(r"failed at step .*train/cat/0\.png", done.stdout)


def test_readers_do_not_keep_the_lock_of_a_process_that_died(tmp_path):
    """As a reader of images is forked from a run that holds its folder."""
    program = f"""
import os, pathlib, time
from resexp.files import exclusive
with exclusive(pathlib.Path({str(tmp_path / "lock")!r}), wait=False):
    if child := os.fork():
        print(child, flush=True)
        os.kill(os.getpid(), 9)
    time.sleep(60)
"""
    done = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    child = int(done.stdout.readline())
    done.wait()
    try:
        for _ in range(50):
            if held := is_held(tmp_path / "lock"):
                time.sleep(0.05)  # until the child has run
        assert not held
    finally:
        os.kill(child, signal.SIGKILL)
        done.stdout.close()


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="the system does not tell who sent a signal")
def test_readers_outlast_signals_to_all_processes_and_end_with_theirs(root):
    """As a scheduler's SIGTERM to a whole job, after which the run still takes a step and a checkpoint."""
    program = f"""
import multiprocessing, subprocess
from resexp.data.imagefolder import load
from resexp.data.streaming import StreamedBatches
images = load({str(root)!r}, num_classes=2, size=16, resize=20, workers=1)
batches = StreamedBatches(images, batch_size=4, seed=0)
batches.advance()
for reader in multiprocessing.active_children():
    for name in ("TERM", "INT"):
        subprocess.run(["kill", f"-{{name}}", str(reader.pid)], check=True)
for _ in range(8): # more than are prefetched
    batches.advance()
print("read on", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True
    )
    assert done.stdout == "read on\n"
    assert not done.stderr
