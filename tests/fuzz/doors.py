"""Every door: a function that reads what a user or a stranger hands in, and a valid example of it.

A new format is one more entry of `DOORS`. `example` writes valid files into an empty folder; `read` reads that folder
as the tools do. It may raise nothing but an InputError, whatever the files hold; what it promises beside, it asserts.
"""

import json
import shlex
import shutil
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from mer_bench import escaping
from mer_bench.cli.protocol import read_reports
from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.csv_table import table_of_your_own
from mer_bench.datasets.frame_names import FrameName, frames_of
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.datasets.smic import FRAME as SMIC_FRAME
from mer_bench.datasets.synthetic.layouts import clip_words, find_layout
from mer_bench.datasets.synthetic.tree import _drawing, write_sheets, write_strays
from mer_bench.datasets.synthetic.units import ACTION_UNITS
from mer_bench.datasets.table import read_annotations, write_annotations
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.compare import compare
from mer_bench.evaluation.epoch_audit import AUDIT, leak_meter, read_audit
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import classes_of, read_predictions
from mer_bench.evaluation.report import format_action_units, format_scores
from mer_bench.experiment.config_files import parse_options
from mer_bench.experiment.experiment import RunOptions
from mer_bench.experiment.method import load_method
from mer_bench.experiment.provenance import circumstances, refuse_other_settings
from mer_bench.experiment.recorded import open_recorded
from mer_bench.experiment.recorded import read_text as read_recorded_text
from mer_bench.files import digest_file, digest_of, sealed
from mer_bench.inference.clip import frames_at
from mer_bench.inference.fit import fit
from mer_bench.inference.model import load_model
from mer_bench.inference.report import read_spans
from mer_bench.loading.near_duplicates import nearest_pairs
from mer_bench.loading.prepared_data import open_prepared_data
from mer_bench.models.backbones.pretrained import load_pretrained
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces.clip_faces import COLUMNS, found_face, read_rows
from mer_bench.preparation.faces.detection import Face, align
from mer_bench.preparation.flow.clip_flow import clip_flow
from mer_bench.preparation.flow.label_table import read_labels
from mer_bench.preparation.flow.published import read_flow_images
from mer_bench.preparation.frames import read_frame
from mer_bench.preparation.pictures import digest_picture, is_deep, read_picture
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store.build import DoneClip, append_done, read_done, read_remarks, start_build
from mer_bench.preparation.store.build import write_clip as fill_clip
from mer_bench.preparation.store.flow_store import CHECKED, FlowStore, seal
from mer_bench.protocols.folds import Fold, make_folds
from mer_bench.protocols.label_schemes import apply_scheme, load_scheme
from mer_bench.protocols.report import format_lost
from mer_bench.results.ablation_groups import find_groups
from mer_bench.results.check import check_results
from mer_bench.results.collect import SUMS, collect, read_sums, sum_faults
from mer_bench.results.file_audit import audit_files, format_checks
from mer_bench.results.latex import to_latex
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.markdown import to_markdown
from mer_bench.results.pages import write_pages
from mer_bench.results.published import published_page, read_published
from mer_bench.results.record import read_failure, read_record
from mer_bench.results.rescored import write_rescored
from mer_bench.results.run import methods_of, read_runs
from mer_bench.results.sanity import read_bounds
from mer_bench.runs.command import train_command
from mer_bench.runs.reproduce import (
    Reproduction,
    differences_of,
    match,
    place_of_training,
    read_repeatable,
    roots_of,
    stack_of,
)
from mer_bench.runs.run import RunSettings
from mer_bench.runs.run_folder import update_record
from mer_bench.sweeps.estimate import TimeEstimate
from mer_bench.sweeps.plan import PlannedRun
from mer_bench.sweeps.status import count_folds, failure_stamp, holds_other_settings, is_complete, read_reason
from mer_bench.training.audit import finish_audit, note_epoch
from mer_bench.training.fold_folder import (
    POINTER,
    can_resume,
    finish_fold,
    folder_in_work,
    mend_folder,
    note_batch,
    read_batch,
    read_epochs,
)
from mer_bench.training.sklearn.clip_features import keep, read_features
from tests.conftest import write_prepared_data
from tests.fuzz.pages import assert_harmless
from tests.results.conftest import predictions, record, write_run

CONFIG_TEXT = """custom_imports = dict(imports=['mer_bench.registry'])
model = dict(backbone=dict(type='timm.resnet18'), cls_head=dict(in_channels=[1, 2], type='FlatHead'))
default_hooks = dict(logger=dict(type='LoggerHook', interval=-1))
optim_wrapper = {'a.b': (0.5, None, True)}
"""
RESULTS = Path(__file__).parents[2] / 'results'
cv2.setNumThreads(0)  # threads do not live in the processes that are forked


@dataclass(frozen=True)
class Door:
    """One place where something comes in.

    Args:
        name: in the table.
        example: writes valid files into an empty folder.
        read: reads the folder.
        files: pattern of the files that are damaged.
        names: whether files and folders are renamed as well.
        writes: whether it writes into the folder, which is then copied anew for each input.
        share: of the inputs; one takes 3 to 30 ms mostly.
    """

    name: str
    example: Callable[[Path], object]
    read: Callable[[Path], object]
    files: str = '**/*'
    names: bool = False
    writes: bool = False
    share: float = 1.0


