"""Signals: noted once, handed over when all is saved, ignored ones left alone."""

import os
import signal
import subprocess
import sys
import time

import pytest
from helpers import ROOT

from resexp.experiments.stop import NOTED, Signals


@pytest.mark.parametrize("number", NOTED)
def test_a_signal_is_noted_and_the_handler_from_before_acts_when_all_is_saved(number, monkeypatch):
    acted = []
    before = signal.signal(number, lambda received, frame: acted.append(received))
    try:
        signals = Signals()
        with signals.noted():
            os.kill(os.getpid(), number)
            assert signals.received == number
            assert acted == [], "a launcher would requeue before the checkpoint is written"
        assert signals.end_if_received(), "a launcher that has not ended the process lets the run go on"
        assert acted == [number]
        assert not signals.stopping
    finally:
        signal.signal(number, before)


def test_a_signal_that_nobody_else_handles_ends_the_command_when_all_is_saved():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        signals = Signals()
        with signals.noted():
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(SystemExit) as ended:
            signals.end_if_received()
        assert ended.value.code == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signals = Signals()
        with signals.noted():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_without_a_signal_nothing_ends():
    signals = Signals()
    with signals.noted():
        pass
    signals.end_if_received()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("waits_for_workers", [True, False])
def test_a_second_signal_ends_it_without_a_traceback(number, waits_for_workers):
    """While it waits for its workers, which save their checkpoints, or is at its end otherwise."""
    program = f"""
import atexit, os, signal, time
from resexp.exits import leave
from resexp.experiments.stop import Signals
if {waits_for_workers}:  # as resexp.experiments.workers
    signal.signal(signal.SIGTERM, lambda number, frame: leave(number))
atexit.register(time.sleep, 20)
signals = Signals()
with signals.noted():
    os.kill(os.getpid(), {int(number)})
atexit.register(print, "leaving", flush=True)
signals.end_if_received()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "leaving\n"
    time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=15)
    assert (process.returncode, said) == (-number, "")
