"""Time all variants of a network, interleaved: rows of the benchmark's tables."""

import statistics
from collections.abc import Iterator

import torch

from resexp.bench.ceilings import numbers_moved, operations
from resexp.bench.contender import Contender
from resexp.config.compose import compose, resolve
from resexp.experiments import build
from resexp.experiments.data import load_dataset
from resexp.experiments.devices import cores

PROFILED, PROFILE_ROWS = ("usual", "ours"), 12
NUMBER_BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2}
SLOW_AND_PLAIN = [
    "train.channels_last=false", "train.capture=false", "train.compile=false", "optimizer.fused=false",
]  # fmt: skip


def precisions_of(config: dict, device: torch.device) -> list[str]:
    """The precisions to be timed: those of the config, or all that the device supports."""
    everywhere = ["float32", "bfloat16"]
    return config["precisions"] or (["float32", "tf32", "bfloat16"] if device.type == "cuda" else everywhere)


def settings_of(case: str, device: torch.device, *overrides: str) -> dict:
    """The settings of a training run of a network, which is given as overrides of `resexp train`."""
    return resolve(compose("train", [*case.split(), f"train.device={device}", *overrides]))


def _variants(case: str, config: dict, device: torch.device) -> Iterator[tuple[str, dict, int]]:
    """Name, settings and members of each variant; the baseline first."""
    precisions = precisions_of(config, device)
    best = precisions[-1]
    yield "usual", settings_of(case, device), 1
    yield "eager on device-resident data", settings_of(case, device, *SLOW_AND_PLAIN), 1
    for precision in precisions:
        yield "ours", settings_of(case, device, f"precision={precision}"), 1
    if config["compile"]:
        yield "ours, compiled", settings_of(case, device, f"precision={best}", "train.compile=true"), 1
    at_once = [2, 4, 8] if device.type == "cuda" else [cores()]
    for members in config["members"] or at_once:
        if members > 1:
            yield "ours, side by side", settings_of(case, device, f"precision={best}"), members


def time_variants(
    case: str, config: dict, device: torch.device, ceilings: dict
) -> tuple[list[dict], list[dict]]:
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
