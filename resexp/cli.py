"""The `resexp` command: names the sub-commands and hands over; no logic of its own.

Nothing heavy is imported until a sub-command needs it, so that `--help` answers at once.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from resexp import __version__
from resexp.refusal import nobody_reads, refuse

USAGE = """\
resexp: see with your own eyes why residual networks work.

usage: resexp COMMAND ...

  train     train a network, or a sweep of them with -m
  measure   measure random or trained networks: gradients, variances
  collect   gather an experiment's runs into results/tables/
  status    how far an experiment's runs are
  list      what there is to choose from: models, datasets, experiments, ...
  bench     what a training step costs here, beside the usual way of writing it

  resexp COMMAND --help says more; resexp --version.
"""
TRAIN = """\
usage: resexp train [group=option | key=value ...] [-m]

  resexp train model=resnet56
  resexp train model=resnet model.depth=110 norm=group dataset=cifar100 seed=3
  resexp train -m model=plain,resnet model.depth=20,56
  resexp train -m experiment=depth_sweep

  -m, --multirun      one run for each combination of the values given
  --cfg job           print the config and stop; --info, --hydra-help: more of Hydra

The same command again skips what is done and goes on with what was interrupted.
"""
MEASURE = """\
usage: resexp measure [measure=option | key=value ...] [-m]

  resexp measure measure=gradient_autocorrelation
  resexp measure measure=activation_variance run='results/runs/depth_sweep/*'
  resexp measure -m experiment=shattered_gradients

  run=PATTERN         measure trained runs, before and after training
  -m, --multirun      one measurement for each combination of the values given
  --cfg job           print the config and stop; --info, --hydra-help: more of Hydra
"""
BENCH = """\
usage: resexp bench [key=value ...]

  resexp bench
  resexp bench 'cases=["model=resnet56 dataset=fake"]' repetitions=9 fixed_costs=false

Trains each network of `cases` the usual way (DataLoader, eager, float32) and ours, in turns in one
run, and writes results/tables/bench_<device>.csv. conf/bench.yaml lists the keys.
"""
COMPLETION = ("-sc", "--shell_completion")


def main() -> None:
    """Entry point; exits with 2 for what a person typed wrong, 130 and 143 after a signal."""
    commands = {
        "train": train,
        "measure": measure,
        "collect": collect,
        "status": status,
        "list": list_options,
        "bench": bench,
    }
    try:
        _dispatch(commands, sys.argv[1:])
    except BrokenPipeError:
        nobody_reads()
    except KeyboardInterrupt:
        sys.exit(130)


def _dispatch(commands: dict[str, Callable[[list[str]], None]], arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
    elif arguments[0] == "--version":
        print(f"resexp {__version__}")
    elif arguments[0] in commands:
        commands[arguments[0]](arguments[1:])
    elif arguments[0] in COMPLETION:
        _complete(commands, arguments)
    else:
        from difflib import get_close_matches

        near = get_close_matches(arguments[0], commands, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        refuse(f"there is no command {arguments[0]!r}{hint}; there are {', '.join(commands)}")


def train(arguments: list[str]) -> None:
    """`resexp train`: see TRAIN."""
    if {"-h", "--help"} & set(arguments):
        print(TRAIN)
        return _print_groups()
    from resexp.experiments.task import train as task

    _run_hydra("train", task, arguments)


def measure(arguments: list[str]) -> None:
    """`resexp measure`: see MEASURE."""
    if {"-h", "--help"} & set(arguments):
        print(MEASURE)
        return _print_groups("measure", "experiment")
    from resexp.experiments.task import measure as task

    _run_hydra("measure", task, arguments)


def _run_hydra(command: str, task: Callable[[], None], arguments: list[str]) -> None:
    """Hand the arguments to Hydra, and say what is wrong with them in one sentence."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from resexp.experiments.compose import ConfigError, explained, remarks

    try:
        for line in remarks(command, arguments):
            print(line, flush=True)
    except ConfigError as error:
        refuse(error)
    # the script for completion is one for the program's name
    sys.argv = ["resexp" if arguments[:1] and arguments[0] in COMPLETION else f"resexp {command}", *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing; we say it shorter
    try:
        task()
    except (HydraException, OmegaConfBaseException) as error:
        overrides = [a for a in arguments if "=" in a and not a.startswith("-")]
        refuse(explained(error, command, overrides))
    except ValueError as error:
        if "Only one of --run" not in str(error):
            raise
        refuse("-m does not go with --cfg or --info: leave one out")  # Hydra's own flags


def collect(arguments: list[str]) -> None:
    """`resexp collect EXPERIMENT`."""
    parser = argparse.ArgumentParser("resexp collect", description=collect.__doc__)
    parser.add_argument("experiment", help="name of the experiment, a folder in the runs folder")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="default: results/runs")
    parser.add_argument(
        "--tables",
        type=Path,
        default=Path("results/tables"),
        help="folder to write to; default: results/tables",
    )
    parser.add_argument(
        "--by", action="append", default=[], metavar="KEY",
        help="also keep runs apart by this setting, as a column of its own",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="KEY=VALUE",
        help="take only the runs with this setting",
    )  # fmt: skip
    parser.add_argument("--replace", action="store_true", help="even a table that has more rows")
    options = parser.parse_args(arguments)
    from resexp.experiments.overview import collected

    try:
        lines = collected(
            options.experiment,
            options.runs,
            options.tables,
            by=options.by,
            only=[item.partition("=")[::2] for item in options.only],
            replace=options.replace,
        )
    except ValueError as error:
        refuse(error)
    except OSError as error:
        refuse(f"cannot write {error.filename}: {error.strerror}; choose another folder with --tables")
    print("\n".join(lines))


