"""Whether a run folder holds folds of the settings and data that are to be continued or tested."""

from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.results.record import RESCORED, read_record


def refuse_other_settings(work_dir: Path, record: dict, advice: str, continued: bool = False) -> None:
    """Refuse folds of other settings or data, and name the first part that differs: what a user chose comes first.

    Args:
        work_dir: The run folder.
        record: Of the run to be.
        advice: What to do.
        continued: Whether more folds are trained, whose device and precision must be the same too.
    """
    if not (work_dir / 'record.json').exists():
        raise InputError(f'{work_dir} holds folds without a record.json; {advice}')
    earlier, now = settings_of(read_run(work_dir), continued), settings_of(record, continued)
    for part, value in now.items():
        if value != earlier[part]:
            raise InputError(f'{work_dir} holds folds of another {part} ({difference(earlier[part], value)}); {advice}')


def read_run(work_dir: Path) -> dict:
    """Return the record of a run folder, with all that a run asks it for.

    Raises:
        InputError: It is missing or damaged: nobody knows what settings the folds beside it have.
    """
    path = work_dir / 'record.json'
    try:
        record = read_record(path)
    except InputError as error:
        reason = str(error).removeprefix(f'{path}: ').partition('; ')[0]
    else:
        if record['source'] != RESCORED and (not record['complete'] or 'full' in (record['scores'] or ())):
            return record
        reason = 'it is of no run, or without its scores'
    raise InputError(
        f'{path} is damaged ({reason}), so that the settings of the folds beside it are not known; put back a copy of '
        'it, or give another --work-dir'
    )


def settings_of(record: dict, continued: bool) -> dict:
    """Return what all folds of a run share; the config as a whole after the parts of it that have a name."""
    config, data = record['config'], record['data']
    return {
        'label scheme': record['label_scheme'],
        'list of action units': config.get('action_units'),
        'rule of folds': config.get('folds'),
        'set of channels': data['store'].get('channels'),
        'data set': record['dataset'],
        'config': dict(text=config['text'], digest=config['digest']),
        'file of pretrained weights': weights_of(record),
        'annotation table': dict(digest=data['annotations_digest']),
        'flow store': dict(digest=data['store_digest']),
        'seed': record['seed'],
        **(dict(device=record['device'], precision=precision_of(record)) if continued else {}),
    }


def weights_of(record: dict) -> dict | None:
    """Return name and digest of the file of weights that a run started from, without how many of them fitted."""
    noted = record.get('pretrained')
    return {key: noted.get(key) for key in ('name', 'digest')} if isinstance(noted, dict) else None


def precision_of(record: dict) -> str | None:
    """Return what was decided about mixed precision; None in fp32, and in a record of before such decisions."""
    noted = record.get('precision') or {}
    return None if noted.get('used') == 'fp32' else noted.get('decision')


def difference(earlier: object, now: object) -> str:
    """Return 'EARLIER, now NOW'; of two texts the first lines that differ."""
    if isinstance(now, dict) and 'text' in now:
        pairs = zip(earlier['text'].splitlines(), now['text'].splitlines(), strict=False)
        earlier, now = next(((a.strip(), b.strip()) for a, b in pairs if a != b), (earlier, now))
    return f'{shown(earlier)}, now {shown(now)}'


def shown(value: object) -> str:
    """A value for people: of a digest its first eight letters."""
    if isinstance(value, dict) and 'digest' in value:
        return ' '.join(filter(None, (value.get('name'), value['digest'][:8])))
    if isinstance(value, (list, tuple)):
        return ' '.join(map(str, value))
    if isinstance(value, dict):
        return ', '.join(map(str, value.values()))
    return 'none' if value is None else str(value)
