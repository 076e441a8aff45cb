"""Other images under the same settings: another run each time, never a mixture."""

import collections
import random
import shutil

import numpy as np
import pytest
from faults.inside import command, here, refuse_traceback, tell  # noqa: F401
from PIL import Image

pytestmark = pytest.mark.slow
TRIALS = 40


def write_images(root, seed, side=8):
    draws = np.random.default_rng(seed)
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(4):
                pixels = draws.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def settings(root):
    return [
        "dataset=imagefolder", f"dataset.root={root}", "dataset.num_classes=2", "dataset.load.workers=1",
        "dataset.size=[8,8]", "dataset.load.size=8", "dataset.load.resize=8",
        "model=resnet", "model.depth=8", "model.width=2", "batch_size=4", "train.threads=1",
        "schedule.steps=2", "interval=2", "name=swapped",
    ]  # fmt: skip


def folder_of(root):
    from resexp.config.compose import compose, resolve
    from resexp.experiments import runs

    return runs.folder_of(runs.settle(resolve(compose("train", settings(root))))).path


def alter(path, draws):
    """One pixel of one image, or another label for it."""
    if draws.random() < 0.3:
        path.rename(path.parents[1] / ("dog" if path.parent.name == "cat" else "cat") / "moved.png")
        return
    pixels = np.array(Image.open(path))
    pixels[draws.randrange(8), draws.randrange(8), draws.randrange(3)] ^= 1 << draws.randrange(8)
    Image.fromarray(pixels).save(path)


def test_every_change_of_an_image_is_another_run(here, capfd):  # noqa: F811
    images, draws = write_images(here / "images", 0), random.Random(0)
    before, counts = folder_of(images), collections.Counter(trials=0, lost=0)
    shutil.copytree(images, here / "copy")
    for trial in range(TRIALS):
        shutil.rmtree(images)
        shutil.copytree(here / "copy", images)
        assert folder_of(images) == before, "the same images, written again"
        alter(draws.choice(sorted(images.rglob("*.png"))), draws)
        counts["trials"] += 1
        assert folder_of(images) != before, trial
        counts["told apart"] += 1
    with capfd.disabled():
        tell("altered images", counts)


@pytest.mark.parametrize("side", [9, pytest.param(8, id="8, files of the same sizes")])
def test_a_run_stopped_on_one_data_set_is_not_resumed_on_another(here, capfd, monkeypatch, side):  # noqa: F811
    one, other = write_images(here / "one", 0), write_images(here / "other", 1, side)
    asked = iter(range(100))
    with monkeypatch.context() as patched:
        patched.setattr("resexp.experiments.stop.time_is_up", lambda minutes: next(asked) > 0)
        said = command(capfd, "train", *settings(one))
    refuse_traceback(said)
    assert "interrupted at step 1" in said[1], said
    code, out, err = command(capfd, "train", *settings(other))
    assert code == 0, err
    assert "resuming" not in out
    code, out, err = command(capfd, "train", *settings(one))
    assert code == 0, err
    assert "resuming from step 1" in out
    code, out, err = command(capfd, "train", "-m", *[s for s in settings(one) if "root" not in s],
                             f"dataset.root={one},{other}")  # fmt: skip
    assert "2 done" in out, (out, err)
    assert len(list((here / "results/runs/swapped").iterdir())) == 2
