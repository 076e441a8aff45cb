"""`resexp bench`: time of training steps, all variants interleaved with a baseline.

In the tables the baseline is the variant `usual`, resexp's trainer `ours`.
"""

from pathlib import Path

import pandas as pd
import torch

from resexp.bench import fixed_costs, measurements
from resexp.bench.ceilings import copy_bandwidth, matrix_rate
from resexp.bench.variants import Case, precisions_of, settings_of
from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments.checks import check, refuse_zero_or_less
from resexp.experiments.data import load_dataset
from resexp.experiments.devices import device_of
from resexp.experiments.recorded import PACKAGES, in_words
from resexp.records import provenance, table


def main(overrides: list[str]) -> None:
    """Measure, print and write `<tables>/<name>.csv`, `_profile`, `_fixed`, `_measures` and `.json`.

    Raises:
        ConfigError: a setting is invalid; raised before anything is measured.
    """
    config = resolve(compose("bench", overrides))
    device = _check(config)
    session = provenance.session(PACKAGES, in_words(device))
    ceilings = _ceilings(device, precisions_of(config, device)) if config["cases"] else {}
    if ceilings:
        print(_ceilings_line(ceilings), flush=True)
    name = config["name"] or f"bench_{_short_name(device)}"
    tables, record = Path(config["tables"]), {"config": config, "ceilings": ceilings, "session": session}
    rows, profiles = [], []

    def write(suffix: str, rows: pd.DataFrame, recorded: str = "") -> None:
        table.write(rows, tables / f"{name}{suffix}.csv", digits=4)
        record["session"]["end"] = provenance.now()
        table.write_record(tables / f"{name}{recorded}.csv", record)

    for case in config["cases"]:
        with Case(case, config, device, ceilings) as variants:
            found = variants.rows()
            rows += found
            print("\n".join(_line(row) for row in found if row["ms_per_step"]), flush=True)
            # after each case, so that an interrupted benchmark keeps the finished ones
            write("", pd.DataFrame(rows))
            profiles += variants.profiles()  # the last, as it may fail
            write("_profile", pd.DataFrame(profiles))
    if config["fixed_costs"]:
        costs = pd.DataFrame(fixed_costs.measure(config["repetitions"]))
        write("_fixed", costs, recorded="" if config["cases"] else "_fixed")
        print(costs.to_string(index=False), flush=True)
    costs = []
    for row in measurements.measure(config["measures"], Path(config["runs"])):
        costs.append(row)
        print("{measurement}: {processor_seconds:.1f} s, {peak_memory_mib:.0f} MiB".format(**row), flush=True)
        # a record of its own, as it may be measured without the others: cases=[] fixed_costs=false
        write("_measures", pd.DataFrame(costs), recorded="_measures")


def _check(config: dict) -> torch.device:
    try:
        device = device_of(config["device"])
        refuse_zero_or_less({key: config[key] for key in ("repetitions", "seconds")})
        if any(count < 2 for count in config["members"] or []):
            raise ValueError(f"members must all be at least 2, got {config['members']}")
        if not (config["cases"] or config["measures"] or config["fixed_costs"]):
            raise ValueError("cases and measures are empty: give at least one of conf/bench.yaml's")
        for entry in config["measures"]:
            resolve(compose("measure", entry.split()))
        for case in config["cases"]:
            if not isinstance(case, str):  # a list of lists
                raise ValueError(f"cases: {case} is no text of the form key=value key=value")
            for precision in precisions_of(config, device):
                settings = settings_of(case, device, f"precision={precision}")
                check(settings)
            if not load_dataset(settings).in_memory:
                raise ValueError(f"cases: {case!r} streams its data; use a dataset that is held in memory")
        Path(config["tables"]).mkdir(parents=True, exist_ok=True)  # fail early
    except ValueError as error:  # includes ConfigError
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"cannot create {error.filename}: {error.strerror}; set tables=...") from error
    return device


def _ceilings(device: torch.device, precisions: list[str]) -> dict:
    """Peak rates of this machine: FLOP per second for each precision, bytes per second."""
    on_gpu = device.type == "cuda"
    rates = {p: matrix_rate(device, p, size=8192 if on_gpu else 1024) for p in precisions}
    bandwidth = copy_bandwidth(device, mebibytes=1024 if on_gpu else 256)
    if on_gpu:
        torch.cuda.empty_cache()  # those of the variants need the memory
    return {"operations_per_second": rates, "bytes_per_second": bandwidth}


def _short_name(device: torch.device) -> str:
    if device.type == "cpu":
        return "cpu"
    return torch.cuda.get_device_name(device).lower().replace("nvidia", "").strip().replace(" ", "_")


def _ceilings_line(ceilings: dict) -> str:
    rates = ", ".join(f"{p} {r / 1e9:.0f} GFLOP/s" for p, r in ceilings["operations_per_second"].items())
    return f"matrix products {rates}; copy {ceilings['bytes_per_second'] / 1e9:.1f} GB/s"


def _line(row: dict) -> str:
    return (
        f"{row['model']}{row['depth']} {row['dataset']} {row['variant']}, {row['precision']},"
        f" {row['members']} at once: {row['ms_per_step']:.1f} ms"
        f" ({row['ms_lowest']:.1f} to {row['ms_highest']:.1f}),"
        f" {row['images_per_second']:.0f} images/s, {row['ratio_to_usual']:.2f}x the baseline,"
        f" {100 * row['share_of_bound']:.0f} % of the bound, {row['peak_memory_mib']:.0f} MiB,"
        f" setup {row['setup_seconds']:.1f} s"
    )
