"""List the available models, datasets, experiments, ..."""

import csv
from collections.abc import Iterator
from textwrap import shorten

from resexp.config.catalog import command_of, groups, groups_of, options
from resexp.config.reproducible import without_files
from resexp.exits import Parser, refuse
from resexp.files import shipped

PUBLISHED = shipped("results/reference") / "parameters.csv"
IMAGENET = ["dataset=fake", "dataset.num_classes=1000"]  # the shapes of ImageNet without its images


def main(arguments: list[str]) -> None:
    """`resexp list [GROUP]`."""
    parser = Parser("resexp list", description=__doc__)
    parser.add_argument("group", nargs="?", help="models, datasets, experiments, ...; default: all")
    parser.add_argument(
        "--params", action="store_true", help="count the parameters of all models, next to published counts"
    )
    parser.add_argument(
        "--without-files",
        action="store_true",
        help="experiments that need no files, each after what it needs: command, name, experiments measured",
    )
    typed = parser.parse_args(arguments)
    if typed.without_files:
        if typed.group not in ("experiment", "experiments"):
            refuse("--without-files applies to experiments: resexp list experiments --without-files")
        for name, needed in without_files().items():
            print(command_of(name), name, *needed)
        return
    if typed.params:
        if typed.group not in (None, "model", "models"):
            refuse(f"--params applies to models, not to {typed.group}")
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


def print_summary(command: str) -> None:
    """Print the groups of a command in a line each: how many options there are, and the first of them."""
    for group in groups_of(command):
        names = [n for n in options(group) if group != "experiment" or command_of(n) == command]
        print(f"  {group:<14}{len(names):>3}  {shorten(', '.join(names), 58, placeholder=' ...')}")
    print("\n`resexp list GROUP` names all options of a group with a line on each.")


def print_groups() -> None:
    """Print all groups with a one-line description of each option."""
    for group in groups():
        print(f"{group}=")
        for name, line in options(group).items():
            print(f"  {name:<28} {line}")


def count(overrides: list[str]) -> int:
    """Number of trainable parameters of the network given by overrides of `resexp train`.

    Raises:
        ConfigError, ValueError: the overrides are invalid.
    """
    return sum(p.numel() for p in _network(overrides).parameters())


def count_weights(overrides: list[str]) -> int:
    """As count, without biases and without the scales and shifts of normalizations."""
    return sum(p.numel() for p in _network(overrides).parameters() if p.dim() > 1)


def of_dataset(name: str) -> list[str]:
    """Overrides for the input shape and the classes of a dataset; imagenet needs no files."""
    return IMAGENET if name == "imagenet" else [f"dataset={name}"]


def parameter_lines() -> Iterator[str]:
    """Every model with its parameter count, then every published count next to ours."""
    for name, number in of_models():
        yield f"{name:<28} {number:>13,}"
    yield f"\n{'parameters':>13}  {'published':>11}  network"
    for row in published():
        number = count([*row["overrides"].split(), *of_dataset(row["dataset"])])
        said = f"{int(row['published']):,}" if row["published"].isdigit() else row["published"]
        remark = f" ({row['remark']})" if row["remark"] else ""
        yield f"{number:>13,}  {said:>11}  {row['overrides']}, {row['dataset']}: {row['paper']}{remark}"


def of_models() -> Iterator[tuple[str, int]]:
    """Name and parameter count of every model in conf/, on CIFAR-10 (imagenet_*: on ImageNet)."""
    for name in options("model"):
        dataset = "imagenet" if name.startswith("imagenet") else "cifar10"
        yield name, count([f"model={name}", *of_dataset(dataset)])


def published() -> list[dict]:
    """Rows of results/reference/parameters.csv."""
    with PUBLISHED.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _network(overrides: list[str]) -> "torch.nn.Module":  # noqa: F821  imported below
    import torch

    from resexp.config.compose import compose, resolve
    from resexp.experiments.sizes import network

    config = resolve(compose("train", overrides))
    with torch.device("meta"):  # shapes only
        return network(config)
