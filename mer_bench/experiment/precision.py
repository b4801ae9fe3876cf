"""On what a run computes: device, precision (bf16 if the hardware has instructions for it), versions."""

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from mmengine.config import Config

import mer_bench
from mer_bench.errors import InputError
from mer_bench.files import digest_of

BF16_FLAGS = {'avx512_bf16', 'amx_bf16'}
# the values of ONEDNN_MAX_CPU_ISA below AVX512_CORE_BF16, in any case of letters; oneDNN ignores names it does not know
# https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
WITHOUT_BF16 = {'SSE41', 'AVX', 'AVX2', 'AVX2_VNNI', 'AVX2_VNNI_2', 'AVX512_CORE', 'AVX512_CORE_VNNI'}
MOST_NAMED = 2  # layers in the line of a log
AMPERE = 8  # major compute capability of the first CUDA devices with bf16
# by the names of records; what has no version.py is installed as the distribution after the slash
PACKAGES = dict(
    torch='torch',
    torchvision='torchvision',
    mmengine='mmengine',
    mmaction2='mmaction',
    mmcv='mmcv',
    numpy='numpy/numpy',
    sklearn='sklearn/scikit-learn',
)


@dataclass(frozen=True)
class PrecisionCheck:
    """The comparison of gradients in mixed precision with fp32, before the first fold of a run.

    Attributes:
        asked: bf16 or fp16, which the hardware has.
        used: The same, or fp32 where that cannot be trusted.
        fp32_layers: Names of the layers that compute in fp32 nevertheless.
        agreement: The smallest remaining agreement with fp32, see :mod:`mer_bench.training.gradient_check`.
        seconds: Duration of the comparison.
        why: Why fp32 is used.
    """

    asked: str
    used: str
    fp32_layers: tuple[str, ...] = ()
    agreement: float | None = None
    seconds: float | None = None
    why: str = ''

    @property
    def decision(self) -> str:
        """The part that all folds of a run must share."""
        if self.used != self.asked:
            return f'{self.used} in place of {self.asked}'
        return self.named(self.fp32_layers)

    def named(self, layers: tuple[str, ...]) -> str:
        """Name the precision, the number of layers that compute in fp32, and some of them."""
        if not layers:
            return self.asked
        count = len(self.fp32_layers)
        more = ', ...' * (len(layers) < count)
        return f'{self.asked}, {count} layer{"s" * (count > 1)} in fp32 ({", ".join(layers)}{more})'

    @property
    def line(self) -> str:
        """The line in the log; record.json names all layers."""
        if self.why:
            return f'precision: {self.decision}: {self.why}'
        if None in (self.agreement, self.seconds):  # of a record that lacks them
            return f'precision: {self.decision}'
        return (
            f'precision: {self.named(self.fp32_layers[:MOST_NAMED])}; the gradients agree with fp32, '
            f'the least to {self.agreement:.4f} ({self.seconds:.0f} s)'
        )

    @property
    def record(self) -> dict:
        """The entry of record.json."""
        return dict(asdict(self), fp32_layers=list(self.fp32_layers), decision=self.decision)

    @classmethod
    def from_record(cls, record: dict) -> 'PrecisionCheck | None':
        """Return the check in a record, or None if there is none."""
        noted = record.get('precision')
        if not noted:
            return None
        known = {part.name: noted[part.name] for part in fields(cls) if part.name in noted}
        return cls(**known | dict(fp32_layers=tuple(noted['fp32_layers'])))

    def covers(self, other: 'PrecisionCheck') -> bool:
        """Whether all that `other` found to be wrong computes in fp32 here."""
        if self.asked != other.asked:
            return False
        return self.used == 'fp32' or (other.used == self.used and {*other.fp32_layers} <= {*self.fp32_layers})


def refuse_device(name: object) -> None:
    """Refuse what names no device."""
    if not re.fullmatch(r'auto|cpu|cuda(:(0|[1-9][0-9]*))?', str(name)):
        raise InputError(f'--device {name}: expected auto, cpu, cuda or cuda:N; correct it')


def choose_device(name: str) -> str:
    """Return cpu, cuda or cuda:N for a device that a user names: one of these, or `auto` for cuda if there is a GPU.

    Raises:
        InputError: It names no device, or a GPU that torch cannot use.
    """
    refuse_device(name)
    kind, _, number = name.partition(':')
    if kind == 'cpu' or (kind == 'auto' and not may_have_gpu()):
        return 'cpu'
    import torch  # takes seconds

    count = torch.cuda.device_count()
    if kind == 'cuda' and int(number or 0) >= count:
        raise InputError(f'--device {name}: expected a GPU that torch can use, found {_gpus(torch, count)}')
    return name if kind == 'cuda' else 'cuda' if count else 'cpu'


def _gpus(torch: ModuleType, count: int) -> str:
    """Say which GPUs torch can use, and what to do."""
    if count:
        return f'{count}, cuda:0{f" to cuda:{count - 1}" * (count > 1)}; choose one of these, or --device cpu'
    if not torch.backends.cuda.is_built():
        return f'torch {torch.__version__}, which is built without CUDA; install a torch with it, or use --device cpu'
    return 'none; check the driver (`nvidia-smi`) and CUDA_VISIBLE_DEVICES, or use --device cpu'


