"""List what there is to choose from: models, datasets, experiments, ..."""

import argparse
import csv
from collections.abc import Iterator

from resexp.config.catalog import CONF, groups, options
from resexp.exits import refuse

PUBLISHED = CONF.parent / "results" / "reference" / "parameters.csv"
IMAGENET = ["dataset=fake", "dataset.num_classes=1000"]  # its shapes, without its images


def main(arguments: list[str]) -> None:
    """`resexp list [GROUP]`."""
    parser = argparse.ArgumentParser("resexp list", description=__doc__)
    parser.add_argument("group", nargs="?", help="models, datasets, experiments, ...; default: all")
    parser.add_argument(
        "--params", action="store_true", help="of models: count parameters, beside published numbers"
    )
    typed = parser.parse_args(arguments)
    if typed.params:
        if typed.group not in (None, "model", "models"):
            refuse(f"--params counts the parameters of models, not of {typed.group}")
        for line in parameter_lines():
            print(line, flush=True)
        return
    if typed.group is None:
        return print_groups()
    try:
        found = options(typed.group)
    except ValueError as error:
        refuse(error)
    for name, line in found.items():
        print(f"{name:<28} {line}")


def print_groups(*names: str) -> None:
    """Print groups with their options and a line on each; all of them by default."""
    for group in names or groups():
        print(f"{group}=")
        for name, line in options(group).items():
            print(f"  {name:<28} {line}")


def count(overrides: list[str]) -> int:
    """Trainable parameters of the network that these overrides of `resexp train` describe.

    Raises:
        ConfigError, ValueError: they do not fit.
    """
    return sum(p.numel() for p in _network(overrides).parameters())


def count_weights(overrides: list[str]) -> int:
    """The same without biases and without the normalizations' scales and shifts."""
    return sum(p.numel() for p in _network(overrides).parameters() if p.dim() > 1)


def of_dataset(name: str) -> list[str]:
    """Overrides that give a network the input and the classes of a dataset; imagenet needs no files."""
    return IMAGENET if name == "imagenet" else [f"dataset={name}"]


def parameter_lines() -> Iterator[str]:
    """Every model with its parameters, then every published number with ours before it."""
    for name, number in of_models():
        yield f"{name:<28} {number:>13,}"
    rows = published()
    if rows:
        yield f"\n{'parameters':>13}  {'published':>11}  network"
    for row in rows:
        number = count([*row["overrides"].split(), *of_dataset(row["dataset"])])
        said = f"{int(row['published']):,}" if row["published"].isdigit() else row["published"]
        remark = f" ({row['remark']})" if row["remark"] else ""
        yield f"{number:>13,}  {said:>11}  {row['overrides']}, {row['dataset']}: {row['paper']}{remark}"


def of_models() -> Iterator[tuple[str, int]]:
    """Name and parameters of every model in conf/, for CIFAR-10 or, if it is made for it, ImageNet."""
    for name in options("model"):
        dataset = "imagenet" if name.startswith("imagenet") else "cifar10"
        yield name, count([f"model={name}", *of_dataset(dataset)])


def published() -> list[dict]:
    """Rows of results/reference/parameters.csv; none where only the package is installed."""
    if not PUBLISHED.exists():
        return []
    with PUBLISHED.open() as file:
        return list(csv.DictReader(file))


def _network(overrides: list[str]) -> "torch.nn.Module":  # noqa: F821  imported where it is needed
    import torch

    from resexp.config.compose import compose, resolve
    from resexp.config.instantiate import make

    config = resolve(compose("train", overrides))
    with torch.device("meta"):  # shapes alone
        return make(config["model"], "model")
