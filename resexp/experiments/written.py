"""What a run writes and shows while it trains."""

import time

from resexp.config.instantiate import make
from resexp.experiments import workers
from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.records.sinks import Console, Recorded, Sink, send
from resexp.training import checkpoint
from resexp.training.loop import Trainer


class Written:
    """Rows, checkpoints, kept networks, trackers and progress of one run.

    Begins by resetting rows.csv to the step of the trainer.

    Args:
        config: settled.
        folder: held by this process.
        trainer: at the step from which it goes on.
    """

    def __init__(self, config: dict, folder: RunFolder, trainer: Trainer):
        self.folder, self.trainer, self.digest = folder, trainer, digest(config)
        folder.write_rows(trainer.rows)
        for part in folder.path.glob(".*.part"):  # left by a killed process; this one holds the lock
            part.unlink()
        execution, steps = config["train"], config["schedule"]["steps"]
        self.console = None
        if not workers.is_drawn():
            self.console = Console(folder.name, steps=steps, initial=trainer.step)
        shown = [self.console] if self.console else []
        self.sinks: list[Sink] = [Recorded(folder), *shown, *_trackers(config, folder, trainer.rows)]
        self.kept = checkpoint.kept_steps(execution["keep"], steps)
        self.every, self.saved_at = 60 * execution["checkpoint_minutes"], time.monotonic()

    def row(self, row: dict) -> None:
        send(self.sinks, row)

    def after_step(self, *, stopping: bool) -> None:
        """Keep the network if this is one of the chosen steps; save a checkpoint if one is due."""
        if self.console:
            self.console.step()
        if self.trainer.step in self.kept:
            self.trainer.wait()
            self.folder.refuse_if_removed()
            checkpoint.save_network(self.folder.path, self.trainer.step, self.trainer.model, run=self.digest)
        if stopping or time.monotonic() - self.saved_at >= self.every:
            self.trainer.wait()  # the host is ahead of a GPU by many steps
            self._save()
            self.saved_at = time.monotonic()

    def close(self, status: str) -> None:
        """The run ends with this status; one that is done leaves the trained network."""
        for sink in self.sinks:
            sink.close(status)
        if status in ("done", "diverged"):
            self.folder.write_rows(self.trainer.rows)  # all, in case the file was removed in the meantime
        if status == "done":
            self._save()
            checkpoint.keep(self.folder.path, 1)

    def _save(self) -> None:
        self.folder.refuse_if_removed()
        checkpoint.save(self.folder.path, self.trainer.step, self.trainer.state_dict(), run=self.digest)


class Unwritten:
    """In a process that trains the same network beside the one that writes."""

    def row(self, row: dict) -> None:
        pass

    def after_step(self, *, stopping: bool) -> None:
        pass

    def close(self, status: str) -> None:
        pass


def _trackers(config: dict, folder: RunFolder, rows: list[dict]) -> list[Sink]:
    """The configured tracker, if any."""
    node = config["tracker"]
    return [make(node, "tracker")(folder, list(rows))] if "_target_" in node else []
