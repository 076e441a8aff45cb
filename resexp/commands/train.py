"""Train a network, or a sweep of them with -m."""

HELP = """\
usage: resexp train [group=option | key=value ...] [-m]

  resexp train model=resnet56
  resexp train model=resnet model.depth=110 norm=group dataset=cifar100 seed=3
  resexp train -m model=plain,resnet model.depth=20,56
  resexp train -m experiment=depth_sweep

  -m, --multirun      one run for each combination of the values given
  --cfg job           print the config and stop; --info, --hydra-help: more of Hydra

The same command again skips finished runs and resumes interrupted ones.
"""


def main(arguments: list[str]) -> None:
    """Hand the arguments to Hydra."""
    if {"-h", "--help"} & set(arguments):
        from resexp.commands.list import print_groups

        print(HELP)
        return print_groups()
    from resexp.commands.hydra_job import run, train

    run("train", train, arguments)
