"""Stochastic gradient descent that is ready as soon as torch is."""

import functools
import inspect

import torch


class SGD(torch.optim.SGD):
    """torch.optim.SGD: the same arguments, update and state, without torch's compiler.

    torch keeps its compiler out of an optimizer's methods, and to do so imports it when the first
    optimizer is made: more than a second, about as long as torch itself takes, in every process of every
    run. We compile the forward pass at most, so the methods are taken as they are underneath.

    Raises:
        ValueError: what torch's refuses, and a momentum of 1 or more, which forgets nothing.
    """

    @functools.wraps(torch.optim.SGD.__init__)  # with its signature, by which settings are checked
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        if not (momentum := self.defaults["momentum"]) < 1:
            raise ValueError(f"optimizer.momentum must be at least 0 and below 1, got {momentum}")

    add_param_group = inspect.unwrap(torch.optim.SGD.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.SGD.zero_grad)
    state_dict = inspect.unwrap(torch.optim.SGD.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.SGD.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))
