"""`mer-bench fit`: one network trained on all subjects, by the code that trains a fold, into one folder.

No clip is left to score it with, so no score is claimed: the card gives those of the record that it belongs to.
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mer_bench.errors import InputError, listed
from mer_bench.experiment.experiment import Experiment, RunOptions, open_experiment, refuse_settings
from mer_bench.experiment.provenance import circumstances, describe_device, describe_pretrained
from mer_bench.files import digest_file, digest_of, locked, read_own_json, sealed, sync_folder, write_json
from mer_bench.inference.clip import PREPARED
from mer_bench.inference.model import CARD, MODEL, SCHEMA_VERSION, WEIGHTS, ModelInfo, read_info
from mer_bench.protocols.folds import Fold
from mer_bench.results.record import (
    HONEST,
    PREDICTIONS,
    RECORD,
    RESCORED,
    check_schema,
    read_record,
    refuse_changed_files,
)

EVERYBODY = 'everybody'
ASKED = 'fit.json'  # in the folder in work: what decides the weights
PLAIN = ['LoadFlowClip', 'PackActionInputs']  # the only pipeline that a new clip goes through


class Everybody(Fold):
    """A fold that trains on all subjects. It predicts the same clips, which no one reads: that is no score."""

    @property
    def train_subjects(self) -> tuple[str, ...]:
        """All subjects."""
        return self.subjects


@dataclass(frozen=True)
class Linked:
    """What the record of the same method gives to a model.

    Attributes:
        note: What model.json says of it.
        calibration: The temperature of the scores, by the folds of the record; None where they have none.
        epoch: After which the training ends, the median of those that the folds chose; None: the last.
    """

    note: dict
    calibration: dict | None
    epoch: int | None


def fit(options: RunOptions, out: str | Path, seed: int = 0, record: str | Path | None = None) -> Path:
    """Train a network on all subjects; a stopped training continues, a finished one is left alone.

    Args:
        options: Config, overrides, data and device; no folds.
        out: The folder to write, which appears once it is complete.
        seed: Of weights, order and augmentation.
        record: Of the same method on the same data, a record.json or a run folder: gives scores and calibration.

    Returns:
        The folder.

    Raises:
        InputError: A fault in the options, the record is of another method or of other data, or the folder holds
            something else.
    """
    refuse_settings(seed, None, 'off')
    out = Path(out).absolute()
    experiment = open_experiment(options)
    refuse_unfit(experiment)
    linked = read_linked(record, experiment) if record else None
    asked = what_decides(experiment, seed, linked)
    if is_finished(out, asked):
        return out
    work = out.with_name(f'.{out.name}.fit')
    with locked(work, f'another training of {out} is running; wait for it or give another --out'):
        refuse_other_training(work, asked)
        described = train_everybody(experiment, seed, work, linked)
        write_model(work / 'model', work / 'folds' / f'.{EVERYBODY}', described)
        os.rename(work / 'model', out)
        sync_folder(out.parent)
    shutil.rmtree(work)
    return out


def refuse_unfit(experiment: Experiment) -> None:
    """Refuse a method whose predictions of a new clip could not be made as those of a test are."""
    method, cfg = experiment.method, experiment.method.cfg
    if method.is_estimator:
        raise InputError(
            f'{method.name} is a method of scikit-learn, whose saved form is code that nobody should have to trust; '
            'fit a network'
        )
    steps = [step.get('type') for step in cfg.test_dataloader.dataset.pipeline]
    if steps != PLAIN or cfg.model.data_preprocessor.type != 'FlowDataPreprocessor':
        raise InputError(
            f'{method.name}: expected the pipeline {", ".join(PLAIN)} and FlowDataPreprocessor, found {listed(steps)} '
            f'and {cfg.model.data_preprocessor.type}; only what these make of a clip can be made of a video'
        )


def what_decides(experiment: Experiment, seed: int, linked: Linked | None) -> dict:
    """Return what decides the content of a model: one folder belongs to one such choice."""
    method, data = experiment.method, experiment.data
    return dict(
        config=method.digest,
        annotations=data.digests['annotations_digest'],
        flow=data.digests['store_digest'],
        seed=int(seed),
        pretrained=(describe_pretrained(method.cfg) or {}).get('digest'),
        record=linked and linked.note['digest'],
        device=describe_device(experiment),
    )


def is_finished(out: Path, asked: dict) -> bool:
    """Return whether a folder holds the model that is asked for; refuse one that holds anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / MODEL).is_file():
        raise InputError(f'{out}: expected an empty place for the model, found something there; give another --out')
    refuse_other(out, read_info(out)['asked'], asked, 'holds a model')
    print(f'{out} is already there, trained with the same settings: nothing to do')
    return True


