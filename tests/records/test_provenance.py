"""What is recorded of the machine."""

import resource
import sys
from types import SimpleNamespace

import pytest

from resexp.records import provenance


@pytest.mark.parametrize(("system", "unit"), [("darwin", 1), ("freebsd14", 2**10)])
def test_peak_memory_is_in_mib_whatever_the_system_counts_in(system, unit, monkeypatch):
    """getrusage(2) of macOS: ru_maxrss in bytes; of Linux and the BSDs: in kilobytes."""

    def missing(*arguments, **options):
        raise FileNotFoundError("/proc/self/status")

    monkeypatch.setattr(provenance.Path, "read_text", missing)
    monkeypatch.setattr(sys, "platform", system)
    usage = SimpleNamespace(ru_maxrss=300 * 2**20 // unit)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    assert provenance.peak_memory_mib() == 300.0
