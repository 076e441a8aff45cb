"""What a run needs to resume: the state of a Trainer."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from resexp.training.loop import Trainer


def state_of(trainer: "Trainer") -> dict:
    """Everything needed to resume: state of all components, random streams and the rows so far."""
    return {
        "step": trainer.step,
        "rows": trainer.rows,
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "batches": trainer.batches.state_dict(),
        "warming_up": trainer.warming_up,
        "first_bad": torch.tensor(trainer.watch.first_bad(trainer.step)),
        "meters": [meter.state() for meter in (trainer.interval, trainer.window)],
        "seconds": (trainer.seconds, trainer.training_seconds),
        "draws": trainer.draws.get_state() if trainer.draws else None,
        "device": next(trainer.model.parameters()).device.type,
        "torch_generator": torch.get_rng_state(),
        "cuda_generators": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(trainer: "Trainer", state: dict) -> None:
    """Restore `state`; the resumed run gives the same numbers. Call it before the first step.

    Raises:
        ValueError: `state` is from another device type, whose random streams differ, or see
            Batches.load_state_dict.
    """
    here, there = next(trainer.model.parameters()).device.type, state.get("device")
    if there not in (here, None):
        raise ValueError(
            f"this run was started on {there} and cannot be resumed on {here}:"
            f" set train.device={there}, or delete its folder to start over"
        )
    trainer.step, trainer.rows = state["step"], list(state["rows"])
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    for parameter, buffers in trainer.optimizer.state.items():
        for name, value in buffers.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                # match the memory layout of the weights, which train.channels_last may have changed
                buffers[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    trainer.batches.load_state_dict(state["batches"])
    trainer.warming_up = state["warming_up"]
    trainer.watch.restore(trainer.step, int(state["first_bad"]))
    for meter, saved in zip((trainer.interval, trainer.window), state["meters"], strict=True):
        for total, value in zip(meter.state(), saved, strict=True):
            total.copy_(value)
    trainer.learning_rate = None  # load_state_dict overwrote the learning rate; None forces a refresh
    trainer.seconds, trainer.training_seconds = state["seconds"]
    if trainer.draws:
        trainer.draws.set_state(state["draws"].cpu())
    torch.set_rng_state(state["torch_generator"].cpu())
    if torch.cuda.is_available() and len(state["cuda_generators"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda_generators"]])
