"""The number by which a sweeper that searches compares training runs."""

import math

from resexp.records.run import RunFolder


def objective(folder: RunFolder, status: str) -> float:
    """The error of a run's last row, in percent: of the validation split if there is one, else of the test.

    Settings that are chosen by the test error make it too small an estimate: hold out some training examples
    (dataset.val_size) before a search.

    Args:
        folder: of a training run.
        status: of the run.
    Returns:
        The error; infinity for a run that has diverged; not a number for one that has no result, because it
        failed, was interrupted or is executed elsewhere.
    """
    if status == "diverged":
        return math.inf
    rows = folder.rows() if status == "done" else []
    if not rows:
        return math.nan
    last = rows[-1]
    return float(last.get("val_error_percent") or last["test_error_percent"])