def text_file(text: str, name: str = 'text.txt') -> Callable[[Path], object]:
    """Return an example of one file."""
    return lambda folder: (folder / name).write_text(text)


def read_text(folder: Path, name: str = 'text.txt') -> str:
    """Return what a user types; something that is no file is no text."""
    path = folder / name
    return path.read_bytes().decode('utf-8', 'surrogateescape') if path.is_file() else ''


# Sheets and folders of the data sets


def write_tree(folder: Path, like: str, frames: bool) -> None:
    """Write a small tree as its owner ships it; the pictures are empty files, or left out.

    Beside frames a sheet is a csv where it can be one: a workbook is read by a process of its own, which takes long.
    """
    layout, variant = find_layout(like, None)
    emotions = [clip_words(layout, 0, place)['emotion'] for place in range(2)]
    clips = [_drawing(layout, variant, (0, n), 0, a_face(), ACTION_UNITS[emotions[n]], 1).entry for n in range(2)]
    for clip in clips if frames else ():
        for number in range(clip.row.onset, clip.row.offset + 1):
            path = folder / clip.frame(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    write_strays(folder, clips[0])
    write_sheets(folder, clips)
    if frames and like in AS_CSV:
        save_as_csv(folder)


def a_face() -> SimpleNamespace:
    """Return a face to plan clips for, which does not move: none is painted."""
    return SimpleNamespace(fields=defaultdict(lambda: np.zeros((2, 4, 4, 2), np.float32)))


def write_as_csv(folder: Path, like: str) -> None:
    """Write the sheets of a data set as csv."""
    write_tree(folder, like, frames=False)
    save_as_csv(folder)


def save_as_csv(folder: Path) -> None:
    for path in sorted(folder.rglob('*.xls*')):
        tables = pd.read_excel(path, sheet_name=None, header=None, dtype=str, na_filter=False)
        next(iter(tables.values())).to_csv(path.with_suffix('.csv'), index=False, header=False)
        path.unlink()


def read_tree(folder: Path, like: str, frames: bool) -> None:
    read_dataset(DATASETS[like], Places(raw=folder), with_frames=frames)


CLIPS = """dataset,subject,clip,onset,apex,offset,emotion,action_units,frames_dir
own,s01,a,1,2,3,negative,4+7,s01/a
own,s02,b,1,,3,positive,12,s02/b
"""


def write_own_table(folder: Path) -> None:
    (folder / 'clips.csv').write_text(CLIPS)
    for place in ('s01/a', 's02/b'):
        (folder / place).mkdir(parents=True)
        for number in (1, 2, 3):
            (folder / place / f'{number}.png').touch()


def write_list(folder: Path) -> None:
    """Write a list of clips without a header, and what the user says of it."""
    (folder / 'clips.csv').write_text('1,a,10,12,20,0,4+7\n2,b,5,,9,1,12\n')
    (folder / 'options.txt').write_text(
        'subject clip onset apex offset emotion action_units\nnegative positive surprise\n'
    )


def read_list(folder: Path) -> None:
    """Read a list with the options --columns and --classes."""
    columns, classes, *_ = (*read_text(folder, 'options.txt').split('\n'), '', '')
    places = Places(sheets=(folder / 'clips.csv',))
    read_dataset(table_of_your_own(columns.split(' '), classes.split(' ')), places, with_frames=False)


def read_own_table(folder: Path) -> None:
    reading = read_dataset(DATASETS['csv'], Places(raw=folder, sheets=(folder / 'clips.csv',)))
    for frames in reading.frames.values():
        assert all(path.is_relative_to(folder) and '..' not in path.parts for path in frames.values())


LABELS = 'dataset,sub,filename_o,label,apex\nsmic,s01,s01_ne_01,0,3\nsmic,s02,s02_po_01,1,4\nsamm,006,006_1_2,2,9\n'


def write_flow_pictures(folder: Path) -> None:
    (folder / 'labels.csv').write_text('sub,filename,label\ns01,s01_ne_01,0\ns02,s02_po_01,1\n')
    for subject, name in (('s01', 's01_ne_01'), ('s02', 's02_po_01')):
        (folder / f'{subject}_{name} .png').write_bytes(picture('.png', colour=True))


# Names of frames, and pictures


def write_names(folder: Path) -> None:
    for number in range(1, 6):
        (folder / f'{number:05d}_crop224.jpg').touch()


def read_names(folder: Path) -> None:
    """Find the frame numbers in names, with and without what the owner and the user say of them."""
    frames_of.cache_clear()
    for name in (FrameName(SMIC_FRAME), FrameName(None, 'first'), FrameName(None)):
        found = frames_of(folder, name)
        assert {path.parent for path in found.paths.values()} <= {folder}
        assert list(found.paths) == sorted(found.paths)


def picture(suffix: str, colour: bool = False, kind: type = np.uint8, number: int = 0) -> bytes:
    """Return a small picture."""
    shape = (24, 16, 3) if colour else (24, 16)
    pixels = np.random.default_rng(number).integers(0, 255 if kind is np.uint8 else 4095, shape, kind)
    return cv2.imencode(suffix, pixels)[1].tobytes()


def write_picture(folder: Path, suffix: str, name: str = '', **options) -> None:
    (folder / f'1{name or suffix}').write_bytes(picture(suffix, **options))


def read_pictures(folder: Path, colour: bool) -> None:
    path = next(folder.glob('1.*'))
    is_deep(path)
    digest_picture(path)
    read_frame(path)
    if colour:
        read_picture(path, colour=True)


def write_clip(folder: Path, kind: type = np.uint8) -> None:
    for number in range(1, 5):
        (folder / f'{number}.png').write_bytes(picture('.png', kind=kind, number=number))


def read_clip(folder: Path) -> None:
    """Compute the flow of a clip, whose apex is looked for."""
    source = ClipSource({number: folder / f'{number}.png' for number in range(1, 5)}, 1, None, 4)
    clip_flow(source, FlowSettings(flow='dis', clip_len=2, size=28, missing_apex='spotted'))


def write_faces(folder: Path) -> None:
    cells = {name: str(value) for name, value in Face(0.5, 0.01, 3.0, 4.0, 10, 10, 60, 60).row().items()}
    rows = [{'sample_id': f'smic/s0{number}/a', 'digest': 'd' * 64, 'frame': str(number), **cells} for number in (1, 2)]
    rows.append({'sample_id': 'smic/s03/a', 'digest': 'd' * 64})
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / 'faces.csv', index=False)


