"""Downloads, with torchvision's classes replaced: whole or not at all, and once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resexp.data import fetch

datasets = pytest.importorskip("torchvision.datasets")


@pytest.fixture
def downloads(monkeypatch):
    """What torchvision would do: a file that comes in parts. Holds where it was written."""
    begun = []

    def download(root, download):
        begun.append(root)
        (Path(root) / "data.part").write_text("half")
        if len(begun) == 1:
            raise KeyboardInterrupt
        (Path(root) / "data").write_text("whole")

    monkeypatch.setattr(datasets, "CIFAR10", download)
    return begun


def test_what_is_cut_off_leaves_nothing_and_the_next_one_succeeds(tmp_path, downloads):
    def there():
        return (tmp_path / "data").exists()

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(tmp_path, "CIFAR10", there)
    assert [path.name for path in tmp_path.iterdir()] == [".resexp"]
    fetch.fetch(tmp_path, "CIFAR10", there)
    assert (tmp_path / "data").read_text() == "whole"


def test_of_several_that_ask_one_fetches(tmp_path, downloads):
    downloads.append("an earlier one")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch.fetch(tmp_path, "CIFAR10", (tmp_path / "data").exists), range(4)))
    assert len(downloads) == 2
