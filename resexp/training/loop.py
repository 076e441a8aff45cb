"""The training loop: training steps, and one row per interval."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from resexp.training.evaluate import Evaluator
from resexp.training.interfaces import Batches, Schedule, Task
from resexp.training.parallel import ALONE, Alone, Together
from resexp.training.precision import cast_at_once, channels_last_layout
from resexp.training.state import restore, state_of
from resexp.training.step import Captured, Meter, Watch

NETWORKS_COMPILED = 1024  # in one process, at most


class DivergedError(Exception):
    """The training loss was not finite at step `step` (1-based)."""

    def __init__(self, step: int):
        super().__init__(f"the loss was not finite at step {step}")
        self.step = step


class Trainer:
    """The state of one run: the network, everything that trains it, and its progress.

    Args:
        model: on the training device.
        task: computes the loss and counts.
        batches: of the training split.
        optimizer: over the model's parameters.
        schedule: of the learning rate.
        splits: name -> batches of (inputs, targets), evaluated every interval.
        autocast: entered around each forward pass.
        draws: random stream of layers that draw during training, e.g. dropout.
        channels_last: memory layout of the batches; the model's weights should have the same.
        compiled: train with torch.compile.
        cast_once: cast the weights to bfloat16 by one operation, unless compiled; the results are the same.
        captured: capture a step as a CUDA graph and replay it, and the evaluation of a batch; the results are
            the same up to rounding, as the learning rate is then in float32. Steps and evaluations must run
            within resexp.training.step.own_stream.
        processes: that train the network together; `batches` and `splits` yield the part of this one.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        batches: Batches,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        *,
        splits: Mapping[str, Iterable[tuple[Tensor, Tensor]]],
        autocast: AbstractContextManager,
        channels_last: bool,
        draws: torch.Generator | None = None,
        compiled: bool = False,
        captured: bool = False,
        cast_once: bool = False,
        processes: Alone | Together = ALONE,
    ):
        self.model, self.task, self.batches, self.optimizer = model, task, batches, optimizer
        self.schedule, self.splits, self.processes = schedule, splits, processes
        self.autocast, self.channels_last, self.draws = autocast, channels_last, draws
        device = next(model.parameters()).device
        self.forward = processes.replicated(model)
        if compiled:
            self.forward = _compiled(model)
        elif cast_once:
            self.forward = cast_at_once(model)
        generators = [*batches.generators, *([draws] if draws else [])]
        self.launch = Captured(self._on_device, generators) if captured else self._on_device
        self.evaluate = Evaluator(
            model,
            task,
            autocast=autocast,
            channels_last=channels_last,
            captured=captured,
            processes=processes,
        )
        # A captured step reads the learning rate from this tensor; otherwise it is a float in the optimizer.
        self.rate_on_device = torch.zeros((), device=device) if captured else None
        self.step, self.rows, self.learning_rate = 0, [], None
        self.interval, self.window = (Meter(task.tallies, device) for _ in range(2))
        self.meters = (self.interval, self.window) if schedule.warm_up else (self.interval,)  # in use
        self.warming_up = schedule.warm_up
        self.watch = Watch(device)
        self.seconds = 0.0  # of the whole run, including evaluation
        self.training_seconds = 0.0  # of the interval, excluding evaluation

    def train_step(self) -> None:
        """One batch, one update. Does not synchronize with the device."""
        self._set_learning_rate(self.schedule.at(self.step, warming_up=self.warming_up))
        self.batches.advance()
        self.launch()
        self.step += 1
        for meter in self.meters:
            meter.count(self.batches.batch_size)
        if self.warming_up and self.step % self.schedule.warm_up_window == 0:
            _, tally, examples = self.window.read()
            error = self.task.columns(tally, examples)["error_percent"]
            self.warming_up = not self.schedule.warm_up_ends(error)
            self.window.reset()

    def _on_device(self) -> None:
        """The device part of a step: the same kernels on the same tensors, so that it can be captured."""
        x, y = self.batches.batch()
        with self.autocast:
            output = self.forward(channels_last_layout(x) if self.channels_last else x.contiguous())
        loss = self.task.loss(output, y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        loss, tally = self.processes.sums(loss.detach(), self.task.tally(output.detach(), y))
        for meter in self.meters:
            meter.add(loss, tally, len(y))  # the sum of the parts' means, times the size of a part
        self.watch.add(loss)

    def _set_learning_rate(self, rate: float) -> None:
        if rate == self.learning_rate:
            return
        self.learning_rate = rate
        if self.rate_on_device is not None:
            rate = self.rate_on_device.fill_(rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def wait(self) -> None:
        """Synchronize with the device; the wait counts as training time."""
        started = time.perf_counter()
        self.watch.good.item()
        waited = time.perf_counter() - started
        self.training_seconds += waited
        self.seconds += waited

    def close(self) -> None:
        """Break the reference cycles with what is captured, so that memory is freed at once."""
        self.launch = None
        self.evaluate.close()

    def read_interval(self) -> dict:
        """Training columns of the interval that ends at this step. Synchronizes with the device.

        Raises:
            DivergedError: the loss was not finite at some step.
        """
        if bad := self.watch.first_bad(self.step):
            raise DivergedError(bad)
        loss, tally, examples = self.interval.read()
        return {
            "step": self.step,
            "epoch": self.step * self.batches.batch_size / self.batches.examples,
            "learning_rate": self.learning_rate,
            **_named("train", {"loss": loss} | self.task.columns(tally, examples)),
        }

    def evaluate_splits(self) -> dict:
        """Evaluate every split: loss and the task's columns, prefixed with the split's name."""
        row: dict[str, float] = {}
        for name, batches in self.splits.items():
            row |= _named(name, self.evaluate(batches))
        return row

    def state_dict(self) -> dict:
        """Everything needed to resume; see resexp.training.state."""
        return state_of(self)

    def load_state_dict(self, state: dict) -> None:
        """Restore `state`, before the first step; see resexp.training.state for what it raises."""
        restore(self, state)


def fit(trainer: Trainer, *, steps: int, interval: int, after_step: Callable[[], bool]) -> Iterator[dict]:
    """Train up to `steps`; yield a row every `interval` steps and at the end.

    `seconds` in a row is the wall time of the whole run, including evaluation; `examples_per_second`
    is the training throughput of the interval.

    Args:
        trainer: modified in place, including its rows.
        steps: total steps of the run, including those already taken.
        interval: steps between rows.
        after_step: called after each step and its row; returning true stops the training.
    Raises:
        DivergedError: a loss was not finite; raised at the end of the interval.
    """
    trainer.model.train()
    while trainer.step < steps:
        started = time.perf_counter()
        trainer.train_step()
        row = None
        if trainer.step % interval == 0 or trainer.step == steps:
            row = trainer.read_interval()
        trainer.training_seconds += time.perf_counter() - started
        if row:
            row |= trainer.evaluate_splits()
            row["examples_per_second"] = trainer.interval.examples.item() / trainer.training_seconds
            trainer.interval.reset()
            trainer.training_seconds = 0.0
        trainer.seconds += time.perf_counter() - started
        if row:
            row["seconds"] = trainer.seconds
            trainer.rows.append(row)
            yield row
        if after_step():
            return


def _compiled(model: nn.Module) -> nn.Module:
    """torch.compile, also of the ninth network in a process.

    Networks share the code of their class, and beyond torch's limit of 8 recompilations of one code it would
    fall back to eager steps with no more than a warning.
    """
    import torch._dynamo  # slow to import

    torch._dynamo.config.recompile_limit = NETWORKS_COMPILED
    torch._dynamo.config.accumulated_recompile_limit = NETWORKS_COMPILED
    return torch.compile(model)


def _named(split: str, columns: dict[str, float]) -> dict[str, float]:
    return {f"{split}_{name}": value for name, value in columns.items()}