def read_faces(folder: Path) -> None:
    """Cut a frame as faces.csv says."""
    for row in read_rows(folder / 'faces.csv').values():
        if (face := found_face(row).face) is not None:
            align(np.zeros((24, 16), np.uint8), face, 28)


# Predictions


LOG = 'smic s01\nclip1 0 0\nclip2 1 0\nsmic s02\nclip3 2 2\nclip4 1 1\n'
PAIRS = {'sub01': {'pred': [0, 0, 1], 'truth': [0, 1, 1]}, 'sub02': {'pred': [2, 1], 'truth': [2, 1]}}
LISTS = ''.join(f'Subject: {name}\nPredicted : {d["pred"]}\nGround Truth : {d["truth"]}\n' for name, d in PAIRS.items())
SHORT = 'sample_id,y_true,y_pred,seed\nsmic/s01/a,0,0,0\nsmic/s01/b,1,0.0,0\nsmic/s02/c,1,1,0\n'
FORMS = {  # of predictions, as others leave them
    'MEGC log': ('log.txt', LOG),
    'log of lists for each subject': ('log.txt', LISTS),
    'log of arrays': ('log.txt', LISTS.replace('[', 'array([').replace(']', '], dtype=int64)')),
    'predictions as JSON': ('pairs.json', json.dumps(PAIRS)),
    'predictions as Python prints them': ('pairs.literal', repr({'smic': PAIRS})),
    'predictions as rows of JSON': ('rows.json', json.dumps([{'subject': 'a', 'true': 0, 'pred': 0}] * 3)),
    'predictions with semicolons': ('predictions.csv', SHORT.replace(',', ';')),
    'predictions with tabs': ('predictions.csv', SHORT.replace(',', '\t')),
}


def write_predictions(folder: Path) -> None:
    frame = predictions('one wrong').assign(action_units='4+7', action_units_score_4=0.8, action_units_score_12=0.1)
    frame.to_csv(folder / 'predictions.csv', index=False)


def read_and_score(folder: Path, name: str) -> None:
    """Score predictions as tools/score.py does."""
    frame = read_predictions(folder / name)
    table = score_table(frame, classes_of(frame))
    json.dumps(table)
    assert_plain(format_scores(table))
    assert_plain(str(compare(folder / name, frame, classes_of(frame))))
    if 'action_units' in frame:
        format_action_units(score_action_units(frame))


def rescore(folder: Path) -> None:
    """Make a record and a page of a published log, as tools/score.py --record does."""
    into = folder / 'into'
    known = dict(method='theirs', dataset='smic', protocol='LOSO, smic_3class', url='https://e.org/log')
    write_rescored(folder / 'log.txt', into / 'run', **known, classes=['negative', 'positive', 'surprise'])
    read_record(into / 'run/record.json')
    write_leaderboard([into / 'run'], into / 'page.md')
    assert_harmless(into / 'page.md')


def assert_plain(text: str) -> None:
    """A terminal obeys control characters; what tools print has none but line ends."""
    assert all(escaping.visible(line) == line for line in text.splitlines()), 'control characters on the screen'
    text.encode()


# Records and pages


def write_results(folder: Path) -> None:
    """Write two methods, a failure and a published log as --collect finds them."""
    write_audit(write_run(folder / 'runs/a', synthetic=True, **FULL))
    write_run(folder / 'runs/b', 'one wrong', synthetic=True, method='full+part', overrides=[OVERRIDE])
    (folder / 'runs/c').mkdir()
    write_failure(folder / 'runs/c')


def write_audit(run: Path) -> None:
    """Write the audit of three epochs beside predictions.csv."""
    table = pd.read_csv(run / 'predictions.csv', dtype=str)
    last = table['y_pred'].map({'negative': 'a', 'positive': 'b', 'surprise': 'c'})
    table = table[['sample_id', 'dataset', 'subject', 'fold', 'seed', 'y_true']]
    table.assign(predicted='ab' + last).to_csv(run / AUDIT, index=False)


def read_audited(folder: Path) -> None:
    """Read the audit of the epochs of a stranger's run for the leak meter."""
    leak_meter([read_audit(folder / AUDIT, ['negative', 'positive', 'surprise'])])


