"""Time what a training step costs here, beside a baseline."""

from resexp.exits import refuse

HELP = """\
usage: resexp bench [key=value ...]

  resexp bench
  resexp bench 'cases=["model=resnet56 dataset=fake"]' repetitions=9 fixed_costs=false

Trains each network of `cases` the usual way (DataLoader, eager, float32) and ours, in turns in one
run, and writes results/tables/bench_<device>.csv. conf/bench.yaml lists the keys.
"""


def main(arguments: list[str]) -> None:
    """`resexp bench`: see HELP."""
    if {"-h", "--help"} & set(arguments):
        return print(HELP, end="")
    from resexp.bench.run import main as run
    from resexp.config.compose import ConfigError

    try:
        run(arguments)
    except ConfigError as error:
        refuse(error)
