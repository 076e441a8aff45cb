"""Measure gradients and variances of random or trained networks."""

HELP = """\
usage: resexp measure [measure=option | key=value ...] [-m]

  resexp measure measure=gradient_autocorrelation
  resexp measure measure=activation_variance run='results/runs/depth_sweep/*'
  resexp measure -m experiment=shattered_gradients

  run=PATTERN         measure the matching trained runs
  -m, --multirun      one measurement per combination of the given values
  --dry-run           list what would run, what is done, and about how long it takes; then stop
  --cfg job           print the config and exit; --info, --hydra-help: Hydra's other options
"""


def main(arguments: list[str]) -> None:
    """`resexp measure`: see HELP."""
    if {"-h", "--help"} & set(arguments):
        from resexp.commands.list import print_summary

        print(HELP)
        return print_summary("measure")
    from resexp.commands.hydra_job import measure, run

    run("measure", measure, arguments)
