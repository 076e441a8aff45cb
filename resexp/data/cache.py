"""Cache of decoded datasets."""

import contextlib
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from resexp.data.dataset import Dataset
from resexp.files import atomic, exclusive

FIELDS = ("inputs", "targets", "test_inputs", "test_targets")


def cached(
    root: Path, name: str, files: Iterable[Path], decode: Callable[[], Dataset], *, checked: str = ""
) -> Dataset:
    """Decode a dataset once; afterwards read the cached copy until the source files change.

    The cached arrays have checksums (CRC-32, verified on reading); a damaged copy is recreated. If two
    processes start together, one decodes and the other waits.

    Args:
        root: the dataset's folder; if it is not writable, the copy is kept in the user's cache folder.
        name: of the copy.
        files: source files; the copy is valid for their current paths, sizes and modification times.
        checked: reference that the contents were verified against; a change invalidates the copy.
        decode: reads the source; called every time if no copy can be written, e.g. on a full disk.
    """
    key = hashlib.sha256(
        "\n".join(
            [checked, *(f"{f.resolve()} {(s := f.stat()).st_size} {s.st_mtime_ns}" for f in files)]
        ).encode()
    ).hexdigest()
    path, dataset = _folder(root) / f"{name}-{key[:16]}.npz", None
    try:
        with exclusive(path.with_suffix(".lock"), wait=True):
            if (dataset := _read(path)) is None:
                dataset = decode()
                with atomic(path) as temporary, temporary.open("wb") as file:
                    np.savez(file, **{f: getattr(dataset, f).numpy() for f in FIELDS})
    except OSError as error:
        print(f"cannot cache {name} in {path.parent}: {error}", file=sys.stderr)
    return decode() if dataset is None else dataset


def remembered(root: Path, name: str, work_out: Callable[[], str]) -> str:
    """What was worked out from the files below `root`, once: it is kept under `name`."""
    path = _folder(root) / name
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := path.read_text(encoding="ascii"):
            return text
    text = work_out()
    try:
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="ascii")
    except OSError as error:
        print(f"cannot remember in {path.parent} that the files were read: {error}", file=sys.stderr)
    return text


def _folder(root: Path) -> Path:
    if os.access(root, os.W_OK):
        return root / ".resexp"
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "resexp" / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]


def _read(path: Path) -> Dataset | None:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return Dataset(*(torch.from_numpy(arrays[field]) for field in FIELDS))
    except (FileNotFoundError, zipfile.BadZipFile, ValueError, KeyError, EOFError):
        return None  # missing or damaged: decode again
