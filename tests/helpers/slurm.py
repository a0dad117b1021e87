"""A Slurm of the tests' own: one node, this machine, as root, all its files in one temporary folder.

Debian's `slurm-wlm` and `munge` are what it needs. Nothing of a Slurm that the machine may have is touched.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# cred_expire is also how long a requeued job waits before it starts again: 120 seconds if not given.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
# Neither needs control groups, which containers seldom have.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
KillWait=10
# A job of `urgent` takes the node away from those in `ordinary`, which are put back into the queue.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=3000 State=UNKNOWN
PartitionName=ordinary Nodes={host} Default=YES PriorityTier=1 GraceTime=20 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes={host} PriorityTier=10 MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no Slurm here, empty where there can."""
    absent = [name for name in PROGRAMS if _find(name) is None]
    if absent:
        return f"no {', '.join(absent)} here: apt install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "Slurm's daemons run as root"


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """Start it; yields the environment in which `sbatch` and the others talk to it."""
    # Short, because a socket's path may have no more than 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    controller_port, daemon_port = free_ports(2)
    configuration.write_text(
        CONFIGURATION.format(
            folder=folder, host=host, controller_port=controller_port, daemon_port=daemon_port
        )
    )
    key = folder / "munge.key"
    subprocess.run([_find("mungekey"), "--create", f"--keyfile={key}"], check=True)
    environment = {"SLURM_CONF": str(configuration)}
    munged = (
        *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"),
        *(f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/seed"),
    )
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for words in (munged, *((name, "-D", "-f", str(configuration)) for name in ("slurmctld", "slurmd"))):
            stack.enter_context(_daemon(*words, **environment))
        _wait_until_idle(environment, folder)
        try:
            yield environment
        finally:
            with suppress(subprocess.SubprocessError):
                call(environment, "scancel", "--me", "--signal=KILL", "--full")


@contextmanager
def _daemon(*words: str, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        [_find(words[0]) or words[0], *words[1:]],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def call(environment: dict[str, str], *words: str) -> str:
    """What one of Slurm's commands prints."""
    done = subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(subprocess.SubprocessError):
            if "idle" in call(environment, "sinfo", "--noheader", "--format=%T"):
                return
        if time.monotonic() > deadline:
            logs = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
            raise RuntimeError(f"Slurm did not start:\n{logs}")
        time.sleep(0.5)


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def free_ports(number: int) -> list[int]:
    taken = [socket.socket() for _ in range(number)]
    try:
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()
