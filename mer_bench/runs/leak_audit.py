"""Does anything of a held-out subject reach what is trained? Short trainings on changed copies of the data tell.

A fold is trained twice in the way of `mer-bench train`: on the clips as they are, and after the clips of its held-out
subjects became noise and got other labels. Whatever is fitted or chosen must be the same, bit by bit: normalisation,
class weights, the weights of a network, the attributes of every step of scikit-learn, the candidate that the fold
chose. Both trainings also test copies of some training clips under the name of a held-out subject: a fit that
leaves no weights, as one factorisation for all folds, must decide alike on these.

A third training has shuffled labels. All clips of a data set take part, those of the held-out subjects too. Then the
true labels of the tested clips say nothing of their flow, so every order of them within a fold and a data set is
equally likely, and a permutation test of the score is exact. Were the training clips alone shuffled, the score of
chance would not be known, because clips of one class look alike; were labels shuffled within each subject, subjects of
a single class would keep theirs.
"""

import math
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
from mmengine.config import Config
from scipy.special import gammaln

from mer_bench.datasets.table import read_annotations, write_annotations
from mer_bench.errors import InputError, listed, visible
from mer_bench.evaluation.epoch_audit import AUDIT, read_audit
from mer_bench.evaluation.metrics import class_f1, confusion_of, encode
from mer_bench.experiment.experiment import Experiment, RunOptions, default_work_dir
from mer_bench.experiment.precision import commit
from mer_bench.experiment.provenance import describe_data, read_run, refuse_other_settings, start_record
from mer_bench.files import digest_file, locked, read_json, write_json
from mer_bench.loading.near_duplicates import NEAR, Pair, nearest_pairs
from mer_bench.loading.prepared_data import open_store
from mer_bench.preparation.store.flow_store import seal
from mer_bench.protocols.folds import Fold
from mer_bench.results.file_audit import LEAK, NOTE, PASSED, UNTOLD, Check, as_json, on_persons, verdict_of
from mer_bench.results.record import write_record
from mer_bench.runs.run import RunSettings, default_jobs
from mer_bench.runs.run_folder import read_table
from mer_bench.runs.selection import features_of, no_bar
from mer_bench.runs.train import open_run, run_opened
from mer_bench.training.fold_folder import CHECKPOINT, PREDICTIONS
from mer_bench.training.sklearn.shared_fit import BLOCK, FOLD_GRAM

LABELS = ['emotion', 'objective_class', 'action_units']  # columns that decide the class and the units of a clip
FEWEST, MOST = 3, 30  # training clips that both trainings of a fold test too
PROBE = 'copy_of_a_training_clip'
ALPHA = 0.001  # level of the test with shuffled labels: of 1000 honest methods one fails it
ORDERS, FEWEST_ORDERS = 9999, 1999  # of the labels, drawn for the test
SAME_DECISION = 1e-6  # of one factorisation for all folds, whose rounding errors depend on all clips
STACKS = {'off': 'off', 'sequential': 1, 'compiled': 'auto'}  # what repeats a way of training
AS_IT_IS, NOISE, SHUFFLED = 'as they are', 'noise and other labels', 'shuffled labels'


@dataclass(frozen=True)
class LeakAudit:
    """What an audit found.

    Attributes:
        method, folds, epochs, seed: What was trained; the epochs of a method of scikit-learn are None.
        checks: The result of each check.
        pairs: The nearest clips of different subjects.
    """

    method: str
    folds: list[str]
    epochs: int | None
    seed: int
    checks: list[Check]
    pairs: list[Pair]

    @property
    def leaks(self) -> bool:
        """Whether a leak was found."""
        return verdict_of(self.checks) == LEAK

    @property
    def record(self) -> dict:
        """The key `leak_audit` of a record; it names no clip."""
        made = dict(folds=self.folds, epochs=self.epochs, seed=self.seed, commit=commit())
        return as_json(self.checks) | made | dict(date=date.today().isoformat())

    @property
    def json(self) -> dict:
        """All that was found."""
        pairs = [pair._asdict() for pair in self.pairs]
        return dict(method=self.method) | self.record | dict(near_duplicates=pairs)


