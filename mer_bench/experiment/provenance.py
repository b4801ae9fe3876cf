"""The provenance of a run, the first part of record.json: settings, data, where and when; a continued run shares it."""

import ast
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.experiment.candidates import RULE
from mer_bench.experiment.experiment import Experiment
from mer_bench.experiment.method import weights_places
from mer_bench.experiment.precision import PrecisionCheck, commit, versions
from mer_bench.files import digest_file
from mer_bench.preparation.store.flow_store import EITHER
from mer_bench.protocols.action_units import encode_action_units
from mer_bench.protocols.folds import Fold
from mer_bench.protocols.label_schemes import count_reasons
from mer_bench.protocols.official_counts import absence_note, official_note
from mer_bench.results.record import RESCORED, SCHEMA_VERSION, read_record


def start_record(experiment: Experiment, seed: int, command: str | None = None) -> dict:
    """Return the record of a run without its model: the command that trains it, method, data and protocol."""
    method, data, folds = experiment.method, experiment.data, experiment.folds
    clips, info, classes = data.annotations, data.info, list(method.cfg.classes)
    notes, pretrained, place = notes_on_data(experiment), describe_pretrained(method.cfg), decided(experiment)
    methods = [candidate.experiment.method for candidate in experiment.candidates] or [method]
    views = [each.content.get('input') for each in methods]
    of_class = clips.groupby('label')
    n_clips, n_subjects = of_class.size(), of_class['subject'].nunique()
    return dict(
        schema_version=SCHEMA_VERSION,
        command=command,
        method=method.name,
        config=dict(
            name=method.config_name,
            text=method.text,
            digest=method.digest,
            folds=method.cfg.folds.to_dict(),
            input=views[0] if all(view == views[0] for view in views) else None,  # of candidates it may not be one
            data_variant=method.content.get('data_variant'),
            action_units=method.cfg.action_units and list(method.cfg.action_units),
        ),
        overrides=method.overrides,
        pretrained=pretrained,
        protocol=method.protocol,
        label_scheme=dict(name=method.scheme.name, digest=method.scheme.digest),
        dataset=method.cfg.dataset,
        classes=classes,
        seed=int(seed),  # one of NumPy cannot be written as JSON
        data=dict(**data.digests, clips_digest=data.clips_digest, store=info),
        notes=notes,
        note_on_model=None,
        n_clips=len(clips),
        n_subjects=int(clips['subject'].nunique()),
        clips_per_class={name: int(n_clips.get(name, 0)) for name in classes},
        subjects_per_class={name: int(n_subjects.get(name, 0)) for name in classes},
        folds=dict(total=len(folds), done=0, missing=[fold.name for fold in folds]),
        complete=False,
        scores=None,
        parameters=None,
        flops=None,
        seconds=dict(prepare=info['seconds'], train=None, test=None),
        **place,
        source='reproduced',
        synthetic=bool(info['synthetic']),
        epoch_rule=RULE if experiment.candidates and not method.is_estimator else 'last',
        **({'selection': experiment.selection} if experiment.candidates else {}),
    )


def decided(experiment: Experiment) -> dict:
    """Return what is known once the precision is decided: the precision, and where and when the run computes."""
    return dict(precision=experiment.check and experiment.check.record, **circumstances(experiment))


def describe_data(experiment: Experiment) -> list[str]:
    """Return one line for each data set: clips, subjects, classes, and how many clips are left out and why."""
    data, lines = experiment.data, []
    dropped = list(zip(data.dropped['sample_id'], data.dropped['reason'], strict=True))
    for name, clips in data.annotations.groupby('dataset'):
        counts = clips['label'].value_counts()
        classes = ', '.join(f'{label} {counts.get(label, 0)}' for label in experiment.method.cfg.classes)
        line = f'{name}: {len(clips)} clips of {clips["subject"].nunique()} subjects ({classes})'
        reasons = [reason for sample_id, reason in dropped if sample_id.startswith(f'{name}/')]
        lines.append(f'{line}; {len(reasons)} left out: {count_reasons(reasons)}' if reasons else line)
    return lines


