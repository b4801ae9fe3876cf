"""Where the data of a config are: `data_source` names its data sets, `data_root` the folder of each."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.errors import InputError, command
from mer_bench.experiment.config_files import CONFIGS, shipped
from mer_bench.files import Stamp, read_own_json, stamp_of
from mer_bench.preparation.store.flow_store import PARTS
from mer_bench.protocols.label_schemes import EXCLUDED_CLIPS

UNKNOWN = dict(owner='their owner', prepare='mer-bench prepare DATASET')
FORM = 'dict(dataset=NAME, owner=WHOM TO ASK, prepare=COMMAND)'  # of an entry of data_source


def find_data(cfg: Config, given: list[str] | None) -> tuple[list[str], list[dict]]:
    """Return the folders of the prepared data, and dataset, owner and prepare (the command) of each.

    Args:
        cfg: `data_root`, a folder or a list of folders, and `data_source`, one for each: the name of a data set, or
            dataset, owner and prepare of data that are in no catalogue. The text of a record has neither.
        given: The folders that the user names, in place of data_root.

    With `data_variant` (data prepared in another way), `_<name>` is appended to each folder and its options to each
    command.
    """
    if not (given or cfg.get('data_root')):
        raise InputError('expected the folders of the prepared data, which this config does not name; give --data-root')
    roots, variant = _as_list(given or cfg.data_root), cfg.get('data_variant')
    if variant:
        roots = [f'{str(root).rstrip("/")}_{variant["name"]}' for root in roots]
    if (entries := cfg.get('data_source')) is None:  # what is there
        names = [cfg.dataset] if len(roots) == 1 else map(_dataset_in, roots)
        entries = [name if name in DATASETS else dict(UNKNOWN, dataset=name) for name in names]
    sources = data_sources(entries, cfg.dataset)
    if variant:
        sources = [dict(source, prepare=f'{source["prepare"]} {variant["options"]}') for source in sources]
    if len(roots) != len(sources):
        names = ', '.join(source['dataset'] for source in sources)
        fitting = fitting_configs(roots, cfg.label_scheme) if len(roots) < len(sources) else []
        raise InputError(
            f'expected {len(sources)} data roots, one for each of {names} in this order, got {len(roots)} '
            f'({", ".join(roots)}); '
            + (f'for these data use {" or ".join(fitting)}' if fitting else 'correct --data-root or the config')
        )
    return roots, sources


def fitting_configs(roots: list[str], label_scheme: str) -> list[str]:
    """Return the names of the shipped configs for exactly these prepared data, those of the label scheme if there are.

    A folder that is not prepared yet counts as the data set of its name.
    """
    datasets = sorted(map(_dataset_in, roots))
    configs = {path.stem: Config.fromfile(path) for path in shipped(CONFIGS)}
    fitting = {
        name: cfg.label_scheme
        for name, cfg in configs.items()
        if source_names(cfg.data_source, cfg.dataset) == datasets
    }
    return [name for name, scheme in fitting.items() if scheme == label_scheme] or list(fitting)


def _dataset_in(root: str) -> str:
    info = read_own_json(Path(root, 'store/store.json')) or {}
    return str(info.get('dataset', Path(root).name))


def data_sources(entries: object, dataset: str) -> list[dict]:
    """Return dataset, owner and prepare of each entry of `data_source`.

    Args:
        entries: One entry or a list: the name of a data set of the catalogue, or all three of another one.
        dataset: The data set of a single entry that leaves it out.
    """
    entries = _as_list(entries)
    known = dict(dataset=dataset) if len(entries) == 1 else {}
    return [_describe({**known, **entry} if isinstance(entry, dict) else entry) for entry in entries]


def source_names(entries: object, dataset: str) -> list[str]:
    """Return the data sets of `data_source` by name; see :func:`data_sources`."""
    return sorted(source['dataset'] for source in data_sources(entries, dataset))


def _describe(source: str | dict) -> dict:
    if isinstance(source, dict) and {*source} == {'dataset', 'owner', 'prepare'}:
        return source
    if not isinstance(source, str) or source not in DATASETS:
        raise InputError(f'data_source: expected one of {", ".join(DATASETS)}, or {FORM}, got {source!r}; correct it')
    files = '--sheet FILE --frames FOLDER' if source == 'csv' else f'--raw FOLDER_OF_{source.upper()}'
    return dict(dataset=source, owner=DATASETS[source].owner, prepare=f'{command("prepare")} {source} {files}')


def joined_name(datasets: list[str]) -> str:
    """Return the name of several data sets together, whatever their order."""
    return '+'.join(sorted(datasets))


def stamps_of(scheme: Path, roots: Sequence[str]) -> tuple[Stamp | None, ...]:
    """Return path, size and times of the files that a run reads; None for a file that does not exist."""
    files = [scheme, scheme.with_name(EXCLUDED_CLIPS)]
    for root in roots:
        files += [Path(root, 'annotations.csv'), *(Path(root, 'store', part) for part in PARTS)]
    return tuple(map(stamp_of, files))


def _as_list(value: object) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
