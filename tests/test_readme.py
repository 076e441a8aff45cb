"""Every command in the README runs, with tiny settings in place of its own."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from resexp.config.compose import compose, resolve
from resexp.experiments.build import build_model

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
TINY = {
    "dataset": "fake",
    "dataset.load.train_size": "64",
    "dataset.load.test_size": "16",
    "dataset.load.shape": "[3,8,8]",
    "model.width": "8",
    "batch_size": "32",
    "schedule.steps": "1",
    "train.threads": "1",
}
FOREIGN = ["model.depth=14", "model.width=4"]  # of the network whose weights are imported
FOREIGN += [f"{key}={value}" for key, value in TINY.items() if key.startswith("dataset")]
# In one process, so that torch is loaded once.
ONE_AFTER_THE_OTHER = """
import json, sys
from resexp import cli
for arguments in json.loads(sys.argv[1]):
    print("#", *arguments, flush=True)
    sys.argv = ["resexp", *arguments]
    try:
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    print("# exit", code, flush=True)
    if code:
        sys.exit(1)
"""


def tiny(command: str) -> list[str]:
    words = shlex.split(command)[1:]
    if words[0] == "measure":
        words += ["threads=1"]
        if "shattered_gradients" in command:
            words += ["measure=gradient_correlation", *(f"measure.{k}=2" for k in ("networks", "depth"))]
            words += ["measure.width=8", "measure.inputs=8"]
        if "variance_growth" in command:
            words += ["measure.seeds=1", "measure.overflow_depth=2"]
            words += [f"measure.cases.{c}.depth=2" for c in ("gaussian", "mnist1d", "images", "wide")]
        if "measure.networks" in command:
            words += ["measure.depths=[1,50]", "measure.width=8"]
        if "lesions" in command:
            words += ["measure.draws=1", "measure.most=1", "measure.swaps=[1]"]
    if words[0] == "import":
        words += FOREIGN
    if words[0] == "bench":
        words.append("--help")  # test_cli.py runs it
    if "--params" in words:
        words.remove("--params")  # test_parameters.py counts
    if words[0] != "train":
        return words
    kept = [word for word in words if word.partition("=")[0] not in TINY]
    values = TINY | ({"model.depth": "8", "seed": "0"} if "experiment=" in command else {})
    if "shortcut_variants" in command:
        kept.append("case=shortcut_variants/identity,shortcut_variants/conv1x1")
    if "model=wide" in command:
        values = {key: value for key, value in values.items() if key != "model.width"} | {"model.widen": "1"}
    if "model.depth=20,32" in command:
        kept = ["model.depth=8,14" if word.startswith("model.depth") else word for word in kept]
    return [*kept, *(f"{key}={value}" for key, value in values.items())]


def test_the_two_commands_come_first():
    assert COMMANDS[:2] == ["make reproduce", "make test"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make")])
def test_make_has_the_target(command):
    done = subprocess.run([*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_commands_of_resexp_run_in_order(tmp_path):
    commands = [c for c in COMMANDS if not c.startswith("make")]
    assert len(commands) > 5
    assert all(command.startswith("resexp ") for command in commands)
    for words in (shlex.split(command) for command in commands if " import " in command):
        config = resolve(compose("train", [*words[3:], *FOREIGN]))
        torch.save(build_model(config).state_dict(), tmp_path / words[2])
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps([tiny(command) for command in commands])],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.count("# exit 0\n") == len(commands)
