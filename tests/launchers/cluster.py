"""A SLURM cluster of one node on this machine, from Debian's packages, as root."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol")
MUNGE_SOCKET = Path("/run/munge/munge.socket.2")

CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
KillWait=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES PriorityTier=1 GraceTime=2 MaxTime=INFINITE State=UP
PartitionName=first Nodes={host} PriorityTier=9 MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why no cluster can be started here; empty if one can."""
    if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(absent)} missing: apt-get install slurmctld slurmd slurm-client munge"
    return "" if os.geteuid() == 0 else "SLURM's daemons start jobs as root alone"


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Within the block, a cluster; gives the variables by which SLURM's commands find it."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=socket.gethostname(), folder=folder), encoding="utf-8")
    environment = {"SLURM_CONF": str(conf)}
    daemons = []
    try:
        if not MUNGE_SOCKET.exists():
            MUNGE_SOCKET.parent.mkdir(exist_ok=True)
            shutil.chown(MUNGE_SOCKET.parent, "munge", "munge")
            daemons.append(_start("runuser", "-u", "munge", "--", "munged", "--foreground"))
            until(MUNGE_SOCKET.exists, 20, "munge")
        daemons.append(_start("slurmctld", "-D", "-f", str(conf)))
        daemons.append(_start("slurmd", "-D", "-f", str(conf), "-N", socket.gethostname()))
        until(lambda: "idle" in ask(environment, "sinfo", "-h", "-o", "%T"), 60, "an idle node")
        yield environment
    finally:
        ask(environment, "scancel", "--full", "--user=root")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(timeout=30)


def ask(environment: dict[str, str], *command: str) -> str:
    """What a command of SLURM prints; nothing if it fails."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds, but not for ever."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def _start(*command: str) -> subprocess.Popen:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
