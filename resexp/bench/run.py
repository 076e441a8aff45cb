"""`resexp bench`: time of training steps, all variants interleaved with a baseline.

In the tables the baseline is the variant `usual`, resexp's trainer `ours`.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch

from resexp.bench import fixed_costs
from resexp.bench.ceilings import copy_bandwidth, matrix_rate, numbers_moved, operations
from resexp.bench.contender import Contender
from resexp.config.compose import ConfigError, compose, resolve
from resexp.experiments import build
from resexp.experiments.checks import check, refuse_zero_or_less
from resexp.experiments.data import load_dataset
from resexp.experiments.devices import cores, device_of
from resexp.experiments.recorded import PACKAGES, in_words
from resexp.records import provenance, table

NUMBER_BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2}
PROFILED, PROFILE_ROWS = ("usual", "ours"), 12
SLOW_AND_PLAIN = [
    "train.channels_last=false", "train.capture=false", "train.compile=false", "optimizer.fused=false",
]  # fmt: skip


def main(overrides: list[str]) -> None:
    """Measure, print and write `<tables>/<name>.csv`, `_profile.csv`, `_fixed.csv` and `.json`.

    Raises:
        ConfigError: a setting is invalid; raised before anything is measured.
    """
    config = resolve(compose("bench", overrides))
    device = _check(config)
    session = provenance.session(PACKAGES, in_words(device))
    ceilings = _ceilings(device, _precisions(config, device))
    print(_ceilings_line(ceilings), flush=True)
    name = config["name"] or f"bench_{_short_name(device)}"
    tables, record = Path(config["tables"]), {"config": config, "ceilings": ceilings, "session": session}
    rows, profiles = [], []

    def write(suffix: str, rows: pd.DataFrame) -> None:
        table.write(rows, tables / f"{name}{suffix}.csv", digits=4)
        record["session"]["end"] = provenance.now()
        table.write_record(tables / f"{name}.csv", record)

    for case in config["cases"]:
        found, profile = _case(case, config, device, ceilings)
        rows += found
        profiles += profile
        print("\n".join(map(_line, found)), flush=True)
        # after each case, so that an interrupted benchmark keeps the finished ones
        write("", pd.DataFrame(rows))
        write("_profile", pd.DataFrame(profiles))
    if config["fixed_costs"]:
        costs = pd.DataFrame(fixed_costs.measure(config["repetitions"]))
        write("_fixed", costs)
        print(costs.to_string(index=False), flush=True)


def _check(config: dict) -> torch.device:
    try:
        device = device_of(config["device"])
        refuse_zero_or_less({key: config[key] for key in ("repetitions", "seconds")})
        if any(count < 2 for count in config["members"] or []):
            raise ValueError(f"members must all be at least 2, got {config['members']}")
        if not config["cases"]:
            raise ValueError("cases is empty: give at least one network, as in conf/bench.yaml")
        for case in config["cases"]:
            for precision in _precisions(config, device):
                settings = _settings(case, device, f"precision={precision}")
                check(settings)
            if not load_dataset(settings).in_memory:
                raise ValueError(f"cases: {case!r} streams its data; use a dataset that is held in memory")
        Path(config["tables"]).mkdir(parents=True, exist_ok=True)  # fail early
    except ValueError as error:  # includes ConfigError
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"cannot create {error.filename}: {error.strerror}; set tables=...") from error
    return device


def _precisions(config: dict, device: torch.device) -> list[str]:
    everywhere = ["float32", "bfloat16"]
    return config["precisions"] or (["float32", "tf32", "bfloat16"] if device.type == "cuda" else everywhere)


def _settings(case: str, device: torch.device, *overrides: str) -> dict:
    return resolve(compose("train", [*case.split(), f"train.device={device}", *overrides]))


def _variants(case: str, config: dict, device: torch.device) -> Iterator[tuple[str, dict, int]]:
    """Name, settings and members of each variant; the baseline first."""
    precisions = _precisions(config, device)
    best = precisions[-1]
    yield "usual", _settings(case, device), 1
    yield "eager on device-resident data", _settings(case, device, *SLOW_AND_PLAIN), 1
    for precision in precisions:
        yield "ours", _settings(case, device, f"precision={precision}"), 1
    if config["compile"]:
        yield "ours, compiled", _settings(case, device, f"precision={best}", "train.compile=true"), 1
    at_once = [2, 4, 8] if device.type == "cuda" else [cores()]
    for members in config["members"] or at_once:
        if members > 1:
            yield "ours, side by side", _settings(case, device, f"precision={best}"), members


def _case(case: str, config: dict, device: torch.device, ceilings: dict) -> tuple[list[dict], list[dict]]:
    """One row per variant, and the profiles of the baseline and of resexp."""
    variants = list(_variants(case, config, device))
    contenders: list[Contender] = []
    try:
        for name, settings, members in variants:  # sequentially, since setup is timed as well
            contenders.append(Contender(settings, baseline=name == "usual", members=members))
        steps = [max(1, round(config["seconds"] / contender.seconds(1))) for contender in contenders]
        times: list[list[float]] = [[] for _ in contenders]
        for _ in range(config["repetitions"]):
            for contender, count, found in zip(contenders, steps, times, strict=True):
                found.append(contender.seconds(count) / count)
        memory = [contender.peak_memory_mib() for contender in contenders]
        profiles = [
            _labels(settings) | {"variant": name, "precision": settings["precision"], **row}
            for (name, settings, _), contender in zip(variants, contenders, strict=True)
            if name in PROFILED
            for row in contender.profile()[:PROFILE_ROWS]
        ]
    finally:
        for contender in contenders:
            contender.close()
    baseline, floor, rows = statistics.median(times[0]), _floor(variants[0][1]), []
    for (name, settings, members), contender, count, found, peak in zip(
        variants, contenders, steps, times, memory, strict=True
    ):
        median, batch = statistics.median(found), settings["batch_size"]
        bound = _bound_ms(*floor, settings["precision"], ceilings)
        rows.append(
            {
                **_labels(settings),
                "variant": name,
                "precision": settings["precision"],
                "members": members,
                "repetitions": len(found),
                "steps": count,
                "ms_per_step": 1e3 * median,
                "ms_lowest": 1e3 * min(found),
                "ms_highest": 1e3 * max(found),
                "images_per_second": members * batch / median,
                "ratio_to_usual": members * baseline / median,
                "setup_seconds": contender.setup_seconds,
                "peak_memory_mib": peak,
                **bound,
                "share_of_bound": members * max(bound.values()) / (1e3 * median),
            }
        )
    return rows, profiles


def _labels(settings: dict) -> dict:
    return {
        "model": settings["model"]["name"],
        "depth": settings["model"].get("depth"),  # not every network has one
        "width": settings["model"].get("width"),
        "dataset": settings["dataset"]["name"],
        "batch_size": settings["batch_size"],
    }


def _ceilings(device: torch.device, precisions: list[str]) -> dict:
    """Peak rates of this machine: FLOP per second for each precision, bytes per second."""
    on_gpu = device.type == "cuda"
    rates = {p: matrix_rate(device, p, size=8192 if on_gpu else 1024) for p in precisions}
    bandwidth = copy_bandwidth(device, mebibytes=1024 if on_gpu else 256)
    return {"operations_per_second": rates, "bytes_per_second": bandwidth}


def _floor(settings: dict) -> tuple[int, int]:
    """FLOP of one member's step, and a lower bound on the values it moves."""
    model = build.build_model(settings)
    sample = load_dataset(settings).inputs[: settings["batch_size"]].float()
    return operations(model, sample), numbers_moved(model, sample)


def _bound_ms(done: int, numbers: int, precision: str, ceilings: dict) -> dict:
    """Lower bounds on the time of one member's step, ms, from its FLOP and from its memory traffic."""
    moved = numbers * NUMBER_BYTES[precision]
    return {
        "matrix_bound_ms": 1e3 * done / ceilings["operations_per_second"][precision],
        "memory_bound_ms": 1e3 * moved / ceilings["bytes_per_second"],
    }


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
