"""Make a finished run from weights trained elsewhere."""

from pathlib import Path

from resexp.exits import refuse, refuse_unusable

HELP = """\
usage: resexp import WEIGHTS [group=option | key=value ...]

  resexp import resnet56.th model=resnet56 dataset=cifar10
  resexp import resnet56.th model=resnet56 dataset=cifar10 shortcut=zero_pad_both normalization=imagenet

  WEIGHTS   a state dict that torch.save wrote, or a checkpoint that holds one; its entries are taken in
            their order, whatever they are called

The settings describe the network and its data, as for `resexp train`. The test error is measured at once:
compare it with the one that the weights are known to have. The run is kept under name=imported unless you
name another, and `status`, `collect` and `measure` take it like one that was trained here.
"""


def main(arguments: list[str]) -> None:
    """`resexp import WEIGHTS [OVERRIDES]`."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(HELP)
        return
    weights, *overrides = arguments
    if "=" in weights or weights.startswith("-"):
        refuse("the file of weights comes first: resexp import WEIGHTS model=... dataset=...")
    from resexp.config.compose import compose, resolve
    from resexp.experiments import imported
    from resexp.records.run import BusyError

    named = any(override.startswith("name=") for override in overrides)
    try:
        config = resolve(compose("train", [*([] if named else ["name=imported"]), *overrides]))
        folder = imported.run(config, Path(weights))
    except (ValueError, BusyError) as error:  # ConfigError is a ValueError
        refuse(error)
    except OSError as error:
        refuse_unusable(error)
    if not (rows := folder.rows()):
        refuse(f"{folder.name} could not be evaluated: see {folder.path / 'error.txt'}")
    for key, value in rows[-1].items():
        if key.endswith("_error_percent"):
            print(f"{folder.name}: {key.removesuffix('_error_percent')} error {float(value):.2f} %")
