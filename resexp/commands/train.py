"""Train a network; with -m, a sweep."""

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
    from resexp.commands.hydra_job import run, train

    run("train", train, arguments)