DIGEST = 'd' * 64
CHECK = {'name': 'weights', 'status': 'passed', 'detail': 'the same'}
FULL = {  # all that a record may have
    'command': 'mer-bench train mer_smic --seed 0',
    'config': {
        **{'name': 'mer_smic', 'text': 'model = dict()', 'digest': DIGEST, 'folds': {'type': 'loso'}},
        **{'input': {'channels': ['u', 'v'], 'frames': 'apex', 'size': 28}, 'data_variant': None, 'action_units': [4]},
    },
    'pretrained': {'name': 'w.pth', 'digest': DIGEST, 'fitted': 3},
    'note_on_model': 'a note',
    'notes': ['note: faces smic: none'],
    'precision': {
        **{'asked': 'bf16', 'used': 'bf16', 'fp32_layers': ['a.b'], 'agreement': 0.99, 'seconds': 1.5, 'why': ''},
        'decision': 'bf16, 1 layer in fp32 (a.b)',
    },
    'stack': {'way': 'stacked', 'folds': 4, 'asked': 'auto', 'seconds': {'stacked': 0.1}, 'why': '', 'trained': 'off'},
    'batch': {'size': 16, 'computed': [16, 8], 'batch_norm': True},
    'epoch_rule': 'inner',
    'selection': {
        **{'rule': 'inner', 'metric': 'uf1', 'inner_folds': 5},
        'candidates': [{'name': 'C=1', 'text': '{}', 'digest': DIGEST, 'config': 'model = dict()', 'epochs': 3}],
        'chosen': {'smic/s01': {'candidate': 'C=1', 'epoch': 2, 'uf1': 0.5}},
    },
    'leak_audit': {
        **{'verdict': 'passed', 'checks': [CHECK], 'folds': ['smic/s01'], 'epochs': 3, 'seed': 0, 'commit': None},
        'date': '2025-01-31',
    },
}
OVERRIDE = {'name': 'part', 'text': 'model = dict(x=1)', 'digest': digest_of('model = dict(x=1)')}
FAILURE = {
    **{'schema_version': 1, 'method': 'other', 'config': 'mer_smic', 'dataset': 'smic', 'seed': 0, 'synthetic': True},
    **{'protocol': 'LOSO, smic_3class', 'reason': 'diverged', 'date': '2025-02-01'},
}


def read_audit_of_files(folder: Path) -> None:
    assert_plain(format_checks(audit_files(folder / 'run')))


def write_failure(folder: Path) -> None:
    (folder / 'failure.json').write_text(json.dumps(FAILURE))


def make_pages(folder: Path) -> None:
    """Collect, check and lay out the runs of a stranger: nothing leaves the folder, nothing enters a page."""
    into = folder.parent / f'{folder.name}-out'
    try:
        write_leaderboard([folder / 'runs'], into / 'mine/synthetic_page.md')
        collect([folder / 'runs'], into / 'results/in', with_predictions=True)
        write_pages([into / 'results'], into / 'leaderboards')
        check_results([into / 'results'], into / 'leaderboards')
        assert {path.name for path in into.iterdir()} <= {'mine', 'results', 'leaderboards'}
        assert {path.name for path in (into / 'results').iterdir()} == {'in'}
        for path in [*(into / 'mine').iterdir(), *(into / 'leaderboards').iterdir()]:
            assert_harmless(path)
    finally:
        shutil.rmtree(into, ignore_errors=True)


def fill_record(folder: Path) -> None:
    """Make pages of a run whose every text is that of a stranger."""
    text = read_text(folder)
    source = {'name': text, 'text': text, 'digest': text}
    named = dict.fromkeys(('method', 'protocol', 'dataset', 'device', 'commit', 'date', 'epoch_rule'), text)
    store = {
        'flow': text,
        'apex': {text: text},
        'faces': text,
        'size': [text],
        'clip_len': text,
        'synthetic': True,
        'frames_digest': text,
    }
    data = {'annotations_digest': text, 'clips_digest': text, 'store_digest': text, 'store': store}
    config = {**source, 'input': {'channels': [text]}}
    full = dict(config=config, data=data, notes=[text], versions={text: text}, synthetic=True, overrides=[source])
    write_run(folder / 'runs/a', **named, **full)
    failure = FAILURE | dict.fromkeys(('method', 'dataset', 'protocol', 'reason', 'date'), text)
    (folder / 'runs/b').mkdir()
    (folder / 'runs/b/failure.json').write_text(json.dumps(failure))
    make_pages(folder)


def check_sums(folder: Path) -> None:
    """Check what a SHA256SUMS lists; it leads to no file outside its folder."""
    if (folder / SUMS).exists():
        read_sums(folder / SUMS)
    assert all(fault.startswith(str(folder)) for fault in sum_faults(folder, ('record.json', 'predictions.csv')))


def read_as_data(folder: Path) -> None:
    """Read the config of a stranger's record, which holds plain values afterwards and has run nothing."""
    read_recorded_text(read_text(folder), 'record.json')


@lru_cache
def repeatable() -> SimpleNamespace:
    """Return a method without a training, and its data."""
    place = TemporaryDirectory()
    root = write_prepared_data(Path(place.name, 'smic'))
    method = load_method(str(RESULTS.parent / 'configs/mer_smic.py'), ['majority'])
    return SimpleNamespace(place=place, root=root, method=method)


