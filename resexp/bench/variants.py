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
from resexp.training.precision import channels_last

PROFILED, PROFILE_ROWS = ("usual", "ours"), 12
NUMBER_BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2}
COLUMNS = (
    "model", "depth", "width", "dataset", "batch_size", "variant", "precision", "members", "repetitions",
    "steps", "ms_per_step", "ms_lowest", "ms_highest", "images_per_second", "ratio_to_usual", "setup_seconds",
    "peak_memory_mib", "matrix_bound_ms", "memory_bound_ms", "share_of_bound",
)  # fmt: skip
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
    if device.type == "cuda":
        for precision in precisions:
            other = not channels_last("auto", precision, device)
            name = f"ours, channels {'last' if other else 'first'}"
            layout = [f"precision={precision}", f"train.channels_last={str(other).lower()}"]
            yield name, settings_of(case, device, *layout), 1
    if config["compile"]:
        yield "ours, compiled", settings_of(case, device, f"precision={best}", "train.compile=true"), 1
    at_once = [2, 4, 8] if device.type == "cuda" else [cores()]
    for members in config["members"] or at_once:
        if members > 1:
            yield "ours, side by side", settings_of(case, device, f"precision={best}"), members


class Case:
    """All variants of a network, each set up in its own processes; use it as a context.

    Args:
        case: the network, as overrides of `resexp train`.
        config: of `resexp bench`.
        device: that they train on.
        ceilings: of the device.
    """

    def __init__(self, case: str, config: dict, device: torch.device, ceilings: dict):
        self.config, self.ceilings = config, ceilings
        self.variants = list(_variants(case, config, device))
        self.contenders: list[Contender | None] = []

    def __enter__(self) -> "Case":
        try:
            for name, settings, members in self.variants:  # sequentially, since setup is timed as well
                self.contenders.append(_set_up(name, settings, members))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error) -> None:
        for contender in filter(None, self.contenders):
            contender.close()

    def rows(self) -> list[dict]:
        """One row per variant, timed interleaved; without numbers for those that lacked memory."""
        there = [contender for contender in self.contenders if contender]
        steps = {c: max(1, round(self.config["seconds"] / c.seconds(1))) for c in there}
        times: dict[Contender, list[float]] = {contender: [] for contender in there}
        for _ in range(self.config["repetitions"]):
            for contender, count in steps.items():
                times[contender].append(contender.seconds(count) / count)
        baseline, floor, rows = statistics.median(times[self.contenders[0]]), _floor(self.variants[0][1]), []
        for (name, settings, members), contender in zip(self.variants, self.contenders, strict=True):
            row = {
                **_labels(settings),
                "variant": name,
                "precision": settings["precision"],
                "members": members,
            }
            if contender:
                bound = _bound_ms(*floor, settings["precision"], self.ceilings)
                row |= _numbers(times[contender], members, settings["batch_size"], baseline, bound)
                row |= {"steps": steps[contender], "setup_seconds": contender.setup_seconds}
                row |= {"peak_memory_mib": contender.peak_memory_mib(), **bound}
            rows.append({column: row.get(column) for column in COLUMNS})
        return rows

    def profiles(self) -> list[dict]:
        """The longest operations of the baseline and of resexp; a profile that fails is said and left out."""
        rows = []
        for (name, settings, _), contender in zip(self.variants, self.contenders, strict=True):
            if contender is None or name not in PROFILED:
                continue
            try:
                found = contender.profile()[:PROFILE_ROWS]
            except RuntimeError as error:
                print(f"{name}, {settings['precision']}: no profile ({error})", flush=True)
                continue
            labels = _labels(settings) | {"variant": name, "precision": settings["precision"]}
            rows += [labels | row for row in found]
        return rows


def _set_up(name: str, settings: dict, members: int) -> Contender | None:
    """None where memory does not suffice; the baseline must fit, as the others are compared with it."""
    try:
        return Contender(settings, baseline=name == "usual", members=members)
    except RuntimeError as error:
        if "OutOfMemoryError" not in str(error) or name == "usual":
            raise
        print(f"{name}, {settings['precision']}, {members} at once: not enough memory", flush=True)
        return None


def _numbers(times: list[float], members: int, batch: int, baseline: float, bound: dict) -> dict:
    median = statistics.median(times)
    return {
        "repetitions": len(times),
        "ms_per_step": 1e3 * median,
        "ms_lowest": 1e3 * min(times),
        "ms_highest": 1e3 * max(times),
        "images_per_second": members * batch / median,
        "ratio_to_usual": members * baseline / median,
        "share_of_bound": members * max(bound.values()) / (1e3 * median),
    }


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
