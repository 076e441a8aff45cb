"""What bench writes."""

import json
import multiprocessing
import os
import threading
from multiprocessing.connection import Connection
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from resexp.bench import contender, run, variants
from resexp.bench.ceilings import copy_bandwidth, matrix_rate
from resexp.config.compose import compose, resolve

NETWORK = "model=wide model.depth=10 model.widen=1 batch_size=16"
CASE = f"{NETWORK} dataset=fake dataset.load.train_size=2048 dataset.load.shape=[3,8,8]"  # not a whole epoch
SMALL = [
    "repetitions=2",
    "seconds=0.01",
    "precisions=[float32]",
    "compile=false",
    "fixed_costs=false",
    "measures=[]",
]


class Thread(threading.Thread):
    """In place of a process, which has a copy of its end of the pipe."""

    def __init__(self, target, args):
        end, *others = args
        super().__init__(target=target, args=(Connection(os.dup(end.fileno())), *others), daemon=True)


@pytest.fixture
def in_this_process(monkeypatch):
    """Variants are threads of this process, and load no batches ahead: five interpreters would start."""
    threads = SimpleNamespace(Pipe=multiprocessing.Pipe, Process=Thread)
    monkeypatch.setattr(contender.multiprocessing, "get_context", lambda method: threads)
    for name in ("WORKERS", "LOADING_SECONDS"):
        monkeypatch.setattr(contender, name, 0)
    monkeypatch.setitem(contender.WARM_STEPS, "cpu", 0)
    monkeypatch.setattr(contender, "PROFILED_STEPS", 1)
    small = {"size": 128, "repetitions": 1}  # tests/bench/test_ceilings.py has others
    monkeypatch.setattr(
        run, "matrix_rate", lambda device, precision, size: matrix_rate(device, precision, **small)
    )
    monkeypatch.setattr(run, "copy_bandwidth", lambda device, mebibytes: copy_bandwidth(device, mebibytes=16))


@pytest.mark.usefixtures("in_this_process")
def test_bench_times_every_way_and_writes_its_tables(resexp, tmp_path):
    check_tables(resexp, tmp_path)


def check_tables(resexp, tmp_path):
    done = resexp("bench", f'cases=["{CASE}"]', *SMALL, "members=[2]", "name=tiny", "device=cpu")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "results/tables/tiny.csv")
    ways = ["usual", "eager on device-resident data", "ours", "ours, side by side"]
    assert table["variant"].tolist() == ways
    assert (table["depth"] == 10).all()
    assert table["width"].isna().all(), "a wide network has no such setting"
    assert table["ratio_to_usual"][0] == 1
    right = table["members"] * 16 / table["ms_per_step"] * 1e3
    assert table["images_per_second"].tolist() == pytest.approx(right.tolist(), rel=2e-3)
    assert (table["ms_lowest"] <= table["ms_per_step"]).all()
    assert (table["peak_memory_mib"] > 100).all()
    profile = pd.read_csv(tmp_path / "results/tables/tiny_profile.csv")
    assert set(profile["variant"]) == {"usual", "ours"}
    assert profile["operation"].str.contains("conv").any()
    assert profile.groupby("variant")["ms_per_step"].apply(lambda ms: ms.is_monotonic_decreasing).all()
    record = json.loads((tmp_path / "results/tables/tiny.json").read_text())
    assert "bench" in record["session"]["command"]
    assert record["ceilings"]["bytes_per_second"] > 1e8


@pytest.mark.slow
def test_networks_side_by_side_are_processes_of_their_own():
    settings = variants.settings_of(CASE, torch.device("cpu"), "train.threads=1")
    pair = contender.Contender(settings, baseline=False, members=2)
    try:
        assert len({os.getpid(), *(process.pid for process in pair.processes)}) == 3
        assert pair.seconds(3) > 0
        assert pair.peak_memory_mib() > 200
        with pytest.raises(RuntimeError, match="TypeError"):
            pair._ask("a question that nobody knows")
    finally:
        pair.close()
    assert [process.exitcode for process in pair.processes] == [0, 0]


@pytest.mark.slow
def test_bench_as_a_person_types_it(resexp, tmp_path):
    """Every variant in a process of its own, the baseline's batches loaded by others."""
    check_tables(resexp, tmp_path)


def test_measurements_are_timed_in_processes_of_their_own(resexp, tmp_path):
    measured = "measure=gradient_correlation measure.networks=20 measure.width=8"
    asked = f'measures=["{measured}","experiment=paths"]'  # paths has no trained networks here
    done = resexp("bench", "cases=[]", asked, "fixed_costs=false", "name=tiny", "device=cpu")
    assert done.returncode == 0, done.stderr
    costs = pd.read_csv(tmp_path / "results/tables/tiny_measures.csv")
    assert costs["measurement"].tolist() == [measured]
    assert "experiment=paths: left out: " in done.stdout
    assert (costs["processor_seconds"] > 0.5).all(), "torch is imported"
    assert (costs["peak_memory_mib"] > 100).all()
    assert not (tmp_path / "results/runs").exists(), "measured elsewhere"


def test_the_studies_that_bench_can_time_compose():
    config = resolve(compose("bench", ["measures=${studies}"]))
    assert config["measures"] == config["studies"]
    for entry in config["measures"]:
        assert {"trained", "examples"} <= resolve(compose("measure", entry.split()))["measure"].keys()
