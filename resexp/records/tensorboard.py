"""Write rows as TensorBoard scalars."""

import importlib.util
import os
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
    """

    @staticmethod
    def check(*, folder: str) -> None:
        """Before a run, whether it can be tracked; creates the folder.

        Raises:
            ValueError: the package tensorboard is not installed, or the folder cannot be written.
        """
        if importlib.util.find_spec("tensorboard") is None:
            raise ValueError(
                "tracker=tensorboard needs the package tensorboard: pip install 'resexp[tensorboard]'"
            )
        check_folder(folder)

    def __init__(self, run: RunFolder, rows: list[dict], *, folder: str):
        from tensorboard.summary import Writer  # slow to import

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


def check_folder(folder: str) -> None:
    """Create the folder of a tracker.

    Raises:
        ValueError: it cannot be created or written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"tracker.folder={folder} cannot be written: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise ValueError(f"tracker.folder={folder} cannot be written: no permission")
