"""How much memory a device has left."""

import os
from pathlib import Path

import torch

MEMINFO = Path('/proc/meminfo')
CGROUP = Path('/sys/fs/cgroup')  # of a container, where it has version 2 of them


def free_memory(device: torch.device) -> int:
    """Return the bytes that a process could still take on a device; 0 where the system does not say."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    if device.type != 'cpu' or not MEMINFO.exists():
        return 0
    lines = dict(line.split(':', 1) for line in MEMINFO.read_text().splitlines())
    free = int(lines['MemAvailable'].split()[0]) * 1024
    limit, used = CGROUP / 'memory.max', CGROUP / 'memory.current'
    if limit.exists() and used.exists() and (text := limit.read_text().strip()).isdigit():
        free = min(free, int(text) - int(used.read_text()))
    return max(free, 0)


def sharers(device: torch.device) -> int:
    """Return how many processes may want the same of a device: one per core of a CPU, two on a GPU."""
    return len(os.sched_getaffinity(0)) if device.type == 'cpu' and hasattr(os, 'sched_getaffinity') else 2
