"""What several tests share."""

import logging
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from resexp import cli

ROOT = Path(__file__).parents[1]
torch.set_num_threads(1)  # the tensors are small, and runs of one thread are compared with others


@pytest.fixture(autouse=True)
def _no_download_and_no_stray_data(monkeypatch):
    """Tests never fetch: an address that nothing answers stands before every proxy."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def resexp(tmp_path, monkeypatch, capfd):
    """Type a command in an empty folder: (arguments) -> CompletedProcess; carried out in this process."""

    def run(*arguments: str, env=None) -> subprocess.CompletedProcess:
        with monkeypatch.context() as here, _as_before():
            here.chdir(tmp_path)
            here.setattr(sys, "argv", ["resexp", *arguments])
            for name, value in {"PYTHONPATH": str(ROOT), **(env or {})}.items():  # workers are processes
                here.setenv(name, value)
            code = 0
            try:
                cli.main()
            except SystemExit as ended:
                code = ended.code or 0
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run


@pytest.fixture
def new_process(tmp_path):
    """The same by an interpreter of its own: takes seconds, for what another one has already imported."""

    def run(*arguments: str, env=None) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "resexp", *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | (env or {})
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
        )

    return run


@contextmanager
def _as_before():
    """What a command changes in its process and would take along into the next one."""
    threads, handlers = (
        torch.get_num_threads(),
        {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)},
    )
    log = logging.getLogger()
    level, handled, raising = log.level, log.handlers[:], logging.raiseExceptions
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        log.handlers[:], logging.raiseExceptions = handled, raising
        log.setLevel(level)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def background(tmp_path):
    """Start the command without waiting for it; whatever is left is killed."""
    started = []

    def start(*arguments):
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "resexp", *arguments],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
