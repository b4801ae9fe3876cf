"""What each node of a Slurm job does: the first starts the head of a Ray cluster and the sweep, the others join it."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

RAY = (sys.executable, '-m', 'ray.scripts.scripts', 'start', '--block', '--disable-usage-stats')
SWEEP = Path(__file__).parents[2] / 'tools/sweep.py'
PORTS = range(20000, 40000)  # one for each job: several may have their head on one node
SECONDS_TO_START = 300.0


@dataclass(frozen=True)
class SweepNode:
    """A function of no arguments that submitit calls on every node.

    Attributes:
        sweep: Arguments of tools/sweep.py.
        cpus: Of a node.
        gpus: Of a node.
        folder: Where the sweep is started.
        token: Without it nobody else on the network can give the cluster anything to do.
    """

    sweep: Sequence[str]
    cpus: int
    gpus: int
    folder: str
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def __call__(self) -> int:
        """Be the head or another node; return the exit code of the sweep."""
        import submitit

        job = submitit.JobEnvironment()
        address = f'{ip_of(job.hostnames[0])}:{port_of(job.job_id)}'
        if job.global_rank == 0:
            with self.running(head_command(address, self.cpus, self.gpus)):
                wait_until_open(address)
                return subprocess.call(sweep_command(address, self.sweep), cwd=self.folder, env=self.environment)
        wait_until_open(address)
        with self.running(node_command(address, self.cpus, self.gpus)) as node:
            node.wait()  # until the head ends
        return 0

    @property
    def environment(self) -> dict[str, str]:
        """What the processes of the cluster share; a node waits seconds, not a minute, for a head that has ended."""
        known = dict(RAY_AUTH_MODE='token', RAY_AUTH_TOKEN=self.token, RAY_gcs_rpc_server_reconnect_timeout_s='10')
        return {**os.environ, **known}

    @contextmanager
    def running(self, command: list[str]) -> Iterator[subprocess.Popen]:
        """Run a part of the cluster, and end it."""
        process = subprocess.Popen(command, env=self.environment)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    def checkpoint(self):
        """What submitit puts into the queue again where the time is up, or the job has to make room: the rest."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def port_of(job_id: str) -> int:
    """Return the port of the head of a job."""
    return PORTS[int(''.join(filter(str.isdigit, job_id)) or 0) % len(PORTS)]


def ip_of(host: str) -> str:
    """Return the address of a node; some name themselves by one that only they can reach."""
    import ray

    address = socket.gethostbyname(host)
    return ray.util.get_node_ip_address() if address.startswith('127.') else address


def head_command(address: str, cpus: int, gpus: int) -> list[str]:
    """The command that starts the head, which trains as well."""
    ip, _, port = address.rpartition(':')
    place = ['--head', f'--node-ip-address={ip}', f'--port={port}', '--include-dashboard=false']
    return [*RAY, *place, f'--num-cpus={cpus}', f'--num-gpus={gpus}']


def node_command(address: str, cpus: int, gpus: int) -> list[str]:
    """The command that joins a node to the cluster."""
    return [*RAY, f'--address={address}', f'--num-cpus={cpus}', f'--num-gpus={gpus}']


def sweep_command(address: str, arguments: Sequence[str]) -> list[str]:
    """The command of the sweep."""
    return [sys.executable, str(SWEEP), '--engine', 'ray', '--address', address, *arguments]


def wait_until_open(address: str) -> None:
    """Wait until the head of a cluster listens.

    Raises:
        TimeoutError: It does not.
    """
    host, _, port = address.rpartition(':')
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=5):
            return
        time.sleep(1)
    raise TimeoutError(f'no head of Ray at {address}')