def write_repeatable(folder: Path) -> None:
    """Write the run of a rule that learns nothing, with its config."""
    method = repeatable().method
    config = {'name': method.config_name, 'text': method.text, 'digest': method.digest}
    overrides, scheme = method.overrides, {'name': method.scheme.name, 'digest': method.scheme.digest}
    write_run(folder / 'run', method=method.name, config=config, overrides=overrides, label_scheme=scheme)


def open_repeatable(folder: Path) -> None:
    """Open a stranger's run as `reproduce` does, and say how it differs from another."""
    path = folder / 'run/record.json'
    noted, then = read_repeatable(path)
    stack_of(noted), roots_of(noted)
    options = RunOptions('', data_root=[str(repeatable().root)], **place_of_training(noted))
    same = open_recorded(noted, path, options).same
    differences = differences_of(noted, record(predictions('perfect')), same)
    folds = {name: match(part, then, noted['classes']) for name, part in then.groupby('fold')}
    found = Reproduction(path, noted, match(then, then, noted['classes']), folds, differences)
    assert_plain(str(found))
    json.dumps(found.to_dict())


@lru_cache
def a_model() -> SimpleNamespace:
    """Return the folder of a network that was hardly trained."""
    place = TemporaryDirectory()
    options = RunOptions('mer_smic', ['ststnet'], {'train_cfg.max_epochs': 1}, [str(repeatable().root)], device='cpu')
    return SimpleNamespace(place=place, folder=fit(options, Path(place.name, 'model')))


def write_model(folder: Path) -> None:
    shutil.copytree(a_model().folder, folder / 'model')


def open_model(folder: Path) -> None:
    """Open a stranger's model, who also wrote the digests that fit, and predict with it."""
    path = folder / 'model/model.json'
    try:
        info = json.loads(path.read_bytes()) if path.is_file() else None
        info['files'] = {'model.safetensors': digest_file(path.with_name('model.safetensors'))}
        path.write_text(json.dumps(sealed(info)))
    except (ValueError, TypeError, RecursionError, OSError):
        pass
    model = load_model(path.parent)
    assert len(model.scores(torch.zeros(1, *model.shape))[0]) == len(model.classes)


