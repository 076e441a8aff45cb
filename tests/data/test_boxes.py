"""Boxes: generated digits against their pictures, files in the form of Pascal VOC, mirrored alike."""

import numpy as np
import pytest
import torch
from helpers import mentions
from PIL import Image

from resexp.data import boxes, digits_at_scales
from resexp.data.boxes import Mirror
from resexp.data.dense import as_they_are

FACES = {split: digits_at_scales.glyphs(split) for split in ("train", "test")}


def drawn(count, most=6, size=128):
    random = np.random.default_rng(0)
    return [digits_at_scales.canvas(size, most, FACES["train"], random) for _ in range(count)]


def test_digits_fill_their_boxes():
    """Each is brighter than the texture in its box, and touches all four sides of it."""
    for image, objects in drawn(6):
        for _, x, y, w, h in objects:
            x0, y0 = round(128 * (x - w / 2)), round(128 * (y - h / 2))
            box = image[y0 : y0 + round(128 * h), x0 : x0 + round(128 * w)].astype(float)
            assert box.shape == (round(128 * h), round(128 * w))
            assert box.std() > 1.4 * 255 * 0.08


def test_class_and_scale_are_independent_and_scales_reach_from_1_to_8():
    objects = np.array([o for _, mine in drawn(250) for o in mine])
    heights = 128 * objects[:, 4]
    assert 9.9 < heights.min() < 11
    assert 75 < heights.max() < 80.1
    found = (heights > 56).mean()  # of all that are drawn np.log(80 / 56) / np.log(8) = 0.17
    assert found > 0.11, "large digits, which find a place less easily, are placed before small ones"
    means = [np.log(heights[objects[:, 0] == k]).mean() for k in range(10)]
    spread = np.log(heights).std() / np.sqrt(len(objects) / 10)
    assert np.ptp(means) < 5 * spread, "of ten means, about three deviations apart"


