"""What bench writes."""

import json

import pandas as pd
import pytest


def test_bench_times_every_way_and_writes_its_tables(resexp, tmp_path):
    network = "model=wide model.depth=10 model.widen=1"
    case = f"{network} dataset=fake dataset.load.train_size=2048 batch_size=16"  # not a whole epoch
    small = ["repetitions=2", "seconds=0.01", "precisions=[float32]", "compile=false", "fixed_costs=false"]
    measured = "measure=gradient_correlation measure.networks=20 measure.width=8 threads=1"
    small += [f'measures=["{measured}","experiment=paths"]']  # paths has no trained networks here
    done = resexp("bench", f'cases=["{case}"]', *small, "members=[2]", "name=tiny", "device=cpu")
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
    costs = pd.read_csv(tmp_path / "results/tables/tiny_measures.csv")
    assert costs["measurement"].tolist() == [measured]
    assert "experiment=paths: left out: " in done.stdout
    assert (costs["processor_seconds"] > 0.5).all(), "torch is imported"
    assert (costs["peak_memory_mib"] > 100).all()
    assert not (tmp_path / "results/runs").exists(), "measured elsewhere"
