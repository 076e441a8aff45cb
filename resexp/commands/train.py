"""Train a network; with -m, a sweep."""

from resexp.exits import copies

BY_TORCHRUN = True  # several processes train one network together

HELP = """\
usage: resexp train [group=option | key=value ...] [-m]

  resexp train model=resnet56
  resexp train model=resnet model.depth=110 norm=group dataset=cifar100 seed=3
  resexp train -m model=plain,resnet model.depth=20,56
  resexp train -m experiment=depth_sweep

  -m, --multirun      one run per combination of the given values
  --dry-run           list what would run, what is done, and about how long
                      it takes; then stop
  --cfg job           print the config and exit
  --info, --hydra-help: Hydra's other options

Rerun the same command to resume interrupted runs; finished ones are skipped.
"""


def main(arguments: list[str]) -> None:
    """`resexp train`: see HELP."""
    if {"-h", "--help"} & set(arguments):
        from resexp.commands.list import print_summary

        print(HELP)
        return print_summary("train")
    if copies() > 1:
        return _share(arguments)
    from resexp.commands.hydra_job import run, train

    run("train", train, arguments)


def _share(arguments: list[str]) -> None:
    """In each process of torchrun: carry the command out, or take part in what process 0 carries out."""
    from resexp.commands.hydra_job import run, train
    from resexp.experiments import torchrun

    if torchrun.rank():
        from resexp.experiments.train import take_part

        return torchrun.follow(take_part)
    with torchrun.leading():
        run("train", train, arguments)
