"""Shared by the faults: the command in this process, a small run, and damage."""

import os
import random
import re
import sys
from pathlib import Path

import pytest

from resexp import cli

SMALL = ["model=resnet", "model.depth=8", "model.width=2", "batch_size=32", "train.threads=1"]
SHORT = [*SMALL, "schedule.steps=8", "interval=2"]


def command(capfd, *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process, in this folder: exit code, stdout, stderr."""
    before, sys.argv = sys.argv, ["resexp", *arguments]
    capfd.readouterr()
    try:
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.argv = before
    return code, *capfd.readouterr()


def refuse_traceback(said: tuple[int, str, str]) -> None:
    """What a person reads is sentences."""
    assert "Traceback" not in said[1] + said[2], said
    if said[0] == 2:
        assert re.fullmatch(r"resexp: .+\n", said[2]), said


def damages(content: bytes, kind: str, count: int, seed: int = 0):
    """So many versions of a file with one flipped bit, or cut at another length each."""
    draws = random.Random(seed)
    for _ in range(count):
        at = draws.randrange(len(content))
        flipped = content[:at] + bytes([content[at] ^ (1 << draws.randrange(8))]) + content[at + 1 :]
        yield flipped if kind == "bit" else content[:at]


def tell(fault: str, counts: dict) -> None:
    """Print what a fault came to."""
    print(f"\n{fault}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    os.makedirs("results/runs", exist_ok=True)
    return tmp_path
