"""Files of numpy arrays (npz) that a person has."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resexp.data.class_folders import files_fingerprint


def find(root: str, name: str, advice: str) -> Path:
    """The npz at `root`, or `name` in the folder `root`.

    Args:
        advice: what to do where it is missing.
    Raises:
        ValueError: it is missing.
    """
    path = Path(root).expanduser()
    path = path / name if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {advice}")
    return path


def fingerprint(path: Path) -> str:
    """Fingerprint of the file; see files_fingerprint."""
    return files_fingerprint(path.parent, [path])


def read(path: Path, names: Sequence[str], optional: Sequence[str] = ()) -> list[np.ndarray | None]:
    """The named arrays, then the optional ones, None for those that are not there; nothing is unpickled.

    Raises:
        ValueError: a damaged or foreign file, or a missing array.
    """
    try:
        with path.open("rb") as file, np.load(file) as arrays:  # numpy leaves torn files open
            return [arrays[name] for name in names] + [arrays.get(name) for name in optional]
    except Exception as error:  # numpy raises various errors for a damaged or foreign file
        # numpy advises to unpickle what may be anything
        why = "it is no npz, or holds more than arrays" if "pickle" in str(error) else error
        raise ValueError(
            f"cannot read {path} ({why}); it must be an npz with the arrays {', '.join(names)}"
        ) from error
