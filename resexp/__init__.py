"""Experiments that show why residual networks work."""

__version__ = "0.1.0"


def build_model(name: str, **choices):
    """A network by its name in conf/model, for notebooks.

        resexp.build_model("resnet56", norm="group", dataset="cifar10")

    Args:
        name: an option of `resexp list models`.
        choices: options of the other groups, or settings with `__` for the dot
            (`model__depth=110`, `seed=3`).
    Returns:
        The torch.nn.Module, its weights drawn from the seed (default 0), on the CPU.
    Raises:
        ValueError: an unknown name, group or option; lists what there is.
    """
    from resexp.experiments.build import model_by_name

    return model_by_name(name, **choices)
