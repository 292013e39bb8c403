"""A real Slurm on one machine: a controller and virtual nodes in a folder, from Debian's packages, without systemd."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
_CLUSTER, _NODE = "DESCENT_TEST_CLUSTER", "DESCENT_TEST_NODE"  # environment of all that a cluster runs
_PR_SET_PDEATHSIG = 1

_CONFIGURATION = """\
ClusterName=descent
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=defer,sched_interval=2,bf_interval=2
EnforcePartLimits=ALL
MinJobAge=600
ReturnToService=2
SlurmdTimeout={lost_after}
KillWait=2
SlurmdParameters=config_overrides
TreeWidth=65533
{nodes}
PartitionName=short Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def missing_programs() -> list[str]:
    """Programs of Slurm and MUNGE that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=_search_path()) is None]


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class VirtualCluster:
    """Slurm with `nodes` virtual nodes of `cpus` processors, everything it writes in `folder`; a context manager.

    A node that is silent for `lost_after` seconds is down, and its jobs are lost.
    """

    def __init__(self, folder: Path, nodes: int = 4, cpus: int = 1, lost_after: int = 10):
        self.folder, self.cpus, self.lost_after = folder, cpus, lost_after
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self._running: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> VirtualCluster:
        try:
            self._configure()
            self._munge()
            self._start("slurmctld", "slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
            for node in self.nodes:
                self.start_node(node)
            self._wait_until_idle()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def _configure(self) -> None:
        ports = _free_ports(1 + len(self.nodes))
        host = socket.gethostname().split(".")[0]
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={self.cpus} RealMemory=8000"
            for node, port in zip(self.nodes, ports[1:])
        )
        for name in ("munge", "state", "bin"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o755)
        text = _CONFIGURATION.format(
            host=host, folder=self.folder, ports=ports, nodes=nodes, lost_after=self.lost_after)
        (self.folder / "slurm.conf").write_text(text)
        for program in ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct"):
            self._wrap(program)

    def _wrap(self, program: str) -> None:
        # Jobs hand SLURM_CONF on to nobody: Snakemake's jobs clear their environment of Slurm's variables.
        wrapper = self.folder / "bin" / program
        wrapper.write_text(f"#!/bin/sh\nSLURM_CONF='{self.folder}/slurm.conf' exec {shutil.which(program)} \"$@\"\n")
        wrapper.chmod(0o755)

    def _munge(self) -> None:
        key = self.folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        self._start("munged", "munged", "--foreground", "--force", f"--key-file={key}",
                    *(f"--{name}={self.folder}/munge/{file}" for name, file in (
                        ("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))))
        self._wait(lambda: (self.folder / "munge" / "socket").exists(), "munged made no socket")

    def start_node(self, node: str) -> None:
        """Start the daemon of `node`."""
        self._start(node, "slurmd", "-D", "-N", node, "-f", str(self.folder / "slurm.conf"))

    def kill_node(self, node: str) -> None:
        """Kill the daemon of `node` and all that it runs, as a power cut does."""
        # The daemons first: they would report what else dies as failed, and a power cut reports nothing.
        _kill_marked(f"{_NODE}={self.folder}/{node}")
        job = (f"{_CLUSTER}={self.folder}", f"SLURMD_NODENAME={node}")
        for keeper in {_parent(process) for process in _marked(*job)}:
            if _name(keeper) == "slurmstepd":
                _kill(keeper)
        _kill_marked(*job)
        self._running.pop(node).wait()

    def _start(self, name: str, program: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as log:
            self._running[name] = subprocess.Popen(
                [shutil.which(program, path=_search_path()), *arguments], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=_die_with_parent,
                env={**self.environment(), _NODE: f"{self.folder}/{name}"})

    def _wait_until_idle(self) -> None:
        self._wait(lambda: self.client("sinfo", "--noheader", "--format=%t").split() == ["idle"], "no idle nodes")

    def _wait(self, ready, complaint: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not ready():
            dead = [name for name, process in self._running.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                outs = "\n".join((self.folder / f"{name}.out").read_text(errors="replace")[-2000:] for name in dead)
                raise RuntimeError(f"{complaint}; ended: {dead}\n{outs}")
            time.sleep(0.1)

    def client(self, program: str, *arguments: str) -> str:
        """What a client program of Slurm prints."""
        done = subprocess.run([self.folder / "bin" / program, *arguments], capture_output=True, text=True, timeout=60)
        return done.stdout

    def state(self, number: str) -> str:
        """The state of a job, `RUNNING` for instance."""
        return re.search(r"JobState=(\w+)", self.client("scontrol", "show", "job", number))[1]

    def restarts(self, number: str) -> int:
        """How often a job was started again because its node was lost."""
        return int(re.search(r"Restarts=(\d+)", self.client("scontrol", "show", "job", number))[1])

    def environment(self) -> dict[str, str]:
        """Environment of a user of this cluster."""
        return {**os.environ, "PATH": os.pathsep.join([str(self.folder / "bin"), _search_path()]),
                _CLUSTER: str(self.folder)}

    def stop(self) -> None:
        """End all daemons and what they run, by process id."""
        _kill_marked(f"{_CLUSTER}={self.folder}")
        for process in self._running.values():
            process.wait()
        self._running.clear()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _marked(*marks: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = set((folder / "environ").read_bytes().decode(errors="replace").split("\0"))
            if int(folder.name) != os.getpid() and variables.issuperset(marks):
                found.append(int(folder.name))
    return found


def _parent(process: int) -> int:
    # A daemon of a job's step overwrites its environment with its title: it is known by what it started.
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _name(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def _kill(process: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGKILL)


def _kill_marked(*marks: str) -> None:
    # What a job runs is no child of its node's daemon, but has its environment. Twice: it may just have forked.
    for _ in range(2):
        for process in _marked(*marks):
            _kill(process)


if __name__ == "__main__":
    with VirtualCluster(Path(sys.argv[1])) as cluster:
        print(f"export PATH={cluster.folder}/bin:$PATH")
        print(cluster.client("sinfo"))
        sys.stdin.read()
