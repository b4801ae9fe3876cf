"""The files that a run reads, on a node of a cluster: where the driver has them, or else in a folder of the node."""

import copy
import getpass
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock

from mer_bench.errors import InputError
from mer_bench.experiment.config_checks import weights_places
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.provenance import describe_pretrained
from mer_bench.files import digest_of
from mer_bench.preparation.store.flow_store import PARTS
from mer_bench.protocols.excluded_clips import EXCLUDED_CLIPS

Content = TypeVar('Content')


@dataclass(frozen=True)
class Places:
    """Where the files of a run lie: prepared data, an own label scheme, pretrained weights (None: there is none)."""

    roots: tuple[str, ...]
    scheme: str | None
    weights: str | None

    @property
    def files(self) -> dict[str, Path]:
        """All files by the names that :meth:`within` gives them."""
        files = {}
        for number, root in enumerate(self.roots):
            parts = ('annotations.csv', *(f'store/{part}' for part in PARTS))
            files |= {f'data{number}/{part}': Path(root, part) for part in parts}
        if self.scheme:
            excluded = Path(self.scheme).with_name(EXCLUDED_CLIPS)
            files |= {f'scheme/{path.name}': path for path in (Path(self.scheme), excluded) if path.is_file()}
        if self.weights:
            files[f'weights/{Path(self.weights).name}'] = Path(self.weights)
        return files

    def within(self, folder: Path) -> 'Places':
        """The same files in one folder."""
        return Places(
            roots=tuple(str(folder / f'data{number}') for number in range(len(self.roots))),
            scheme=self.scheme and str(folder / 'scheme' / Path(self.scheme).name),
            weights=self.weights and str(folder / 'weights' / Path(self.weights).name),
        )


def places_of(experiment: Experiment) -> Places:
    """Return the places of an experiment as absolute paths: a node has another working directory."""
    scheme, cfg = experiment.method.scheme, experiment.method.cfg
    weights = next((holder[key] for holder, key in weights_places(cfg)), None) if describe_pretrained(cfg) else None
    return Places(
        roots=tuple(str(Path(root).absolute()) for root in experiment.data.roots),
        scheme=None if scheme.built_in else str(scheme.path.absolute()),
        weights=weights and str(Path(weights).absolute()),
    )


def moved(experiment: Experiment, places: Places) -> Experiment:
    """Return the experiment on the same files in other places."""
    data, cfg = experiment.data, copy.deepcopy(experiment.method.cfg)
    stores = {
        str(Path(old, 'store')): str(Path(new, 'store')) for old, new in zip(data.roots, places.roots, strict=True)
    }
    annotations = data.annotations.assign(store=data.annotations['store'].map(stores))
    if places.scheme:
        cfg.label_scheme = places.scheme
    if places.weights:
        ((holder, key),) = weights_places(cfg)
        holder[key] = places.weights
    return replace(
        experiment,
        data=replace(data, roots=places.roots, annotations=annotations),
        method=replace(experiment.method, cfg=cfg),
    )


def is_seen(experiment: Experiment, pretrained: dict | None) -> bool:
    """Say whether this node has the very files of an experiment.

    Args:
        experiment: With its places.
        pretrained: Name and digest of the weights that are expected.
    """
    try:
        experiment.check_unchanged()
    except InputError:
        return False
    return describe_pretrained(experiment.method.cfg) == pretrained


def put_down(shipped: Mapping[str, Content], identity: object, fetch: Callable[[Content], np.ndarray]) -> Path:
    """Write shipped files into a folder of this node, once for all tasks and sweeps, and return it.

    Args:
        shipped: A content by file name.
        identity: What tells these files from others.
        fetch: Turns a content into bytes (uint8).
    """
    base = Path(tempfile.gettempdir(), f'mer_bench_{getpass.getuser()}')
    base.mkdir(mode=0o700, exist_ok=True)
    folder = base / digest_of([sorted(shipped), identity])[:16]
    with FileLock(f'{folder}.lock'):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=base) as scratch:
                whole = Path(scratch, 'whole')
                for name, content in shipped.items():
                    path = whole / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(fetch(content))  # tofile can lose the last bytes on a full disk
                whole.rename(folder)
    return folder
