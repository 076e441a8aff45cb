import os
import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys, torch
from resexp.training.memory import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()
def steps(n):
    for _ in range(n):
        kept = [torch.ones(1 << 21) for _ in range(8)]  # 8 MiB each
        del kept
steps(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
steps(20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

COUNT_GROWTH = """
import torch
from pathlib import Path
from resexp.experiments import build
from resexp.config.compose import compose, resolve
from resexp.training.loop import fit
from resexp.training.memory import keep_freed

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

torch.set_num_threads(1)
keep_freed()
small = ["model=resnet", "model.depth=8", "model.width=4", "batch_size=32", "schedule.steps=10000"]
config = resolve(compose("train", small))
sizes = []
trainer = build.trainer(config, torch.device("cpu"))
for _ in fit(trainer, steps=10_000, interval=100, after_step=lambda: False):
    sizes.append(resident())
print(sizes[-1] - sizes[9])
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_used_again_without_page_faults():
    # what a C library keeps by itself differs: here it is told to give back all that it can
    gives_back = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    faults = {}
    for way in ("keep", "give back"):
        command = [sys.executable, "-c", COUNT_FAULTS, way]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=gives_back)
        faults[way] = int(done.stdout)
    pages = 20 * 8 * (8 << 20) // 4096
    assert faults["keep"] < pages / 100
    assert faults["give back"] > pages / 2, "else there was nothing to mend"


@pytest.mark.slow
def test_ten_thousand_steps_hold_no_more_memory_than_one_thousand():
    done = subprocess.run(
        [sys.executable, "-c", COUNT_GROWTH], capture_output=True, text=True, check=True, timeout=600
    )
    assert int(done.stdout) < 8 << 10, "KiB that the last 9,000 of 10,000 steps have added"