def audit(options: RunOptions, settings: RunSettings, epochs: int = 3) -> LeakAudit:
    """Audit a method; lines on stderr show what is trained.

    Args:
        options: Method, data and device; without folds the one with the most clips is trained.
        settings: seed, jobs, stack and the choice among candidates. With `work_dir`, that run must be one of this
            method and these data, and its record gets the result; None: the usual run folder does if it is.
        epochs: Of each training of a network, at most.

    Raises:
        InputError: A fault in the options or the data, or the run is another one.
    """
    experiment, record = open_run(options, settings)
    run = run_to_note(experiment, settings, record)
    clips = experiment.data.annotations
    if not options.folds:
        tested = clips['subject'].map({name: fold.name for fold in experiment.folds for name in fold.test_subjects})
        largest = tested.value_counts().sort_index().idxmax()
        options = replace(options, folds=[largest])
        experiment = replace(experiment, chosen=[fold for fold in experiment.folds if fold.name == largest])
    tell('\n'.join(describe_data(experiment)))
    with tempfile.TemporaryDirectory() as scratch:
        trainings = Trainings(options, settings, epochs, experiment, Path(scratch))
        checks = trainings.checks()
    pairs, still = nearest_pairs(clips)
    checks += [on_duplicates(pairs, still, len(clips)), on_persons(clips['dataset'].unique().tolist())]
    trained = None if experiment.method.is_estimator else shortened(experiment, epochs).method.cfg.train_cfg.max_epochs
    names = [fold.name for fold in experiment.chosen]
    found = LeakAudit(record['method'], names, trained, settings.seed, checks, pairs)
    if run:
        with locked(run, f'another run is using {run}; run the same command again'):
            write_record(run / 'record.json', read_run(run) | dict(leak_audit=found.record))
        tell(f'noted in {run / "record.json"}')
    return found


def tell(line: str) -> None:
    """Print a line about the progress."""
    print(*map(visible, line.split('\n')), sep='\n', file=sys.stderr, flush=True)


def run_to_note(experiment: Experiment, settings: RunSettings, record: dict) -> Path | None:
    """Return the folder of the run that gets the result; None without one of this method and these data."""
    run = settings.work_dir or default_work_dir(experiment.method, settings.seed)
    if not (run / 'record.json').is_file():
        if settings.work_dir:
            raise InputError(f'--run {run}: expected the folder of a run, found no record.json in it; correct the path')
        return None
    try:
        begun = read_run(run)
        refuse_other_settings(run, record, 'give the run of this method on these data', begun=begun)
    except InputError as error:
        if settings.work_dir:
            raise
        tell(f'the result goes into no record: {error}')
        return None
    return run


def shortened(experiment: Experiment, epochs: int) -> Experiment:
    """Return an experiment and its candidates with so many epochs at most."""

    def shorten(one: Experiment) -> Experiment:
        cfg = Config(one.method.cfg.to_dict())
        cfg.train_cfg.max_epochs = min(cfg.train_cfg.max_epochs, epochs)
        notes = dict(candidates=[candidate.note for candidate in one.candidates])
        selection = one.selection and one.selection | notes
        return replace(one, method=replace(one.method, cfg=cfg), selection=selection)

    return experiment.with_each(shorten)


class Probe(NamedTuple):
    """A copy of a training clip among the clips of a held-out subject.

    Attributes:
        like: sample_id of the clip whose row it copies.
        store, row: Its flow.
        cells: Of :data:`LABELS`.
    """

    like: str
    store: str
    row: int
    cells: tuple


