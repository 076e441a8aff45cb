"""Atomic downloads of datasets."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from resexp.files import exclusive


def fetch(root: Path, kind: str, is_there: Callable[[], bool]) -> None:
    """Download a dataset with torchvision, unless it already exists.

    If two processes call it concurrently, one downloads and the other waits. An interrupted download leaves
    no partial files behind.

    Args:
        root: target folder.
        kind: class name in torchvision.datasets, which verifies md5 sums.
        is_there: () -> whether the folder contains the dataset.
    Raises:
        OSError, RuntimeError: the folder is not writable, or the download failed.
    """
    # torchvision is slow to import, and not available for some CPU builds of torch.
    from torchvision import datasets

    with exclusive(root / ".resexp" / "fetch.lock", wait=True):
        if is_there():
            return
        with TemporaryDirectory(prefix=".fetching-", dir=root) as folder:
            getattr(datasets, kind)(folder, download=True)
            for path in Path(folder).iterdir():
                path.rename(root / path.name)
