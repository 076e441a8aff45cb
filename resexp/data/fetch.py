"""Datasets that are fetched whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from resexp.files import exclusive


def fetch(root: Path, kind: str, is_there: Callable[[], bool]) -> None:
    """Let torchvision download a dataset into a folder, unless it is there by now.

    Of two processes that ask together one fetches and the other waits. A download that is cut off
    leaves nothing that the next one would stumble over.

    Args:
        root: the folder.
        kind: name of the class in torchvision.datasets; it checks md5 sums.
        is_there: whether the folder holds the dataset.
    Raises:
        OSError, RuntimeError: the folder cannot be written, or the download failed.
    """
    # torchvision takes seconds to import and is absent beside some CPU builds of torch.
    from torchvision import datasets

    with exclusive(root / ".resexp" / "fetch.lock", wait=True):
        if is_there():
            return
        with TemporaryDirectory(prefix=".fetching-", dir=root) as folder:
            getattr(datasets, kind)(folder, download=True)
            for path in Path(folder).iterdir():
                path.rename(root / path.name)