class Trainings:
    """The trainings of an audit and what they left, each in a folder of its own.

    Args:
        options, settings, epochs: As for :func:`audit`.
        experiment: On the data as they are; its chosen folds are audited.
        scratch: Where copies of the data and runs go.
    """

    def __init__(
        self, options: RunOptions, settings: RunSettings, epochs: int, experiment: Experiment, scratch: Path
    ) -> None:
        self.options, self.epochs, self.experiment, self.scratch = options, epochs, experiment, scratch
        jobs = settings.jobs or default_jobs(experiment.device)
        network = not experiment.method.is_estimator
        keep = dict(save_checkpoints=network, audit_epochs=network and not settings.select)
        self.settings = replace(settings, jobs=jobs, **keep)
        self.rng = np.random.default_rng(settings.seed)

    def checks(self) -> list[Check]:
        """Train, and return what was found."""
        shuffled = self.train(SHUFFLED, self.write(SHUFFLED, shuffled_labels(self.experiment, self.rng)))
        found = [on_folds(self.experiment, shuffled), on_chance(self.experiment, shuffled, self.rng)]
        several = len(self.experiment.chosen) > 1
        for fold in self.experiment.chosen:
            shutil.rmtree(self.scratch / 'data')  # there is room for two copies at a time
            clips = self.experiment.data.annotations
            noise = {*clips.loc[clips['subject'].isin(fold.test_subjects), 'sample_id']}
            plain = self.write(f'{fold.folder} plain', {}, probes=probes_of(clips, fold, wrong=False))
            labels, probes = other_labels(clips, fold), probes_of(clips, fold, wrong=True)
            changed = self.write(f'{fold.folder} changed', labels, noise, probes)
            runs = [self.train(f'{fold.name}: {what}', root) for what, root in ((AS_IT_IS, plain), (NOISE, changed))]
            compared = compare(*runs, fold)
            if any(check.status == LEAK for check in compared):  # a method that is never the same shows nothing
                again = self.train(f'{fold.name}: {AS_IT_IS}, once more', plain)
                control = {check.name: check.status for check in compare(runs[0], again, fold)}
                compared = [
                    Check(check.name, UNTOLD, 'two trainings on the same data differ on this device')
                    if control.get(check.name) == LEAK
                    else check
                    for check in compared
                ]
            found += [replace(check, detail=f'{fold.name}: {check.detail}') if several else check for check in compared]
        return found

    def train(self, what: str, roots: list[str]) -> 'Trained':
        """Train the chosen folds on a copy of the data."""
        tell(f'training {len(self.experiment.chosen)} of {len(self.experiment.folds)} folds, clips {what}')
        folder = self.scratch / f'run{len([*self.scratch.glob("run*")])}'
        opened, _ = open_run(replace(self.options, data_root=roots), self.settings)
        experiment = shortened(opened, self.epochs)
        settings = replace(self.settings, work_dir=folder, show=None if sys.stderr.isatty() else no_bar)
        record = run_opened(experiment, settings, start_record(experiment, settings.seed))
        stack = record['stack']
        if stack['seconds']:  # what was measured may be decided otherwise next time
            self.settings = replace(self.settings, stack=STACKS.get(stack['way'], stack['folds']))
        return Trained(experiment, settings)

    def write(
        self, name: str, labels: dict[str, tuple], noise: Sequence[str] = (), probes: Sequence[Probe] = ()
    ) -> list[str]:
        """Write a copy of every prepared folder in which something changes; return all folders."""
        roots, variant = [], self.experiment.method.cfg.get('data_variant')
        ending = f'_{variant["name"]}' if variant else ''  # which is appended to the name of every folder
        for number, root in enumerate(self.experiment.data.roots):
            table = read_annotations(Path(root, 'annotations.csv'))
            mine = {*table['sample_id']}
            added = [probe for probe in probes if probe.like in mine]
            if added or mine & {*labels, *noise}:
                out = self.scratch / 'data' / name / f'{number}{ending}'
                write_copy(Path(root), out, table, labels, {*noise}, added, self.rng)
                root = str(out)
            roots.append(root.removesuffix(ending))
        return roots


