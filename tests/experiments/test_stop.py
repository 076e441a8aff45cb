"""Signals: noted once, handed over when all is saved, ignored ones left alone."""

import os
import signal

import pytest

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
        with pytest.raises(SystemExit) as ended:
            signals.end_if_received()
        assert acted == [number]
        assert ended.value.code == 128 + number
    finally:
        signal.signal(number, before)


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
