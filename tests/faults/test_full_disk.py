"""The disk is full at each write of a run, of a collection: a sentence, and nothing lost."""

import collections
import errno
import itertools
import os
from pathlib import Path

import pytest
from faults.inside import SHORT, command, here, refuse_traceback, tell  # noqa: F401
from helpers import numbers, only_run

TRAIN = ["train", "name=single", "train.checkpoint_minutes=0", *SHORT]
FULL = (errno.ENOSPC, "No space left on device")


class FullDisk:
    """Lets the `at`-th write, rename, flush or new file of this process fail, once or from then on.

    Args:
        at: counted from 1.
        stays: all later ones fail as well.
    """

    def __init__(self, patch: pytest.MonkeyPatch, at: int, *, stays: bool):
        self.at, self.stays, self.seen, self.failed = at, stays, 0, False
        fsync, opened, replace, mkdir = os.fsync, Path.open, Path.replace, Path.mkdir
        write_text, write_bytes = Path.write_text, Path.write_bytes

        def half(write):
            def failing(path, content, **options):
                if self.is_next():
                    write(path, content[: len(content) // 2], **options)
                    raise OSError(*FULL)  # as write(2) raises it: without a path
                return write(path, content, **options)

            return failing

        def open_(path, mode="r", *arguments, **options):
            if set(mode) & set("wax") and self.is_next():
                raise OSError(*FULL, str(path))
            return opened(path, mode, *arguments, **options)

        def with_path(usual):
            def failing(path, *arguments, **options):
                if not path.is_dir() and self.is_next():  # to make a folder that is there takes no room
                    raise OSError(*FULL, str(path))
                return usual(path, *arguments, **options)

            return failing

        def fsync_(number):
            if self.is_next():
                raise OSError(*FULL)
            return fsync(number)

        patch.setattr(os, "fsync", fsync_)
        patch.setattr(Path, "open", open_)
        patch.setattr(Path, "replace", with_path(replace))
        patch.setattr(Path, "mkdir", with_path(mkdir))
        patch.setattr(Path, "write_text", half(write_text))
        patch.setattr(Path, "write_bytes", half(write_bytes))

    def is_next(self) -> bool:
        self.seen += 1
        fails = self.seen >= self.at if self.stays else self.seen == self.at
        self.failed |= fails
        return fails


def said_in_words(said) -> None:
    refuse_traceback(said)
    code, out, err = said
    assert code in (1, 2), said
    assert "No space left" in out + err, said
    assert "None" not in err, said
    assert "use a file" not in err, said


@pytest.mark.slow
@pytest.mark.parametrize("stays", [False, True], ids=["once", "for good"])
def test_a_run_on_a_full_disk(here, capfd, monkeypatch, stays):  # noqa: F811
    assert command(capfd, "train", "name=whole", *SHORT)[0] == 0
    whole, counts = only_run(here, "whole"), collections.Counter(trials=0, lost=0)
    for at in itertools.count(1):
        with monkeypatch.context() as patched:
            disk = FullDisk(patched, at, stays=stays)
            said = command(capfd, *TRAIN)
        if not disk.failed:
            break
        counts["trials"] += 1
        refuse_traceback(said)
        if said[0]:
            said_in_words(said)
        counts[f"exit code {said[0]}"] += 1
        refuse_traceback(command(capfd, "status"))
        again = command(capfd, *TRAIN)
        assert again[0] == 0, (at, said, again)
        run = only_run(here)
        assert numbers(run) == numbers(whole), (at, said)
        run.rename(here / f"done{at}")
    assert counts["trials"] > 20
    with capfd.disabled():
        tell(f"full disk, {'for good' if stays else 'once'}, each write of a run", counts)


def test_a_collection_on_a_full_disk_leaves_the_table_before(here, capfd, monkeypatch):  # noqa: F811
    assert command(capfd, "train", *SHORT)[0] == 0
    assert command(capfd, "collect", "single")[0] == 0
    tables = here / "results/tables"
    before = {path.name: path.read_bytes() for path in tables.iterdir()}
    counts = collections.Counter(trials=0, lost=0)
    for at in itertools.count(1):
        with monkeypatch.context() as patched:
            disk = FullDisk(patched, at, stays=False)
            said = command(capfd, "collect", "single")
        if not disk.failed:
            break
        counts["trials"] += 1
        said_in_words(said)
        assert {path.name: path.read_bytes() for path in tables.iterdir()} == before
    assert counts["trials"] >= 6
    with capfd.disabled():
        tell("full disk, each write of collect", counts)