def notes_on_data(experiment: Experiment) -> list[str]:
    """Return one sentence for each thing that a reader of the scores should know of the clips.

    These are data sets prepared in different ways, clips that are not the official ones, and folds that cannot learn a
    class or one of the action units.
    """
    data, method = experiment.data, experiment.method
    on_classes = note_on_classes(data.annotations, experiment.folds, method.cfg.action_units or ())
    notes = [difference_note(data.info), on_classes]
    if not data.info['synthetic']:
        notes += [official_note(data.annotations, method.scheme), absence_note(data.annotations, method.scheme)]
    return [note for note in notes if note]


def note_on_classes(clips: pd.DataFrame, folds: Sequence[Fold], units: Sequence[int] = ()) -> str | None:
    """Return a sentence on the folds that have no training clip of a class or action unit; None if all have.

    That happens to a class of a single subject: the fold that holds this subject out tests all of its clips.

    Args:
        clips: One row per clip: subject, label, action_units.
        folds: Those of the protocol.
        units: Action units that are learnt.
    """
    shown = pd.get_dummies(clips['label'], dtype=bool)
    if units:
        shown[[f'action unit {unit}' for unit in units]] = encode_action_units(clips, units) == 1
    by_subject = shown.groupby(clips['subject']).any()
    lacking: dict[str, list[str]] = {}
    for fold in folds:
        learnt = by_subject.drop([*fold.test_subjects]).any()
        for name in learnt.index[by_subject.any() & ~learnt]:
            lacking.setdefault(name, []).append(fold.name)
    if not lacking:
        return None
    listed = '; '.join(f'of {name} in fold {", ".join(names)}' for name, names in lacking.items())
    return f'note: no training clip {listed}: every clip that shows it is held out there, so it cannot be learnt'


def difference_note(info: dict) -> str | None:
    """Return a sentence about an apex or faces that the data sets do not have from one source; None if they do."""
    texts = [_difference(name, info.get('stores', []), info.get(name)) for name in EITHER]
    differences = '; '.join(text for text in texts if text)
    return f'note: the data sets were prepared differently: {differences}' if differences else None


def _difference(name: str, stores: list[dict], joined: object) -> str | None:
    """'faces smic: none, casme2: dlib', or None if all are of one kind."""
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


def refuse_other_settings(
    work_dir: Path, record: dict, advice: str, continued: bool = False, begun: dict | None = None
) -> dict:
    """Refuse folds of other settings or data, and name the first part that differs; the user's choices come first.

    Args:
        work_dir: The run folder.
        record: That of the run to be.
        advice: What to do.
        continued: Whether device and precision must be the same too, because more folds are trained.
        begun: The record of the folds, if it was read already.

    Returns:
        The record of the folds.
    """
    if not (work_dir / 'record.json').exists():
        raise InputError(f'{work_dir} holds folds without a record.json; {advice}')
    begun = begun or read_run(work_dir)
    earlier, now = settings_of(begun, continued), settings_of(record, continued)
    for part, value in now.items():
        if value != earlier[part]:
            by = made_with(begun, record) if part == 'config' else ''
            fault = f'another {part} ({difference(earlier[part], value)}){by}'
            raise InputError(f'{work_dir} holds folds of {fault}; {advice}')
    return begun


def read_run(work_dir: Path) -> dict:
    """Return the record of a run folder, checked for all that a continued run reads from it.

    Raises:
        InputError: It is missing or damaged, so that the settings of the folds beside it are unknown.
    """
    path = work_dir / 'record.json'
    try:
        record = read_record(path)
    except InputError as error:
        reason = str(error).removeprefix(f'{path}: ').partition('; ')[0]
    else:
        if record['source'] != RESCORED and (not record['complete'] or 'full' in (record['scores'] or ())):
            return record
        reason = 'it is no record of a run, or lacks its scores'
    raise InputError(
        f'{path} is damaged ({reason}), so the settings of the folds beside it are unknown; put back a copy of it, or '
        'give another --work-dir'
    )


def record_of_folds(work_dir: Path) -> dict | None:
    """Return the record of a run folder that holds folds, see :func:`read_run`; None if it has no record or no fold."""
    begun = (work_dir / 'record.json').exists() and any((work_dir / 'folds').glob('*'))
    return read_run(work_dir) if begun else None


def with_decision(experiment: Experiment, begun: dict | None, found: PrecisionCheck | None = None) -> Experiment:
    """Return an experiment with the decision that its folds began with if it is still enough, else with `found`.

    Args:
        experiment: As it was opened.
        begun: The record of folds that were trained before, see :func:`record_of_folds`.
        found: Result of the comparison; None if nothing is to be trained.
    """
    noted = begun and PrecisionCheck.from_record(begun)
    if noted and noted.asked == experiment.precision and (found is None or noted.covers(found)):
        found = noted
    return replace(experiment, precision=found.used, check=found) if found else experiment


