"""Send rows to a tracker with the interface of Weights & Biases: wandb itself, or trackio."""

import importlib
import importlib.util
import inspect
import os
from pathlib import Path

from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.records.tensorboard import STEP, check_folder

LIBRARIES = ("wandb", "trackio")


class WandbApi:
    """A tracker: one run of the tracker for each run, however often it is resumed.

    Its id is the run's digest, its name the run's, which ends in the digest: trackio knows runs by their
    names alone. A row that was sent is not sent again; `<folder>/sent/<name>/<run>` holds the last one's
    step. A row that was lost with a crash after it was sent is the same when the run repeats it.

    Args:
        run: whose rows are sent.
        rows: of earlier sessions, up to the restored checkpoint.
        library: wandb or trackio; imported here.
        project: name of the tracker's project.
        folder: of the tracker's files.
        options: further arguments of the library's `init`.
    """

    @staticmethod
    def check(*, library: str, project: str, folder: str, options: dict | None = None) -> None:
        """Before a run, whether it can be tracked; creates the folder.

        Raises:
            ValueError: another library, or one that is not installed; an empty project; a folder that cannot
                be written.
        """
        if library not in LIBRARIES:
            raise ValueError(f"tracker.library must be one of {', '.join(LIBRARIES)}, got {library}")
        if importlib.util.find_spec(library) is None:
            raise ValueError(
                f"tracker={library} needs the package {library}: pip install 'resexp[{library}]'"
            )
        if not project:
            raise ValueError("tracker.project is empty: give it a name, such as resexp")
        check_folder(folder)

    def __init__(
        self, run: RunFolder, rows: list[dict], *, library: str, project: str, folder: str,
        options: dict | None = None,
    ):  # fmt: skip
        path = Path(folder).absolute()
        self.sent = path / "sent" / run.path.parent.name / run.name
        self.last = _last_step(self.sent)
        self.tracked = _init(library, run, path, {"project": project, **(options or {})})
        for row in rows:
            self.row(row)

    def row(self, row: dict) -> None:
        step = int(row[STEP])
        if step <= self.last:
            return
        self.tracked.log({name: float(value) for name, value in row.items() if name != STEP}, step=step)
        self.last = step
        self.sent.parent.mkdir(parents=True, exist_ok=True)
        self.sent.write_text(f"{step}\n", encoding="utf-8")

    def close(self, status: str) -> None:
        self.tracked.finish()


def _init(library: str, run: RunFolder, folder: Path, options: dict):
    """The tracker's own run, new or resumed."""
    os.environ.setdefault(
        "TRACKIO_DIR", str(folder)
    )  # trackio takes no argument, and reads it on first import
    init, config = importlib.import_module(library).init, run.config()
    known = inspect.signature(init).parameters
    own = {"id": digest(config), "dir": str(folder)}
    own = {key: value for key, value in own.items() if key in known}  # those that wandb has and trackio lacks
    group = run.path.parent.name
    return init(name=run.name, group=group, config=config, resume="allow", **own, **options)


def _last_step(path: Path) -> int:
    """The step of the last row that was sent; 0, so that all are sent, where no file says it."""
    try:
        return int(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return 0
