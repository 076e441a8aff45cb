"""Processes that train one network together, each on its part of every batch."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class Alone:
    """One process that trains a network by itself; its methods are those of Together."""

    rank, size = 0, 1

    def replicated(self, model: nn.Module) -> nn.Module:
        return model

    def sums(self, *values: Tensor) -> tuple[Tensor, ...]:
        return values

    def most(self, *numbers: int) -> tuple[int, ...]:
        return numbers


class Together:
    """This process and the others of torch.distributed's default group, `size` of them.

    Parts of a batch are of equal size, so the mean over the processes is the mean over the batch. All
    processes call the same methods in the same order. In each step they exchange the gradients, the loss with
    its counts, and whether one of them is to stop.
    """

    def __init__(self):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def replicated(self, model: nn.Module) -> nn.Module:
        """The model with the weights and buffers of rank 0; it averages gradients over all processes.

        Its parameters remain those of `model`.
        """
        return DistributedDataParallel(model)

    def sums(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Each value summed over all processes, in one message; integers are exact up to 2^53."""
        message = torch.cat([value.reshape(-1).double() for value in values])
        dist.all_reduce(message)
        parts = message.split([value.numel() for value in values])
        return tuple(p.view(v.shape).to(v.dtype) for p, v in zip(parts, values, strict=True))

    def most(self, *numbers: int) -> tuple[int, ...]:
        """Of each integer the largest that a process has; does not wait for a GPU."""
        message = torch.tensor(numbers)
        dist.all_reduce(message, dist.ReduceOp.MAX)
        return tuple(message.tolist())


ALONE = Alone()