def settings_of(record: dict, continued: bool) -> dict:
    """Return what all folds of a run share; the whole config comes after its parts that have a name."""
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
    """Return name and digest of the weights that a run started from, without how many of them fitted."""
    noted = record.get('pretrained')
    return {key: noted.get(key) for key in ('name', 'digest')} if isinstance(noted, dict) else None


def precision_of(record: dict) -> str | None:
    """Return the decision about mixed precision; None in fp32, and in a record older than such decisions."""
    noted = record.get('precision') or {}
    return None if noted.get('used') == 'fp32' else noted.get('decision')


def difference(earlier: object, now: object) -> str:
    """Return 'EARLIER, now NOW'; of two configs 'KEY EARLIER, now NOW' of the first key that differs."""
    key = ''
    if isinstance(now, dict) and 'text' in now:
        key, earlier, now = first_difference(*map(values_of, (earlier['text'], now['text'])))
    return f'{key} {shown(earlier)}, now {shown(now)}'.lstrip()


def values_of(text: str) -> dict:
    """Return the values of a config that MMEngine wrote as text, a nested dict of their sources; nothing is run."""

    def value(node: ast.expr) -> object:
        if isinstance(node, ast.Call):
            return {part.arg: value(part.value) for part in node.keywords}
        return ast.unparse(node)

    try:
        return {node.targets[0].id: value(node.value) for node in ast.parse(text).body}
    except (SyntaxError, ValueError, AttributeError, RecursionError):  # of another writer
        return {'text': text}


def first_difference(earlier: dict, now: dict) -> tuple[str, object, object]:
    """Return the dotted key of the first value that differs, and both values; None for one that is not there."""
    for key in {**earlier, **now}:
        before, after = earlier.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict) and before != after:
            below, before, after = first_difference(before, after)
            return f'{key}.{below}', before, after
        if before != after:
            return key, before, after
    return 'its text', 'was written otherwise', 'has the same values'


def made_with(earlier: dict, now: dict) -> str:
    """Return ', made with another version of mer_bench (VERSION at commit COMMIT)' where that is so, else ''."""
    made, mine = ([part['versions'].get('mer_bench'), part.get('commit')] for part in (earlier, now))
    version = ' at commit '.join(filter(None, made)) or 'unknown'
    return '' if made == mine else f', made with another version of mer_bench ({version})'


def shown(value: object) -> str:
    """A value as text; of a digest only the first eight letters."""
    if isinstance(value, dict) and 'digest' in value:
        return ' '.join(filter(None, (value.get('name'), value['digest'][:8])))
    if isinstance(value, (list, tuple)):
        return ' '.join(map(str, value))
    if isinstance(value, dict):
        return ', '.join(map(str, value.values()))
    return 'none' if value is None else str(value)


def describe_pretrained(cfg) -> dict | None:
    """Return name and digest of the weights that a training starts from: other weights make another method."""
    path = next((part[key] for part, key in weights_places(cfg)), None)
    if not path or not os.path.isfile(path):
        return None
    return dict(name=Path(path).name, digest=digest_file(path))


def circumstances(experiment: Experiment) -> dict:
    """Return where and when a fold computes; every fold keeps its own, because folds may be trained on other days."""
    device, revision = describe_device(experiment), commit()
    return dict(device=device, versions=versions(), commit=revision, date=date.today().isoformat())


def describe_device(experiment: Experiment, gpu: str | None = None) -> str:
    """Name the device with the threads or the precision of a training: they decide the last digits.

    Args:
        experiment: Method, device and precision.
        gpu: Name of the GPU, if it is on another machine.
    """
    if experiment.method.is_estimator:
        return 'cpu'
    if experiment.device == 'cpu':
        threads = f'cpu, {experiment.threads} thread{"s" * (experiment.threads > 1)} a training'
        return threads if experiment.precision == 'fp32' else f'{threads}, {experiment.precision}'
    if gpu is None:
        import torch

        gpu = torch.cuda.get_device_name(experiment.device)  # which need not be the current one
    return f'{gpu}, {experiment.precision}'
