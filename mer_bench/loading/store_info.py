"""What several flow stores say of themselves, as one: a run may only join clips that were prepared alike."""

from mer_bench.errors import InputError
from mer_bench.preparation.store.flow_store import CHANNELS

SAME = ('flow', 'flow_parameters', 'channels', 'reference', 'clip_len', 'size', 'sampling')
# These may differ: SMIC has no apex in its release, and some data sets come with cropped faces.
EITHER = ('apex', 'faces')


def common_info(infos: dict[str, dict]) -> dict:
    """Join the store.json of each folder in `infos`; that of a single one stays as it is.

    Returns:
        What all stores have in common; sums of n_clips and seconds; synthetic if one is; apex and faces as a dict
        {data set: its own}, where they differ; all of them under `stores`.
    """
    infos = {root: {'channels': list(CHANNELS), **info} for root, info in infos.items()}
    first, *others = infos
    for root in others:
        for name in SAME:
            if infos[root].get(name) != infos[first].get(name):
                raise InputError(
                    f'{root}/store: expected {name} {infos[first].get(name)} as in {first}/store, found '
                    f'{infos[root].get(name)}; prepare both with the same options'
                )
    return _joined(infos) if others else infos[first]


def difference_note(info: dict) -> str | None:
    """Say in one sentence where the apex or the faces of several data sets come from different places, if they do."""
    texts = [_difference(name, info.get('stores', []), info.get(name)) for name in EITHER]
    differences = '; '.join(text for text in texts if text)
    return f'note: the data sets were not prepared alike: {differences}' if differences else None


def _difference(name: str, stores: list[dict], joined: object) -> str | None:
    """'faces smic: none, casme2: dlib', or None where all are of one kind."""
    kinds = [_kind(store.get(name)) for store in stores]
    if len({*kinds}) < 2:
        return None
    return f'{name} {", ".join(f"{key}: {kind}" for key, kind in zip(joined, kinds, strict=True))}'


def _kind(value: object) -> str:
    """Detector, size of the crop and stabilisation, or the sources of an apex without their numbers of clips."""
    if isinstance(value, dict) and 'detector' in value:
        size = f' {value["size"]}' if 'size' in value else ''
        return f'{value["detector"]}{size}{" stabilised" if value.get("stabilise") else ""}'
    return ' and '.join(value) if isinstance(value, dict) else str(value or 'unknown')


def _joined(infos: dict[str, dict]) -> dict:
    first, *_ = stores = [*infos.values()]
    common = {key: value for key, value in first.items() if all(info.get(key) == value for info in stores)}
    datasets = [info['dataset'] for info in stores]
    keys = [info['dataset'] if datasets.count(info['dataset']) == 1 else root for root, info in infos.items()]
    either = {name: dict(zip(keys, (info.get(name) for info in stores), strict=True)) for name in EITHER}
    return {**either, **common} | dict(
        n_clips=sum(info['n_clips'] for info in stores),
        seconds=sum(info['seconds'] for info in stores),
        synthetic=any(info['synthetic'] for info in stores),
        stores=stores,
    )
