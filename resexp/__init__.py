"""Experiments that show why residual networks work."""

__version__ = "0.1.0"


def build_model(name: str, **choices):
    """Build a network by its name in conf/model, e.g. in a notebook.

        resexp.build_model("resnet56", norm="group", dataset="cifar10")

    Args:
        name: one of `resexp list models`.
        choices: options of the other groups, or settings with `__` in place of the dot
            (`model__depth=110`, `seed=3`).
    Returns:
        The torch.nn.Module on the CPU, initialized from the seed (default 0).
    Raises:
        ValueError: an unknown name, group or option; the message lists the valid ones.
    """
    from resexp.experiments.build import model_by_name

    return model_by_name(name, **choices)
