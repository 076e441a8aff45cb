"""Rows as TensorBoard scalars."""

from pathlib import Path

from resexp.records.run import RunFolder

STEP = "step"


class TensorBoard:
    """A tracker: `<folder>/<name>/<run>/events...`, a scalar for every column against the step.

    Event files of an earlier session are removed and the rows so far written again, so that a run that
    was resumed from a checkpoint shows each step once.

    Args:
        run: its folder names the curves.
        rows: of earlier sessions, up to the checkpoint that the run resumes from.
        folder: for TensorBoard's --logdir.
    Raises:
        ValueError: the package tensorboard is not installed.
    """

    def __init__(self, run: RunFolder, rows: list[dict], *, folder: str):
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise ValueError(
                "tracker=tensorboard needs the package tensorboard: pip install 'resexp[tensorboard]'"
            ) from error
        path = Path(folder) / run.path.parent.name / run.name
        for earlier in path.glob("events.out.tfevents.*"):
            earlier.unlink()
        self.writer = Writer(str(path))
        for row in rows:
            self.row(row)

    def row(self, row: dict) -> None:
        for name, value in row.items():
            if name != STEP:
                self.writer.add_scalar(name, value, int(row[STEP]))

    def close(self, status: str) -> None:
        self.writer.close()