def test_boxes_do_not_overlap_and_canvases_repeat():
    sizes = {"size": 64, "train_size": 3, "test_size": 2, "most": 4}
    made, again, other = (digits_at_scales.load(**sizes, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(made.inputs, again.inputs)
    assert not torch.equal(made.inputs, other.inputs)
    assert made.targets.shape == (3, 4, 5)
    for objects in made.targets:
        for i, (_, x, y, w, h) in enumerate(objects.tolist()):
            for _, u, v, a, b in objects.tolist()[:i]:
                assert abs(x - u) >= (w + a) / 2 - 1e-6 or abs(y - v) >= (h + b) / 2 - 1e-6 or w * a == 0


def test_digits_keep_squares_of_their_height_to_themselves():
    for _, objects in drawn(20):
        for i, (_, x, y, _, h) in enumerate(objects):
            for _, u, v, _, b in objects[:i]:
                apart = max(
                    abs(x - u), abs(y - v)
                )  # a digit stands in the middle of its square, to half a pixel
                assert apart >= (h + b) / 2 - 1.1 / 128


def test_the_faces_of_the_test_are_others(monkeypatch):
    given = []
    empty = np.zeros((16, 16), dtype=np.uint8), []
    monkeypatch.setattr(
        digits_at_scales, "canvas", lambda size, most, faces, draw: given.append(faces) or empty
    )
    digits_at_scales.load(16, train_size=2, test_size=1, most=2, seed=0)
    shapes = [{tuple(glyph.sum(0)) for face in faces for glyph in face} for faces in given]
    assert shapes[0] == shapes[1]
    assert not shapes[0] & shapes[2]


def test_other_glyphs_are_other_data(monkeypatch):
    before = digits_at_scales.fingerprint()
    true = digits_at_scales.drawn
    monkeypatch.setattr(digits_at_scales, "drawn", lambda *glyph: true(*glyph)[::-1])
    assert digits_at_scales.fingerprint() != before


@pytest.mark.parametrize("choice", [{"size": 100}, {"train_size": 0}, {"most": 1}])
def test_canvases_are_refused(choice):
    words = mentions("dataset.load.size", str(*choice.values()))
    with pytest.raises(ValueError, match=words):
        digits_at_scales.load(**{"size": 64, "train_size": 1, "test_size": 1, "most": 2, "seed": 0} | choice)


def test_boxes_are_mirrored_with_their_images():
    """A bright rectangle stays where its box is; all four images occur."""
    x = torch.zeros(64, 1, 16, 20)
    x[:, :, 2:6, 3:10] = 1
    target = torch.zeros(64, 2, 5)
    target[:, 0] = torch.tensor([1.0, 6.5 / 20, 4 / 16, 7 / 20, 4 / 16])
    moved, objects = Mirror()(x, target, torch.Generator().manual_seed(0))
    assert (objects[:, 1] == 0).all(), "what is no object"
    for image, (_, u, v, w, h) in zip(moved, objects[:, 0].tolist(), strict=True):
        rows, columns = (image[0].amax(axis).nonzero().flatten() for axis in (1, 0))
        assert (rows.min() / 16, (rows.max() + 1) / 16) == pytest.approx((v - h / 2, v + h / 2))
        assert (columns.min() / 20, (columns.max() + 1) / 20) == pytest.approx((u - w / 2, u + w / 2))
    assert len({tuple(o) for o in objects[:, 0].tolist()}) == 4


def folder(root, *, names=("RBC", "WBC"), corners=((0, 0, 20, 10), (5, 5, 5, 9)), images=4):
    for name in ("Annotations", "JPEGImages"):
        (root / name).mkdir()
    for index in range(images):
        Image.new("RGB", (40, 20), (10 * index, 0, 0)).save(root / "JPEGImages" / f"{index}.png")
        found = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax>"
            f"<ymax>{d}</ymax></bndbox></object>"
            for name, (a, b, c, d) in zip(names, corners, strict=True)
        )
        size = "<size><width>40</width><height>20</height></size>"
        (root / "Annotations" / f"{index}.xml").write_text(f"<annotation>{size}{found}</annotation>")
    return root


def load(root, **choices):
    settings = {"size": [16, 32], "classes": ["WBC", "RBC"], "test_every": 2, "augment": as_they_are}
    return boxes.load(str(root), **settings | choices)


def test_annotations_are_read_as_shares_and_boxes_without_an_area_left_out(tmp_path):
    made = load(folder(tmp_path))
    assert made.inputs.shape == (2, 3, 16, 32)
    assert made.inputs[:, 0, 0, 0].tolist() == [0, 20]
    assert made.test_inputs[:, 0, 0, 0].tolist() == [10, 30]
    torch.testing.assert_close(made.targets, torch.tensor([[[1.0, 0.25, 0.25, 0.5, 0.5]]] * 2))
    assert "4 boxes" in made.remarks[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"names": ("RBC", "cat")}, ["cat", "dataset.load.classes"]),
        ({"corners": ((0, 0, 41, 10), (0, 0, 1, 1))}, ["0.xml", "41"]),
        ({"corners": (("a", 0, 4, 10), (0, 0, 1, 1))}, ["0.xml", "Pascal VOC"]),
        ({"images": 1}, ["dataset.load.test_every"]),
    ],
)
def test_folders_are_refused(tmp_path, settings, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        load(folder(tmp_path, **settings))


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=mentions("dataset.root", "digits_at_scales")):
        load(tmp_path)
    folder(tmp_path)
    before = boxes.fingerprint(str(tmp_path))
    (tmp_path / "JPEGImages" / "2.png").write_bytes(b"no image")
    assert boxes.fingerprint(str(tmp_path)) != before
    with pytest.raises(ValueError, match=mentions("2.png", "damaged")):
        load(tmp_path)
    (tmp_path / "JPEGImages" / "2.png").unlink()
    with pytest.raises(ValueError, match=mentions("2", "JPEGImages")):
        load(tmp_path)
    with pytest.raises(ValueError, match=mentions("dataset.load.test_every", "1")):
        load(tmp_path, test_every=1)