def write_copy(
    root: Path,
    out: Path,
    table: pd.DataFrame,
    labels: dict[str, tuple],
    noise: set[str],
    probes: Sequence[Probe],
    rng: np.random.Generator,
) -> None:
    """Write a copy of a prepared folder.

    Args:
        root: The folder.
        out: The copy.
        table: Its annotations.
        labels: New cells of :data:`LABELS`, by sample_id.
        noise: sample_id of the clips that become noise, far from the flow of the others in mean and deviation.
        probes: Clips to add.
        rng: For the noise.
    """
    store = open_store(str(root / 'store'))
    table = table.set_index('sample_id', drop=False)
    for name in table.index.intersection([*labels]):
        table.loc[name, LABELS] = labels[name]
    added = table.loc[[probe.like for probe in probes]].reset_index(drop=True)
    for number, probe in enumerate(probes):
        added.loc[number, LABELS] = probe.cells
    added['clip'] = pd.Series([f'{PROBE}_{number}' for number in range(len(added))], dtype=str)  # text even where none
    added['sample_id'] = added['subject'] + '/' + added['clip']
    (out / 'store').mkdir(parents=True)
    write_annotations(pd.concat([table, added], ignore_index=True), out / 'annotations.csv')
    shape = len(store.clips) + len(added), *store.clips.shape[1:]
    clips = np.lib.format.open_memmap(out / 'store/flow.npy', 'w+', np.float16, shape, version=(1, 0))
    deviation = float(np.std(store.clips[:: max(1, len(store.clips) // 100)], dtype=np.float64)) or 1.0
    noisy = {store.index[name] for name in noise & {*store.index}}
    for row, clip in enumerate(store.clips):
        clips[row] = rng.normal(2 * deviation, 3 * deviation, clip.shape) if row in noisy else clip
    for number, probe in enumerate(probes):
        clips[len(store.clips) + number] = open_store(probe.store).clips[probe.row]
    clips.flush()
    rows = {**store.index, **{name: len(store.clips) + i for i, name in enumerate(added['sample_id'])}}
    index = pd.DataFrame(dict(row=rows.values(), sample_id=rows.keys()))
    index.to_csv(out / 'store/index.csv', index=False, lineterminator='\n')
    digests = dict(data_digest='store/flow.npy', index_digest='store/index.csv', annotations_digest='annotations.csv')
    digests = {key: digest_file(out / part) for key, part in digests.items()}
    write_json(out / 'store/store.json', seal(store.info | dict(n_clips=len(clips)) | digests))


def shuffled_labels(experiment: Experiment, rng: np.random.Generator) -> dict[str, tuple]:
    """Return the labels of all clips in use, shuffled within each data set, by sample_id."""
    labels = {}
    for _, clips in experiment.data.annotations.groupby('dataset'):
        cells = clips[LABELS].iloc[rng.permutation(len(clips))]
        labels |= dict(zip(clips['sample_id'], cells.itertuples(index=False, name=None), strict=True))
    return labels


def other_labels(clips: pd.DataFrame, fold: Fold) -> dict[str, tuple]:
    """Return one label for the held-out clips of each data set, the rarest among them, by sample_id.

    Of every kind of label one clip keeps it, so that a label scheme still finds all that it names.
    """
    held_out = clips['subject'].isin(fold.test_subjects)
    kinds = pd.Series([*clips[['dataset', *LABELS]].itertuples(index=False, name=None)], clips.index)
    spare = held_out & (
        kinds.isin({*kinds[~held_out]}) | kinds[held_out].duplicated().reindex(clips.index, fill_value=False)
    )
    labels = {}
    for dataset, known in clips.groupby('dataset'):
        mine = clips[held_out & (clips['dataset'] == dataset)]
        rarest = mine['label'].value_counts().reindex(sorted(known['label'].unique()), fill_value=0).idxmin()
        cells = tuple(known.loc[known['label'] == rarest, LABELS].iloc[0])
        labels |= dict.fromkeys(mine.loc[spare[mine.index], 'sample_id'], cells)
    return labels


def probes_of(clips: pd.DataFrame, fold: Fold, wrong: bool) -> list[Probe]:
    """Choose training clips that a fold tests too, as many as it tests anyway, 3 to 30; the same for any `wrong`.

    Labels that are right or wrong let a choice on the tested clips prefer the last epoch or the first one.
    """
    held_out = clips['subject'].isin(fold.test_subjects)
    like = clips[held_out].iloc[0]
    known = clips[clips['dataset'] == like['dataset']].drop_duplicates('label').sort_values('label')
    cells = dict(zip(known['label'], known[LABELS].itertuples(index=False, name=None), strict=True))
    others = clips[~held_out & clips['label'].isin([*cells])]
    number = min(max(FEWEST, int(held_out.sum())), MOST)
    chosen = others.iloc[np.random.default_rng(0).permutation(len(others))[:number]]
    last, before = [*cells][-1], [*cells][-2:][0]
    labels = [(before if label == last else last) if wrong else label for label in chosen['label']]
    places = zip(chosen['store'], chosen['row'].tolist(), labels, strict=True)
    return [Probe(like['sample_id'], store, row, cells[label]) for store, row, label in places]


@dataclass(frozen=True)
class Trained:
    """A training of the chosen folds and what it left in its run folder."""

    experiment: Experiment
    settings: RunSettings

    def folder(self, fold: Fold) -> Path:
        """Return the folder of a fold."""
        return self.settings.work_dir / 'folds' / fold.folder

    def predictions(self, fold: Fold) -> pd.DataFrame:
        """Return what a fold predicts, by sample_id."""
        return read_table(self.folder(fold) / PREDICTIONS).set_index('sample_id')

    def result(self, fold: Fold) -> dict:
        """Return the content of fold.json."""
        return read_json(self.folder(fold) / 'fold.json', 'run the same command again')

    def probes(self, fold: Fold) -> pd.DataFrame:
        """Return the class scores of the training clips that a fold tested."""
        table = self.predictions(fold)
        return table.loc[table.index.str.contains(f'/{PROBE}_')].filter(like='score_')

    def scored_epoch(self, fold: Fold) -> tuple[int | None, int]:
        """Return the epoch after which a fold predicted what is scored, the last of several; and how many there are."""
        found = read_audit(self.folder(fold) / AUDIT, list(self.experiment.method.cfg.classes))
        scored = self.predictions(fold)['y_pred'][found.table['sample_id']]
        same = (pd.Categorical(scored, found.classes).codes == found.codes.T).all(axis=1)
        return (int(np.flatnonzero(same)[-1]) + 1 if same.any() else None), len(same)

    def fitted(self, fold: Fold) -> tuple[dict[str, dict[str, str]], str]:
        """Return digests of all that a fold fitted, by check and name; and the way in which it was fitted."""
        chosen = (self.result(fold).get('inner') or {}).get('candidate')
        experiment = next((one.experiment for one in self.experiment.candidates if one.name == chosen), self.experiment)
        if experiment.method.is_estimator:
            return self.fitted_steps(experiment, fold)
        from mer_bench.models.backbones.pretrained import read_weights

        cfg = Config.fromfile(self.folder(fold) / 'config.py', import_custom_modules=False, lazy_import=False)
        preprocessor, head = cfg.model.data_preprocessor, cfg.model.cls_head
        state = read_weights(self.folder(fold) / CHECKPOINT)
        parts = {
            'normalisation': {key: preprocessor.get(key) for key in ('mean', 'std')},
            'class weights': dict(
                class_weight=(head.get('loss_cls') or {}).get('class_weight'),
                action_unit_weight=head.get('action_unit_weight'),
            ),
            'weights of the network': {name: tensor.numpy() for name, tensor in state.items()},
        }
        return {
            name: {key: joblib.hash(value) for key, value in part.items()} for name, part in parts.items()
        }, 'network'

    def fitted_steps(self, experiment: Experiment, fold: Fold) -> tuple[dict[str, dict[str, str]], str]:
        """Return the same of a method of scikit-learn, fitted once more because a run keeps nothing of it."""
        from mer_bench.training.sklearn.estimator_fold import predict_fold

        with features_of(experiment, self.settings, self.settings.work_dir / 'features') as shared:
            found = predict_fold(experiment, fold, shared)
        if found.way == BLOCK:
            return {}, BLOCK
        before = shared.model.steps[:-1] if found.way == FOLD_GRAM else []  # others take products of all clips
        steps = getattr(found.fitted, 'steps', None) or [*before, (type(found.fitted).__name__, found.fitted)]
        digests = [{f'{name}.{key}': joblib.hash(value) for key, value in vars(step).items()} for name, step in steps]
        before = {key: value for step in digests[:-1] for key, value in step.items()}
        parts = {'scalers, codebooks and other steps': before} if before else {}
        return parts | {'classifier': digests[-1]}, found.way


def compare(plain: Trained, changed: Trained, fold: Fold) -> list[Check]:
    """Compare all that two trainings of a fold fitted and chose."""
    (before, way), (after, other_way) = plain.fitted(fold), changed.fitted(fold)
    checks = []
    if 'inner' in plain.result(fold):
        first, second = (run.result(fold)['inner'] | dict(seconds=None) for run in (plain, changed))
        names = [
            f'{one["candidate"]}, epoch {one["epoch"]}' if 'epoch' in one else one['candidate']
            for one in (first, second)
        ]
        fault = '' if first == second else f'{names[0]}, then {names[1]}, or other inner scores or temperature'
        checks.append(
            Check.of('chosen candidate', fault, f'{names[0]}, and all inner scores and the temperature are the same')
        )
    if way != other_way:
        return [*checks, Check('classifier', LEAK, f'fitted by {way!r}, then by {other_way!r}')]
    for name, part in before.items():
        fine = f'the same bits in {len(part)} parts'
        checks.append(
            Check.of(name, differing(part, after[name]), 'none' if set(part.values()) == {joblib.hash(None)} else fine)
        )
    if way == 'network':
        checks.append(on_epoch(checks[-1], plain, changed, fold))
    first, second = (run.probes(fold).to_numpy() for run in (plain, changed))
    apart = float(np.abs(first - second).max())
    limit = SAME_DECISION * max(1.0, float(np.abs(first).max())) if way == BLOCK else 0.0
    fine = f'the same scores of {len(first)} clips' + (f', to {apart:.1g}: {BLOCK}' if way == BLOCK else '')
    fault = f'scores of training clips differ by up to {apart:.3g}' if not apart <= limit else ''
    return [*checks, Check.of('decisions on training clips', fault, fine)]


def differing(before: dict[str, str], after: dict[str, str]) -> str:
    """Name what differs between two sets of digests; '' where nothing does."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return f'{len(names)} of {len({**before, **after})} differ: {listed(names[:4])}' if names else ''


def on_epoch(weights: Check, plain: Trained, changed: Trained, fold: Fold) -> Check:
    """Tell whether the weights that are scored are those of the last epoch, and whether held-out clips chose them."""
    name = 'chosen epoch'
    if plain.settings.select:
        return Check(name, weights.status, 'told by the weights of the network, as --select predicts no epoch but one')
    epochs = [run.scored_epoch(fold) for run in (plain, changed)]
    if all(epoch == last for epoch, last in epochs):
        same = weights.status == PASSED
        return Check(name, PASSED if same else UNTOLD, 'the last' if same else 'the last, of trainings that differ')
    texts = [f'that of epoch {epoch} of {last}' if epoch else 'that of no epoch' for epoch, last in epochs]
    text = f'what is scored is {texts[0]} with the clips as they are, {texts[1]} with noise'
    return Check(name, LEAK if weights.status == LEAK else UNTOLD, text)


def on_folds(experiment: Experiment, trained: Trained) -> Check:
    """Check that no subject is on both sides of a fold and no clip in two folds, as planned and as trained."""
    clips, wrong = experiment.data.annotations, []
    tested = [subject for fold in experiment.folds for subject in fold.test_subjects]
    for fold in experiment.folds:
        if both := sorted({*fold.train_subjects} & {*fold.test_subjects}):
            wrong.append(f'{fold.name} trains on {listed(both)}, which it tests')
    if sorted(tested) != sorted(clips['subject'].unique()):
        wrong.append('not every subject is tested in one fold')
    for fold in experiment.chosen:
        result, n_test = trained.result(fold), int(clips['subject'].isin(fold.test_subjects).sum())
        if (result['n_train'], result['n_test']) != (len(clips) - n_test, n_test):
            wrong.append(
                f'{fold.name} trained on {result["n_train"]} clips and tested {result["n_test"]}, expected '
                f'{len(clips) - n_test} and {n_test}'
            )
    fine = f'none in {len(experiment.folds)} folds of {len(tested)} subjects; every clip is tested once'
    return Check.of('a subject on both sides of a fold', '; '.join(wrong[:3]), fine)


def on_chance(experiment: Experiment, trained: Trained, rng: np.random.Generator) -> Check:
    """Test whether a training on shuffled labels scores better on the held-out clips than chance."""
    name = 'score after shuffled labels'
    table = pd.concat([trained.predictions(fold) for fold in experiment.chosen])
    groups = table.groupby(['fold', 'dataset']).ngroup().to_numpy()
    uf1, orders, fewest = permuted_uf1(table, experiment.method.cfg.classes, groups, rng)
    low, high = np.quantile(orders, [ALPHA, 1 - ALPHA])
    p = (1 + (orders >= uf1 - 1e-12).sum()) / (1 + len(orders))
    text = (
        f'UF1 {uf1:.3f} of {len(table)} clips; {1 - 2 * ALPHA:.1%} of all orders of their labels give {low:.3f} to '
        f'{high:.3f}, p = {p:.2g} (one-sided)'
    )
    if p <= ALPHA:
        return Check(name, LEAK, text)
    few = fewest > ALPHA / 2  # even a perfect score would not be beyond chance
    return Check(name, UNTOLD, f'{text}; too few clips, give more --fold') if few else Check(name, PASSED, text)


def permuted_uf1(
    table: pd.DataFrame, classes: list[str], groups: np.ndarray, rng: np.random.Generator
) -> tuple[float, np.ndarray, float]:
    """Score predictions against their labels, and against orders of these within groups.

    Args:
        table: y_true and y_pred of N clips.
        classes: Names of the classes.
        groups: (N,) number of the group of each clip.
        rng: For the orders.

    Returns:
        UF1; UF1 of each order drawn, (n,); the share of orders that give the labels themselves.
    """
    y_true, y_pred = encode(table, classes)
    place = np.argsort(groups, kind='stable')
    y_true, y_pred, groups = y_true[place], y_pred[place], groups[place]
    number = min(ORDERS, max(FEWEST_ORDERS, 5_000_000 // len(groups)))  # for the memory
    drawn = np.argsort(groups + rng.random((number, len(groups))), axis=1)
    labels = np.vstack([y_true, y_true[drawn]])
    size = len(classes)
    confusion = confusion_of(np.arange(len(labels))[:, None], labels, y_pred, (len(labels), size, size))
    uf1 = class_f1(confusion).mean(-1)
    counts = pd.Series(y_true).groupby([groups, y_true]).size().to_numpy()
    sizes = np.bincount(groups)
    share = math.exp(float(gammaln(counts + 1).sum() - gammaln(sizes + 1).sum()))
    return float(uf1[0]), uf1[1:], share


def on_duplicates(pairs: Sequence[Pair], still: int, n_clips: int) -> Check:
    """Report clips of different subjects that are too alike; a copy bit by bit is a leak."""
    name = 'near-duplicates across subjects'
    copies, near = [pair for pair in pairs if pair.same], [pair for pair in pairs if pair.distance <= NEAR]
    nearest = (
        f'the nearest of {n_clips} clips are {pairs[0].distance:.3f} apart' if pairs else 'no two clips to compare'
    )
    text = f'{len(near)} pairs are nearer than {NEAR:g} (1 - correlation of their flow); {nearest}'
    text += f'; {still} clips show no motion' if still else ''
    if copies:
        return Check(name, LEAK, f'{len(copies)} pairs have the same flow bit by bit; {text}')
    return Check(name, NOTE if near else PASSED, text)
