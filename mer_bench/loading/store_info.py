"""What several flow stores say of themselves, as one: a run may only join clips that were prepared alike."""

from mer_bench.errors import InputError
from mer_bench.loading.flow_data_preprocessor import CHANNELS

# the apex may differ: SMIC has none in its release, the other data sets have one
SAME = ('flow', 'flow_parameters', 'channels', 'reference', 'clip_len', 'size')


def common_info(infos: dict[str, dict]) -> dict:
    """Join the store.json of each folder in `infos`; that of a single one stays as it is.

    Returns:
        What all stores have in common; sums of n_clips and seconds; synthetic if one is; apex with the data set in
        front where they differ ('smic: middle, casme2: annotated'); all of them under `stores`.
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
    return _joined(list(infos.values())) if others else infos[first]


def _joined(infos: list[dict]) -> dict:
    first = infos[0]
    common = {key: value for key, value in first.items() if all(info.get(key) == value for info in infos)}
    return common | dict(
        n_clips=sum(info['n_clips'] for info in infos),
        seconds=sum(info['seconds'] for info in infos),
        synthetic=any(info['synthetic'] for info in infos),
        apex=common.get('apex') or ', '.join(f'{info["dataset"]}: {info.get("apex")}' for info in infos),
        stores=infos,
    )
