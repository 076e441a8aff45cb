"""Write rows as TensorBoard scalars."""

from pathlib import Path

from resexp.records.run import RunFolder

STEP = "step"


class TensorBoard:
    """A tracker: writes each column as a scalar to `<folder>/<name>/<run>/events...`.

    Event files of earlier sessions are deleted and their rows written again, so that a resumed run
    shows each step once.

    Args:
        run: gives the curves their names.
        rows: of earlier sessions, up to the restored checkpoint.
        folder: the argument of TensorBoard's --logdir.
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