def may_have_gpu() -> bool:
    """Whether torch could find a GPU here: Linux shows the driver of each as a file, unless a setting hides all."""
    drivers = ('nvidia*', 'nvhost*', 'nvmap', 'kfd', 'dxg')  # of NVIDIA, of its boards, of AMD, of Linux in Windows
    shown = sys.platform != 'linux' or any(any(Path('/dev').glob(name)) for name in drivers)
    return shown and os.environ.get('CUDA_VISIBLE_DEVICES') != ''


def choose_precision(cfg: Config, device: str, mixed: str | None = None) -> str:
    """Return fp32, bf16 or fp16 for `amp` of the config: 'auto' where the hardware is fast in it, True, or False.

    With 'auto', :func:`mer_bench.runs.model.check` returns to fp32 for a network that can be trained from memory.

    Args:
        cfg: Of the method.
        device: Of the training.
        mixed: Result of :func:`mixed_precision` for that device, if it is on another machine.

    Raises:
        InputError: amp=True on a processor that could only imitate bf16, many times slower than fp32.
    """
    wrapper = cfg.optim_wrapper
    if wrapper.get('type') == 'AmpOptimWrapper':  # MMEngine's own
        return {'bfloat16': 'bf16', 'float32': 'fp32'}.get(wrapper.get('dtype'), 'fp16')
    amp = cfg.get('amp', False)
    precision = (mixed or mixed_precision(device)) if amp else 'fp32'
    if amp is True and precision == 'fp32':
        raise InputError("amp=True: this processor has no instructions for bf16; use amp='auto', or amp=False")
    return precision


def mixed_precision(device: str) -> str:
    """Return the precision for which a device (cpu, cuda, cuda:N) has instructions beside fp32; fp32 if none."""
    if device == 'cpu' and not has_bf16_instructions():
        return 'fp32'
    import torch

    if device == 'cpu':
        return 'bf16' if torch.backends.mkldnn.is_available() else 'fp32'
    return 'bf16' if torch.cuda.get_device_capability(device)[0] >= AMPERE else 'fp16'


def has_bf16_instructions() -> bool:
    """Whether the processor can multiply in bf16."""
    return bool(BF16_FLAGS & processor_flags())


def processor_flags() -> set[str]:
    """The instruction sets of the processor without the hidden ones; empty if Linux does not name them."""
    return {*cpuinfo('flags').split()} - hidden_flags()


def cpuinfo(key: str) -> str:
    """The first value of a key in Linux's /proc/cpuinfo, of which no library here gives flags and model; else ''."""
    file = Path('/proc/cpuinfo')
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(':')[2].strip() for line in lines if line.startswith(key)), '')


def hidden_flags() -> set[str]:
    """The instruction sets that ONEDNN_MAX_CPU_ISA hides, here as in oneDNN, which computes the convolutions of torch.

    AVX512_CORE and all below it hide those for bf16. DNNL_MAX_CPU_ISA is the older name of this environment variable.
    """
    limit = os.environ.get('ONEDNN_MAX_CPU_ISA') or os.environ.get('DNNL_MAX_CPU_ISA', '')
    return BF16_FLAGS if limit.upper() in WITHOUT_BF16 else set()


def versions() -> dict:
    """Return the processor, and the versions of Python and of the libraries that compute, without importing them."""
    libraries = dict(python=platform.python_version(), **_installed(), mer_bench=mer_bench.__version__)
    return dict(processor=cpuinfo('model name') or platform.processor() or platform.machine(), **libraries)


@cache
def _installed() -> dict[str, str | None]:
    """Return the version of each of PACKAGES, and of OpenCV; None for one that is not installed."""
    import cv2  # of its distributions several may be installed, and they add a number of their own

    return {name: version_of(*package.split('/')) for name, package in PACKAGES.items()} | dict(opencv=cv2.__version__)


@cache
def source_digest() -> str:
    """Return the digest of the code of mer_bench: another one may compute other numbers, or take another time."""
    root = Path(mer_bench.__file__).parent
    return digest_of(
        [
            [str(path.relative_to(root)), path.read_text(encoding='utf-8')]
            for path in sorted(root.rglob('*'))
            if path.suffix in ('.py', '.cpp', '.h', '.csv')
        ]
    )


def version_of(package: str, distribution: str | None = None) -> str | None:
    """Return `__version__` of a package without importing it; None if it is not installed.

    Its version.py is read because the metadata of torch lack the build, such as +cu130.
    """
    if (spec := find_spec(package)) is None:
        return None
    if distribution:
        return metadata.version(distribution)
    text = Path(spec.origin).with_name('version.py').read_text(encoding='utf-8')
    return re.search(r"""^__version__ = ['"](.+)['"]""", text, re.MULTILINE)[1]


@cache
def commit() -> str | None:
    """Return the commit of the clone, with `+changes` where it is not clean; None outside a clone or without git."""
    root = Path(mer_bench.__file__).parents[1]
    if not (root / '.git').exists() or shutil.which('git') is None:
        return None
    command = ['git', 'describe', '--always', '--abbrev=12', '--exclude=*', '--dirty=+changes']
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout.strip() or None
