"""Points of an unfinished measurement: computed once, however often it is interrupted."""

import json
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from resexp.files import named


def each(path: Path | None, keys: Sequence, compute: Callable[..., Sequence]) -> list[list]:
    """compute(key) for each key, with a progress bar on a terminal.

    Args:
        path: file to which every point is appended as it comes; those that it holds already are not computed
            again. None: nothing is kept.
        keys: numbers, texts, or tuples of them; no two are equal.
        compute: key -> numbers; of a key alone, so that the order does not matter.
    Returns:
        The numbers of each key, in the order of the keys.
    """
    found = _kept(path) if path else {}
    for key in tqdm(keys, path.name if path else None, leave=False, disable=None):
        if (name := json.dumps(key)) not in found:
            found[name] = list(compute(key))
            if path:
                _append(path, name, found[name])
    return [found[json.dumps(key)] for key in keys]


def _kept(path: Path) -> dict[str, list]:
    """The undamaged lines of a file: a cut last line, or one with a flipped bit, is computed again."""
    found = {}
    for line in path.read_bytes().split(b"\n") if path.is_file() else ():
        checksum, _, text = line.partition(b" ")
        if checksum == b"%08x" % zlib.crc32(text):
            key, values = json.loads(text)
            found[json.dumps(key)] = values
    return found


def _append(path: Path, name: str, values: list) -> None:
    text = f"[{name}, {json.dumps(values)}]"  # json writes floats with repr, which is exact
    with named(path), path.open("a", encoding="utf-8") as file:
        # on a line of its own, even if the last one was cut
        file.write(f"\n{zlib.crc32(text.encode()):08x} {text}\n")
        file.flush()
        os.fsync(file.fileno())