def refuse_other_training(work: Path, asked: dict) -> None:
    """Note what an unfinished training belongs to, and refuse to continue one of other settings."""
    if begun := read_own_json(work / ASKED):
        refuse_other(work, begun, asked, 'holds an unfinished training')
    write_json(work / ASKED, asked)


def refuse_other(folder: Path, found: dict, asked: dict, what: str) -> None:
    """Name the first setting in which a folder differs from what is asked."""
    if other := next((key for key, value in asked.items() if found.get(key) != value), None):
        raise InputError(f'{folder} {what} of another {other}; give another --out, or remove the folder')


def read_linked(path: str | Path, experiment: Experiment) -> Linked:
    """Read the record that a model belongs to: of the same config and the same data, complete.

    Of a run whose folds chose (`--select inner`), the method must be one that some of them chose. The temperature of
    the scores and the number of epochs are then the medians of these folds.
    """
    path = Path(path, RECORD) if Path(path).is_dir() else Path(path)
    record, method = read_record(path), experiment.method
    faults = {
        'published predictions': record['source'] == RESCORED,
        'a run that is not finished': not record['complete'] or 'full' not in (record['scores'] or {}),
        'one whose epoch was chosen by test scores': record['epoch_rule'] not in HONEST,
    }
    if what := next((what for what, found in faults.items() if found), None):
        raise InputError(f'{path}: expected the record of a finished run of {method.name}, found {what}; give another')
    refuse_changed_files(path, record, (PREDICTIONS,))
    selection = record.get('selection')
    names = {part['digest']: part['name'] for part in selection['candidates']} if selection else {}
    pairs = dict(
        config=({*names} if selection else {record['config']['digest']}, method.digest),
        annotations=({record['data']['annotations_digest']}, experiment.data.digests['annotations_digest']),
        flow=({record['data']['store_digest']}, experiment.data.digests['store_digest']),
    )
    for name, (known, own) in pairs.items():
        if own not in known:
            raise InputError(
                f'{path}: expected the record of {method.name} on these data, found one of another {name} '
                f'({record["method"]} on {record["dataset"]}); give the config and the data of its training'
            )
    calibration = epoch = None
    if selection:
        name = names[method.digest]
        chosen = [look for look in selection['chosen'].values() if look['candidate'] == name]
        if not chosen:
            raise InputError(f'{path}: no fold chose {name}; fit what the folds chose, or leave --record out')
        calibration, epoch = median_temperature(chosen), int(np.median([look['epoch'] for look in chosen]))
    keys = ('method', 'protocol', 'seed', 'n_clips', 'n_subjects', 'epoch_rule', 'date', 'command')
    note = {key: record.get(key) for key in keys} | dict(digest=digest_of(record), scores=record['scores'])
    return Linked(note, calibration, epoch)


def median_temperature(chosen: list[dict]) -> dict | None:
    """Return the median of the temperatures of folds; None where one has none, or they are of different scores."""
    found = [look.get('temperature') for look in chosen]
    if not all(found) or len({part['of'] for part in found}) > 1:
        return None
    value = float(np.median([part['value'] for part in found]))
    return dict(value=value, of=found[0]['of'], folds=len(found))