def write_video(folder: Path) -> None:
    video = cv2.VideoWriter(str(folder / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 25, (32, 32))
    for level in (50, 100, 150):
        video.write(np.full((32, 32, 3), level, np.uint8))
    video.release()


def read_video(folder: Path) -> None:
    frames_at(folder / 'clip.avi', 1, 50)


def write_command(folder: Path) -> None:
    (folder / 'text.txt').write_text('mer_smic\nststnet\ninput.channels=[u,v]\nload_from=/etc/passwd\ndata/smic')


def read_command(folder: Path) -> None:
    """Make the command of a record from what a user types; a shell reads the same words."""
    config, override, *options, root = [*read_text(folder).split('\n'), '', '', ''][:6]
    settings = RunSettings(0, folder, candidates=[override], select='inner')
    command = train_command(RunOptions(config, [override], options, [root]), settings)
    if command is not None:
        assert_plain(command)
        words = shlex.split(command)
        assert words[:2] == ['mer-bench', 'train']
        assert len(words) == 3 + 2 + (1 + len(options)) + 2 + 2 + 6


def read_config_text(folder: Path) -> None:
    """Compare two methods whose config and override are the text of a stranger."""
    text = read_text(folder)
    note = {'name': 'part', 'text': text, 'digest': digest_of(text)}
    places = []
    with TemporaryDirectory() as place:
        for name, overrides in (('full', []), ('full+part', [note])):
            config = {'name': 'mer_smic', 'text': text if overrides else 'lr = 1', 'digest': digest_of(name)}
            places.append(write_run(Path(place, name), method=name, config=config, overrides=overrides) / 'record.json')
        find_groups(methods_of(read_runs(places)))


def write_published(folder: Path) -> None:
    rows = (RESULTS / 'published.csv').read_text().splitlines(keepends=True)
    (folder / 'published.csv').write_text(''.join(rows[:6]))


def read_and_show_published(folder: Path) -> None:
    blocks = published_page(read_published(folder / 'published.csv'))
    (folder / 'page.md').write_text(to_markdown(blocks))
    (folder / 'page.tex').write_text(to_latex(blocks))
    assert_harmless(folder / 'page.md')


# Texts and names


def escape_text(folder: Path) -> None:
    text = read_text(folder)
    page = f'# {escaping.for_markdown(text, block=True)}\n\n| a | b |\n|---|---|\n'
    page += f'| {escaping.for_markdown(text)} | {escaping.markdown_link(text, text)} |\n\n'
    page += f'- {escaping.for_markdown(text, block=True)}\n'
    (folder / 'page.md').write_text(page)
    assert_harmless(folder / 'page.md', headings=1, tables=1, items=1)
    pd.DataFrame([{'a': escaping.for_csv(text)}]).to_csv(folder / 'page.csv', index=False)
    assert_harmless(folder / 'page.csv')
    escaping.for_latex(text).encode()
    assert_plain(escaping.visible(text))


def name_folder(folder: Path) -> None:
    text = read_text(folder)
    path = escaping.inside(folder, escaping.folder_name(text, 'a method'), 'seed0')
    assert path.resolve().is_relative_to(folder.resolve())


# Schemes, annotations, stores


SCHEME = 'dataset,column,value,label\nsmic,emotion,negative,no\nsmic,emotion,positive,yes\nsmic,emotion,*,no\n'
EXCLUDED = 'scheme,dataset,subject,clip,reason\nscheme,smic,s01,ne_1,known to be wrong\n'


@lru_cache
def annotations() -> pd.DataFrame:
    with TemporaryDirectory() as place:
        return read_annotations(write_prepared_data(Path(place, 'smic')) / 'annotations.csv')


def write_scheme(folder: Path) -> None:
    (folder / 'scheme.csv').write_text(SCHEME)
    (folder / 'excluded_clips.csv').write_text(EXCLUDED)


def read_scheme(folder: Path) -> None:
    apply_scheme(annotations(), load_scheme(folder / 'scheme.csv'))


REPORT = 'subject,clip,kind,detail\nsmic/s01,ne_1,damaged,frame 3\nsmic/s02,po_1,left out,a reason\n'


def read_report(folder: Path) -> None:
    """Show what a preparation corrected and left out, as `protocol` does."""
    assert_plain(format_lost(read_reports([folder])))


def write_table(folder: Path) -> None:
    write_annotations(annotations(), folder / 'annotations.csv')


def read_table(folder: Path) -> None:
    table = read_annotations(folder / 'annotations.csv')
    for fold in make_folds(table, 'loso'):
        assert fold.folder not in ('', '.', '..'), fold.folder
        assert '/' not in fold.folder


def write_store(folder: Path) -> None:
    write_prepared_data(folder / 'smic', subjects=2, size=16)


def read_store(folder: Path) -> None:
    FlowStore(folder / 'smic/store').check_clips()


def read_fitting_store(folder: Path) -> None:
    """Open prepared data for a training; whoever changed them also wrote the digests that fit."""
    root = folder / 'smic'
    fit_digests(root)
    CHECKED.clear()
    source = {'dataset': 'smic', 'owner': 'its owner', 'prepare': 'tools/prepare.py'}
    nearest_pairs(open_prepared_data([root], load_scheme('smic_3class'), [source]).annotations)
    read_remarks(root)


def fit_digests(root: Path) -> None:
    """Write the digests of the files as they are, where store.json can hold them."""
    paths = {'data': 'store/flow.npy', 'index': 'store/index.csv', 'annotations': 'annotations.csv'}
    path = root / 'store/store.json'
    try:
        info = json.loads(path.read_bytes()) if path.is_file() else None
    except (ValueError, RecursionError):
        return
    if isinstance(info, dict):
        info |= {f'{name}_digest': digest_file(root / at) for name, at in paths.items() if (root / at).is_file()}
        path.write_bytes(json.dumps(seal(info)).encode())


def write_features(folder: Path) -> None:
    keep(folder / 'kept.npy', np.zeros((4, 3), np.float32), {}, 1000)
    assert read_features(folder / 'kept.npy', 4) is not None


def read_kept(folder: Path) -> None:
    """Take features that are kept with a store; whoever changed them also wrote the digest that fits."""
    path = folder / 'kept.npy'
    if path.is_file():
        (folder / 'kept.json').write_text(json.dumps({'digest': digest_file(path)}))
    assert (features := read_features(path, 4)) is None or features.shape[0] == 4


BUILD = {'dataset': 'smic', 'flow': 'dis'}


def write_build(folder: Path) -> None:
    build = start_build(folder, BUILD, (2, 3, 2, 4, 4))
    fill_clip(build, 0, np.zeros((3, 2, 4, 4)))
    append_done(build, DoneClip(0, 7, 0.5, 'head motion: none'))


def continue_build(folder: Path) -> None:
    """Continue a preparation that was stopped."""
    build = start_build(folder, BUILD, (2, 3, 2, 4, 4))
    read_done(build)
    fill_clip(build, 1, np.zeros((3, 2, 4, 4)))
    append_done(build, DoneClip(1, None, 0.5))
    assert 1 in read_done(build)


# Training


@lru_cache
def a_run() -> SimpleNamespace:
    """The experiment of eight clips and four folds, with its predictions, where nothing is trained."""
    table = predictions('one wrong')
    subjects = tuple(table['subject'].unique())
    return SimpleNamespace(
        folds=[Fold(subject, subjects, (subject,)) for subject in subjects],
        table=table,
        data=SimpleNamespace(annotations=table.rename(columns={'y_true': 'label'})),
        method=SimpleNamespace(is_estimator=True),
        device='cpu',
    )


def write_folds(folder: Path, digests: bool = True) -> None:
    """Write the folds of a finished run; those of earlier versions have no digest."""
    run, known = a_run(), {'n_train': 6, 'n_test': 2, 'train_seconds': 1.0, 'test_seconds': 0.5, 'fit': 'as one'}
    for fold in run.folds:
        place = folder_in_work(folder, fold)
        place.mkdir(parents=True)
        run.table[run.table['subject'] == fold.name].to_csv(place / 'predictions.csv', index=False)
        finish_fold(fold, folder, {'fold': fold.name, **known, **circumstances(run)})
    for path in () if digests else folder.glob('folds/*/fold.json'):
        written = json.loads(path.read_text())
        del written['predictions_digest'], written['digest']
        path.write_text(json.dumps(written))


def score_folds(folder: Path) -> None:
    """Pool the folds of a run and write its record, as at the end of a training."""
    update_record(folder, record(a_run().table), a_run())


def write_unfinished(folder: Path) -> None:
    place = folder_in_work(folder, a_run().folds[0])
    place.mkdir(parents=True)
    for epoch in (1, 2):
        state = {'state_dict': {'weight': torch.zeros(2, 3)}, 'optimizer': {}, 'message_hub': {}}
        torch.save({'meta': {'epoch': epoch, 'iter': 4 * epoch}, **state}, place / f'epoch_{epoch}.pth')
    (place / POINTER).write_text(str(place / 'epoch_2.pth'))
    (place / 'epoch').write_text('2')
    note_batch(place, 8)
    note_batch(folder, 8)


def continue_fold(folder: Path) -> None:
    """Find what an unfinished fold continues from."""
    fold = a_run().folds[0]
    assert 0 <= read_epochs(folder, [fold], 5)[0] <= 5
    for place in (folder, folder_in_work(folder, fold)):
        assert (clips := read_batch(place)) is None or 0 < clips <= 10**9
    mend_folder(folder, fold)
    pointer = folder_in_work(folder, fold) / POINTER
    assert not pointer.exists() or can_resume(Path(pointer.read_text())), 'continues from what is damaged'


def write_notes(folder: Path) -> None:
    """Write what a fold in work noted of its epochs."""
    write_predictions(folder)
    table = pd.read_csv(folder / 'predictions.csv')
    for epoch in range(3):
        note_epoch(folder, epoch, table.to_dict('records'), ['negative', 'positive', 'surprise'])


def read_notes(folder: Path) -> None:
    finish_audit(folder, 3, ['negative', 'positive', 'surprise'])
    read_audit(folder / AUDIT, ['negative', 'positive', 'surprise'])


def write_whole_run(folder: Path) -> None:
    """Write a run with the folders of its folds."""
    write_folds(write_run(folder / 'run', **FULL))


def a_planned_run(folder: Path) -> PlannedRun:
    place = folder / 'mer_smic/full/seed0'
    known = record(a_run().table)
    settings = {'config': known['config']['digest'], 'label_scheme': known['label_scheme']['digest']}
    settings |= {key: known['data'][key] for key in ('annotations_digest', 'store_digest')} | {'pretrained': None}
    folds = tuple((fold, 6) for fold in a_run().folds)
    return PlannedRun('mer_smic.py', (), (), 'full', 0, place, 'smic', folds=folds, max_epochs=2, settings=settings)


def write_sweep(folder: Path) -> None:
    """Write a finished run, and the note of an earlier failure."""
    run = a_planned_run(folder)
    write_run(run.folder, 'one wrong')
    write_folds(run.folder)
    assert is_complete(run)
    write_failure(run.folder)


def read_sweep(folder: Path) -> None:
    """Ask for the state of a run as a sweep does."""
    run = a_planned_run(folder)
    count_folds(run)
    is_complete(run)
    holds_other_settings(run)
    assert_plain(read_reason(run))
    failure_stamp(run)
    TimeEstimate(folder, jobs=2, measured=[folder]).seconds(run)


def continue_run(folder: Path) -> None:
    """Compare the record of a run folder with the settings of a training that would continue it."""
    refuse_other_settings(folder, record(predictions('perfect')), 'give another --work-dir', continued=True)


def read_options(folder: Path) -> None:
    parse_options(read_text(folder).split('\n'))


def merge_options(folder: Path) -> None:
    options = parse_options(read_text(folder).split('\n'))
    load_method(str(RESULTS.parent / 'configs/mer_smic.py'), [], options)


def network() -> torch.nn.Sequential:
    return torch.nn.Sequential(OrderedDict(conv1=torch.nn.Conv3d(3, 2, 3), fc=torch.nn.Linear(2, 3)))


def write_weights(folder: Path, name: str) -> None:
    state = network().state_dict()
    if name.endswith('.pth'):
        torch.save({'state_dict': state}, folder / name)
    else:
        save_file(state, folder / name)


def read_checkpoint(folder: Path, name: str) -> None:
    load_pretrained(network(), folder / name)


OPTIONS = 'train_cfg.max_epochs=5\nmodel.neck.attention=None\nfolds.type=loso\ninput.channels=[u,v]'
SHEETS = (
    *('smic_e_hs', 'smic_e_vis', 'smic_e_nir', 'casme2', 'samm', 'casme', 'casme_sq', 'casme3', 'mmew', '4dme', 'dfme'),
)
AS_CSV = tuple(like for like in SHEETS if like != 'casme_sq')  # whose workbook has three sheets
PICTURES = {
    **{suffix: {'suffix': suffix} for suffix in ('.jpg', '.png', '.bmp', '.tif', '.webp')},
    '.png of 16 bits': {'suffix': '.png', 'kind': np.uint16},
    '.tif of 16 bits': {'suffix': '.tif', 'kind': np.uint16},
    '.jpg called .png': {'suffix': '.jpg', 'name': '.png'},
}


def data_set_doors() -> Iterator[Door]:
    """Yield sheets of every data set, and folders and frames as people rename them."""
    for like in SHEETS:
        write, read = partial(write_tree, like=like, frames=False), partial(read_tree, like=like, frames=False)
        yield Door(f'sheet of {like}, xlsx or xls', write, read, '**/*.xls*', share=0.15)
    for like in AS_CSV:
        write, read = partial(write_as_csv, like=like), partial(read_tree, like=like, frames=False)
        yield Door(f'sheet of {like}, csv', write, read, '**/*.csv', share=0.5)
    for like in ('smic', 'smic_vis', 'smic_nir', *SHEETS):
        write, read = partial(write_tree, like=like, frames=True), partial(read_tree, like=like, frames=True)
        yield Door(f'folders of {like}', write, read, '', names=True, share=0.3 if like != 'casme_sq' else 0.05)


def picture_doors() -> Iterator[Door]:
    """Yield pictures of every kind by their content, and clips of them."""
    for name, options in PICTURES.items():
        read = partial(read_pictures, colour='16' not in name)
        yield Door(f'picture {name}', partial(write_picture, **{'colour': True, **options}), read, share=2)
    yield Door('clip', write_clip, read_clip, share=0.5)
    yield Door('clip of 16 bits', partial(write_clip, kind=np.uint16), read_clip, share=0.5)


def one_file(name: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return what reads one file of the folder."""
    return lambda folder: read(folder / name)


BOUNDS = 'table,method,uf1,reason\nx,*,0.5,\nx,b,,too few clips\n'

DOORS: list[Door] = [
    *data_set_doors(),
    Door('table of clips (csv)', write_own_table, read_own_table, 'clips.csv', share=0.5),
    Door('folders of a table of clips', write_own_table, read_own_table, '', names=True, share=0.5),
    Door('list with --columns and --classes', write_list, read_list),
    Door('label list', text_file(LABELS, 'labels.csv'), one_file('labels.csv', read_labels)),
    Door('flow pictures', write_flow_pictures, lambda f: read_flow_images(f, f / 'labels.csv'), names=True),
    Door('names of frames', write_names, read_names, '', names=True, share=2),
    *picture_doors(),
    Door('faces.csv', write_faces, read_faces, writes=True),
    Door('predictions.csv', write_predictions, partial(read_and_score, name='predictions.csv')),
    *(Door(door, text_file(text, name), partial(read_and_score, name=name)) for door, (name, text) in FORMS.items()),
    Door('log to be scored for the leaderboard', text_file(LOG, 'log.txt'), rescore, writes=True, share=0.2),
    Door(
        'record.json',
        lambda f: write_run(f / 'run', **FULL),
        one_file('run/record.json', read_record),
        '*/*.json',
        share=3,
    ),
    Door('record to be repeated', write_repeatable, open_repeatable, '*/*', share=0.2),
    Door('model to predict with', write_model, open_model, 'model/model.*', writes=True, share=0.2),
    Door(
        'clips to predict (csv)',
        text_file('path,onset,apex,offset\na.mp4,1,3,9\n', 'c.csv'),
        one_file('c.csv', read_spans),
    ),
    Door('video to predict', write_video, read_video, 'clip.avi', share=0.2),
    Door('command of a record', write_command, read_command),
    Door('run to audit', write_whole_run, read_audit_of_files, '**/*', share=0.5),
    Door('audit of epochs', lambda f: write_audit(write_run(f / 'run')), one_file('run', read_audited), f'run/{AUDIT}'),
    Door('epochs noted of a fold', write_notes, read_notes, '.audit.txt', writes=True),
    Door('failure.json', write_failure, one_file('failure.json', read_failure), share=3),
    Door('runs to collect', write_results, make_pages, share=0.2),
    Door('a record full of one text', text_file('plain text'), fill_record, 'text.txt', writes=True, share=0.2),
    Door('config and override in a record', text_file('model = dict(x=2)\nlr = 1'), read_config_text, share=0.2),
    Door('config of a record to be repeated', text_file(CONFIG_TEXT), read_as_data, share=2),
    Door('published.csv', write_published, read_and_show_published, 'published.csv', share=0.5),
    Door('sanity_bounds.csv', text_file(BOUNDS, 'bounds.csv'), one_file('bounds.csv', read_bounds)),
    Door('SHA256SUMS', text_file(f'{"a" * 64}  mer_smic/full/seed0/record.json\n', SUMS), check_sums),
    Door('text on a page', text_file('plain text'), escape_text),
    Door('name of a folder', text_file('method'), name_folder, share=2),
    Door('label scheme', write_scheme, read_scheme, share=0.5),
    Door('report.csv', text_file(REPORT, 'report.csv'), read_report, share=0.5),
    Door('annotations.csv', write_table, read_table),
    Door('flow store', write_store, read_store, 'smic/store/*', share=2),
    Door('prepared data whose digests fit', write_store, read_fitting_store, 'smic/**/*', writes=True, share=0.5),
    Door('features kept with a store', write_features, read_kept, 'kept.npy'),
    Door('store in work', write_build, continue_build, writes=True),
    Door('folds of a run', write_folds, score_folds, 'folds/*/*', writes=True, share=0.2),
    Door('folds without digests', partial(write_folds, digests=False), score_folds, writes=True, share=0.2),
    Door('epoch checkpoints', write_unfinished, continue_fold, names=True, writes=True),
    Door('record.json of a run to be continued', lambda f: write_run(f / 'run'), one_file('run', continue_run)),
    Door('run folder of a sweep', write_sweep, read_sweep, share=0.3),
    Door('--cfg-options', text_file(OPTIONS), read_options, share=3),
    Door('--cfg-options merged', text_file(OPTIONS), merge_options, share=0.02),
    *(
        Door(f'weights{end}', partial(write_weights, name=f'w{end}'), partial(read_checkpoint, name=f'w{end}'))
        for end in ('.pth', '.safetensors')
    ),
]
