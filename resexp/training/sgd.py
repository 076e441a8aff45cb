"""SGD without the import of torch's compiler, and the parameters that are not decayed."""

import functools
import inspect

import torch
from torch import nn


class SGD(torch.optim.SGD):
    """torch.optim.SGD with the same arguments, update and state, but without importing torch's compiler.

    torch wraps the methods of optimizers to exclude them from compilation, and imports the compiler to
    do so when the first optimizer is created: more than a second, about as long as importing torch, in
    every process. We compile at most the forward pass, so the unwrapped methods are used.

    Raises:
        ValueError: as torch.optim.SGD; also for a momentum of 1 or more, which never decays.
    """

    @functools.wraps(torch.optim.SGD.__init__)  # keeps the signature, which settings are checked against
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        if not (momentum := self.defaults["momentum"]) < 1:
            raise ValueError(f"optimizer.momentum must be at least 0 and below 1, got {momentum}")

    add_param_group = inspect.unwrap(torch.optim.SGD.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.SGD.zero_grad)
    state_dict = inspect.unwrap(torch.optim.SGD.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.SGD.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


def parameter_groups(model: nn.Module) -> list[dict]:
    """Parameters for an optimizer: those of layers with `weight_decay = False` form a group without decay."""
    exempt = {
        parameter
        for module in model.modules()
        if not getattr(module, "weight_decay", True)
        for parameter in module.parameters(recurse=False)
    }
    decayed = [parameter for parameter in model.parameters() if parameter not in exempt]
    exempt = [parameter for parameter in model.parameters() if parameter in exempt]
    return [{"params": decayed}, *([{"params": exempt, "weight_decay": 0.0}] if exempt else [])]
