"""Which folder a run or a measurement is kept in: one named by the digest of what decides its numbers."""

import glob
from pathlib import Path
from typing import Any

from resexp.records.run import RunFolder, digest

# Keys that do not change what is computed.
OUTSIDE_DIGEST = {
    "name", "case", "command", "train", "device", "threads", "runs",
    "dataset.root", "dataset.download", "dataset.load.root", "dataset.load.download", "dataset.load.workers",
    "parts._target_", "model.parts._target_",  # where our code keeps what the parts are put into
}  # fmt: skip


def folder_of(config: dict) -> RunFolder:
    """The folder of what a resolved config of either command describes."""
    return {"train": _of_run, "measure": _of_measurement}[config["command"]](config)


def _of_run(config: dict) -> RunFolder:
    name = "{model}{depth}-{dataset}-{norm}-seed{seed}".format(**config["labels"])
    root = Path(config["train"]["runs"]) / config["name"]
    return RunFolder(root / f"{name}-{digest(settings(config))}")


def _of_measurement(config: dict) -> RunFolder:
    runs = [path.name for path in trained_runs(config)]
    name = f"{config['measure']['name']}-{digest(settings(config) | {'run': runs})}"
    return RunFolder(Path(config["runs"]) / config["name"] / name)


def trained_runs(config: dict) -> list[Path]:
    """Folders of the finished runs that `run` names, a path or a pattern; none if it is null."""
    if config["run"] is None:
        return []
    paths = [path for path in map(Path, sorted(glob.glob(config["run"]))) if path.is_dir()]
    return [path for path in paths if RunFolder(path).recorded_status()["status"] == "done"]


def settings(config: dict) -> dict:
    """The part of a resolved config that decides what is computed."""

    def kept(node: Any, path: str) -> Any:
        if not isinstance(node, dict):
            return node
        inside = {key: (f"{path}.{key}" if path else key) for key in node}
        return {k: kept(node[k], p) for k, p in inside.items() if p not in OUTSIDE_DIGEST}

    return kept(config, "")