def status(arguments: list[str]) -> None:
    """`resexp status [EXPERIMENT]`."""
    parser = argparse.ArgumentParser("resexp status", description=status.__doc__)
    parser.add_argument("experiment", nargs="?", help="name of the experiment; default: all")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="default: results/runs")
    options = parser.parse_args(arguments)
    from resexp.experiments.overview import begun, statuses

    names = [options.experiment] if options.experiment else begun(options.runs)
    if not names:
        print(f"no runs in {options.runs}")
    try:
        lines = [line for name in names for line in statuses(name, options.runs)]
    except ValueError as error:
        refuse(error)
    except OSError as error:
        refuse(f"cannot read {error.filename}: {error.strerror}")
    if lines:
        print("\n".join(lines))


def list_options(arguments: list[str]) -> None:
    """`resexp list [models|datasets|experiments|...]`."""
    parser = argparse.ArgumentParser("resexp list", description=list_options.__doc__)
    parser.add_argument("group", nargs="?", help="models, datasets, experiments, ...; default: all")
    parser.add_argument(
        "--params", action="store_true", help="of models: count parameters, beside published numbers"
    )
    options = parser.parse_args(arguments)
    if options.params:
        return _print_parameters(options.group)
    if options.group is None:
        return _print_groups()
    from resexp.experiments import listing

    try:
        found = listing.options(options.group)
    except ValueError as error:
        refuse(error)
    for name, line in found.items():
        print(f"{name:<28} {line}")


def bench(arguments: list[str]) -> None:
    """`resexp bench`: see BENCH."""
    if {"-h", "--help"} & set(arguments):
        return print(BENCH, end="")
    from resexp.experiments.bench import main as task
    from resexp.experiments.compose import ConfigError

    try:
        task(arguments)
    except ConfigError as error:
        refuse(error)


def _print_groups(*names: str) -> None:
    from resexp.experiments import listing

    for group in names or listing.groups():
        print(f"{group}=")
        for name, line in listing.options(group).items():
            print(f"  {name:<28} {line}")


def _print_parameters(group: str | None) -> None:
    if group not in (None, "model", "models"):
        refuse(f"--params counts the parameters of models, not of {group}")
    from resexp.experiments import parameters

    for line in parameters.lines():
        print(line, flush=True)


def _complete(commands: dict[str, Callable[[list[str]], None]], arguments: list[str]) -> None:
    """Hydra's shell completion calls `resexp -sc query=SHELL` with the typed line in COMP_LINE."""
    from resexp.experiments.completion import suggestions

    line = os.environ.get("COMP_LINE", "")
    found = suggestions(line, commands) if line else None  # no line: the shell's script is asked for
    if found is not None:
        return print("\n".join(found))
    if not line:
        return train(arguments)
    words = line.split(maxsplit=2)
    os.environ["COMP_LINE"] = " ".join([*words[:1], *words[2:]])
    with contextlib.redirect_stderr(io.StringIO()):  # what is wrong so far is no news
        commands[words[1]](arguments)
