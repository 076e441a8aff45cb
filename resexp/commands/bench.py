"""Benchmark training steps against a baseline."""

from resexp.exits import refuse

HELP = """\
usage: resexp bench [key=value ...]

  resexp bench
  resexp bench 'cases=["model=resnet56 dataset=fake"]' repetitions=9 fixed_costs=false

Times each network of `cases` with a baseline trainer (DataLoader, eager, float32) and with resexp,
interleaved in one run, and writes results/tables/bench_<device>.csv. The keys: conf/bench.yaml.
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
