"""Which machine a benchmark ran on, in the words of its kept file."""

import os
import re
from datetime import date
from pathlib import Path

import joblib
import torch

from benchmarks.formats import plural
from mer_bench.experiment.precision import hidden_flags
from mer_bench.experiment.provenance import commit, versions

CPUINFO = Path('/proc/cpuinfo')
# what decides the speed of matrix products, the fastest first; the names of Linux, on x86 and on ARM
INSTRUCTIONS = ('amx_bf16', 'avx512_bf16', 'avx512f', 'avx2', 'sve', 'bf16', 'asimd')


def describe_machine(device: str = 'cpu') -> dict:
    """Return what the speed of a program depends on.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``: what the benchmark ran on.

    Returns:
        name: a short one, of the GPU or else of the processor with its cores and best instructions; cpu (processor,
        model: family, model and stepping, cores that this process may use, of all, instructions, best first);
        memory_gib; gpu (name, memory_gib) or None; versions (processor, python, and the libraries that compute);
        commit or None; date.
    """
    found = versions()
    cpu = {
        'processor': found.pop('processor'),
        'model': ' '.join(filter(None, (cpuinfo(key) for key in ('cpu family', 'model', 'stepping')))),
        'cores': joblib.cpu_count(),
        'cores_of_machine': os.cpu_count(),
        'instructions': instructions(),
    }
    gpu = describe_gpu(device)
    return {
        'name': gpu['name'] if gpu else name_cpu(cpu),
        'device': device.partition(':')[0],
        'cpu': cpu,
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1),
        'gpu': gpu,
        'versions': found,
        'commit': commit(),
        'date': date.today().isoformat(),
    }


def describe_gpu(device: str) -> dict | None:
    """Return name and memory of the GPU that a benchmark ran on, None for a CPU."""
    if not device.startswith('cuda'):
        return None
    found = torch.cuda.get_device_properties(device)
    return {'name': found.name, 'memory_gib': round(found.total_memory / 2**30, 1), 'cuda': torch.version.cuda}


def cpuinfo(key: str) -> str:
    """Return the first value of a key that Linux tells about its processors, '' where there is none."""
    text = CPUINFO.read_text() if CPUINFO.exists() else ''
    found = re.search(rf'^{re.escape(key)}\s*:\s*(.*)$', text, re.MULTILINE)
    return found[1].strip() if found else ''


def instructions() -> list[str]:
    """Return which of INSTRUCTIONS the processor has and shows; what torch found where the system does not say."""
    flags = {*f'{cpuinfo("flags")} {cpuinfo("Features")}'.split()} - hidden_flags()
    found = [name for name in INSTRUCTIONS if name in flags]
    return found or [torch.backends.cpu.get_cpu_capability().lower()]


def name_cpu(cpu: dict) -> str:
    """Return `processor, cores, best instructions`: hypervisors give different processors one name."""
    return f'{cpu["processor"]}, {plural(cpu["cores"], "core")}, {cpu["instructions"][0].replace("_", "-")}'


def slug(name: str) -> str:
    """Return the name of a machine as the name of a folder."""
    return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')
