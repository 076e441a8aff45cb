"""Measure random or trained networks: gradients, variances."""

HELP = """\
usage: resexp measure [measure=option | key=value ...] [-m]

  resexp measure measure=gradient_autocorrelation
  resexp measure measure=activation_variance run='results/runs/depth_sweep/*'
  resexp measure -m experiment=shattered_gradients

  run=PATTERN         measure trained runs
  -m, --multirun      one measurement for each combination of the values given
  --cfg job           print the config and stop; --info, --hydra-help: more of Hydra
"""


def main(arguments: list[str]) -> None:
    """Hand the arguments to Hydra."""
    if {"-h", "--help"} & set(arguments):
        from resexp.commands.list import print_groups

        print(HELP)
        return print_groups("measure", "experiment")
    from resexp.commands.hydra_job import measure, run

    run("measure", measure, arguments)
