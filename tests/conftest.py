"""What several tests share."""

import copy
import logging
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import hydra
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from resexp import cli
from resexp.config.sweep import is_value

ROOT = Path(__file__).parents[1]
torch.set_num_threads(1)  # the tensors are small, and runs of one thread are compared with others


@pytest.fixture(autouse=True)
def _no_download_and_no_stray_data(monkeypatch):
    """Tests never fetch: an address that nothing answers stands before every proxy."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture(autouse=True, scope="session")
def _composed_once_per_choice_of_options():
    """Hydra takes 0.13 s to compose a config; with other values of the same options it is copied instead.

    As resexp.config.sweep.Composer, which tests/config compares with Hydra, does for the runs of a sweep.
    """
    by_hydra, bases = hydra.compose, {}

    def compose(command, overrides=(), **options):
        try:
            parsed = OverridesParser.create().parse_overrides(list(overrides))
            values = [each for each in parsed if is_value(each) and not each.is_sweep_override()]
            lines = {each.input_line for each in values}
            base = command, tuple(line for line in overrides if line not in lines), *options.items()
            if base not in bases:
                bases[base] = by_hydra(command, list(base[1]), **options)
            config = copy.deepcopy(bases[base])
            for each in values:
                OmegaConf.update(config, each.key_or_group, each.value(), merge=True)
            return config
        except (HydraException, OmegaConfBaseException):
            return by_hydra(command, list(overrides), **options)  # raises its own

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hydra, "compose", compose)
        yield


@pytest.fixture
def resexp(tmp_path, monkeypatch, capfd):
    """Type a command in an empty folder: (arguments) -> CompletedProcess; carried out in this process."""

    def run(*arguments: str, env=None, folder=tmp_path) -> subprocess.CompletedProcess:
        with monkeypatch.context() as here, _as_before():
            here.chdir(folder)
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
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
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
                # what a shell starts with & ignores Ctrl-C, and so would all of its children
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
