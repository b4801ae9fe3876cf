"""Where the prepared data of a config lie, and what a user without them has to do."""

from mmengine.config import Config

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.errors import InputError


def data_places(cfg: Config, given: list[str] | None) -> tuple[list[str], list[dict]]:
    """Return the folders of the prepared data, and for each dataset, owner and prepare (the command).

    Args:
        cfg: `data_root`, a folder or a list of folders, and `data_source`, one for each: the name of a data set, or
            owner and prepare of data that are in no catalogue.
        given: The folders of the command line, in place of data_root.
    """
    roots = _as_list(given or cfg.data_root)
    sources = [describe_source(source, cfg.dataset) for source in _as_list(cfg.data_source)]
    if len(roots) != len(sources):
        names = ', '.join(source['dataset'] for source in sources)
        raise InputError(
            f'expected {len(sources)} data roots, one for each of {names} in this order, got {len(roots)} '
            f'({", ".join(roots)}); correct --data-root or the config'
        )
    return roots, sources


def describe_source(source: str | dict, dataset: str) -> dict:
    """Return dataset, owner and prepare of one entry of `data_source`; `dataset` names what is in no catalogue."""
    if isinstance(source, dict):
        return dict(dataset=dataset, **source)
    if source not in DATASETS:
        raise InputError(
            f'data_source: expected one of {", ".join(DATASETS)}, or dict(owner=WHOM TO ASK, prepare=COMMAND), '
            f'got {source!r}; correct it'
        )
    command = f'python tools/prepare.py {source} --raw FOLDER_OF_{source.upper()}'
    return dict(dataset=source, owner=DATASETS[source].owner, prepare=command)


def _as_list(value: object) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