def train_everybody(experiment: Experiment, seed: int, work: Path, linked: Linked | None) -> dict:
    """Train the network in a folder, from its newest checkpoint where a training stopped; return its model.json.

    The folder then holds `folds/.everybody/checkpoint.pth`.
    """
    from mer_bench.runs.model import settle_training
    from mer_bench.runs.run import show_bar
    from mer_bench.training.fold import refusing_changes, run_network
    from mer_bench.training.fold_folder import folder_in_work, mend_folder

    subjects = tuple(experiment.data.annotations['subject'].unique())
    fold, cfg = Everybody(EVERYBODY, subjects, subjects), experiment.method.cfg
    epochs = cfg.train_cfg.max_epochs
    if linked and linked.epoch:
        epochs = linked.epoch
        experiment = replace(experiment, choices={EVERYBODY: dict(inner=dict(epoch=epochs))})
    experiment, _, described = settle_training(experiment, None, seed, 'off')
    mended, folder = mend_folder(work, fold), folder_in_work(work, fold)
    with show_bar([fold], work, epochs) as console, refusing_changes(experiment, [folder]):
        if mended:
            console.print(mended, markup=False, highlight=False)
        outcome = run_network(experiment, fold, seed, folder, save_checkpoints=True)
    return describe(experiment, seed, epochs, described | outcome, linked)


def describe(experiment: Experiment, seed: int, epochs: int, outcome: dict, linked: Linked | None) -> dict:
    """Return the content of model.json but the digests of the files.

    Args:
        experiment: As it was trained.
        seed: Of the training.
        epochs: After which it ended.
        outcome: What the training and the measuring of the network returned.
        linked: Of the record, if there is one.
    """
    method, data = experiment.method, experiment.data
    subjects, counts = data.annotations['subject'], data.annotations['label'].value_counts()
    mean, std = data.normalisation(tuple(subjects.unique())) if data.view.normalise else (None, None)
    pretrained = outcome['pretrained'] and {key: outcome['pretrained'][key] for key in ('name', 'digest')}
    return dict(
        schema_version=SCHEMA_VERSION,
        method=method.name,
        config=dict(name=method.config_name, text=method.text, digest=method.digest),
        classes=list(method.cfg.classes),
        label_scheme=dict(name=method.scheme.name, digest=method.scheme.digest),
        dataset=method.cfg.dataset,
        synthetic=bool(data.info['synthetic']),
        n_clips=len(subjects),
        n_subjects=int(subjects.nunique()),
        clips_per_class={name: int(counts.get(name, 0)) for name in method.cfg.classes},
        seed=int(seed),
        epochs=epochs,
        epochs_chosen=bool(linked and linked.epoch),
        prepare={key: data.info.get(key, default) for key, default in PREPARED.items()},
        mean=mean,
        std=std,
        pretrained=pretrained,
        calibration=linked and linked.calibration,
        record=linked and linked.note,
        asked=what_decides(experiment, seed, linked),
        **{key: outcome[key] for key in ('parameters', 'flops', 'train_seconds')},
        **circumstances(experiment),
    )


def write_model(folder: Path, trained: Path, described: dict) -> None:
    """Write the folder of a model.

    Args:
        folder: New, or what a stopped attempt left.
        trained: The folder with the checkpoint.
        described: The content of model.json but the digests of the files.
    """
    from safetensors.torch import save

    from mer_bench.inference.card import model_card
    from mer_bench.models.backbones.pretrained import read_weights
    from mer_bench.training.fold_folder import CHECKPOINT

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    weights = {name: tensor.contiguous() for name, tensor in read_weights(trained / CHECKPOINT).items()}
    (folder / WEIGHTS).write_bytes(save(weights, metadata=dict(format='pt')))  # save_file lets nobody else read it
    info = sealed(described | dict(files={WEIGHTS: digest_file(folder / WEIGHTS)}))
    check_schema(folder / MODEL, info, ModelInfo, 'report this fault of mer_bench')
    write_json(folder / MODEL, info)
    (folder / CARD).write_text(model_card(info), encoding='utf-8')
    sync_folder(folder)
