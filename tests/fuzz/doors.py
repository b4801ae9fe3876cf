"""Every door: a function that reads what a user or a stranger hands in, and a valid example of it.

A new format is one more entry of `DOORS`. `example` writes valid files into an empty folder; `read` reads that folder
as the tools do. It may raise nothing but an InputError, whatever the files hold; what it promises beside, it asserts.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
import torch

from mer_bench import escaping
from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.flow_images import read_flow_images, read_picture
from mer_bench.datasets.label_table import read_labels
from mer_bench.datasets.places import Places
from mer_bench.datasets.reader import read_dataset
from mer_bench.datasets.synthetic import _drawings
from mer_bench.datasets.synthetic_files import write_sheets, write_strays
from mer_bench.datasets.synthetic_layouts import find_layout
from mer_bench.datasets.table import read_annotations, write_annotations
from mer_bench.evaluation.action_units import score_action_units
from mer_bench.evaluation.metrics import score_table
from mer_bench.evaluation.predictions import classes_of, read_predictions
from mer_bench.evaluation.report import format_action_units, format_scores
from mer_bench.files import digest_of
from mer_bench.models.backbones.pretrained import read_weights
from mer_bench.preparation.flow_store import FlowStore
from mer_bench.preparation.frames import read_frame
from mer_bench.protocols.folds import Fold, make_folds
from mer_bench.protocols.label_schemes import apply_scheme, load_scheme
from mer_bench.results.check import check_results
from mer_bench.results.collect import collect
from mer_bench.results.families import find_families
from mer_bench.results.latex import to_latex
from mer_bench.results.markdown import to_markdown
from mer_bench.results.pages import write_leaderboard, write_pages
from mer_bench.results.published import published_page, read_published
from mer_bench.results.record import read_failure, read_record
from mer_bench.results.run import read_runs
from mer_bench.results.sanity import read_bounds
from mer_bench.results.sections import methods_of
from mer_bench.training.fold import read_result
from mer_bench.training.loso import pool_predictions
from mer_bench.training.method import load_method, parse_options
from mer_bench.training.sweep_estimate import measure_run
from tests.conftest import write_prepared_data
from tests.fuzz.pages import assert_harmless
from tests.results.conftest import predictions, write_run

RESULTS = Path(__file__).parents[2] / 'results'
PICTURES = ('.jpg', '.png', '.bmp')
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
        share: of inputs, where one takes long.
    """

    name: str
    example: Callable[[Path], object]
    read: Callable[[Path], object]
    files: str = '**/*'
    names: bool = False
    share: float = 1.0


def text_file(text: str, name: str = 'text.txt') -> Callable[[Path], object]:
    """Return an example of one file."""
    return lambda folder: (folder / name).write_text(text)


def read_text(folder: Path) -> str:
    return (folder / 'text.txt').read_bytes().decode('utf-8', 'surrogateescape')


# Sheets and folders of the data sets


def write_tree(folder: Path, like: str, frames: bool) -> None:
    """Write a small tree as its owner ships it; the pictures are empty files, or left out."""
    layout, variant = find_layout(like, None)
    drawings = list(_drawings(layout, variant, 1, 2, 0))
    for drawing in drawings if frames else ():
        for number in range(drawing.clip.onset, drawing.clip.offset + 1):
            path = folder / drawing.entry.frame(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    write_strays(folder, drawings[0].entry)
    write_sheets(folder, [drawing.entry for drawing in drawings])


def write_as_csv(folder: Path, like: str) -> None:
    """Write the sheet of a data set as a csv."""
    with TemporaryDirectory() as place:
        write_tree(Path(place), like, frames=False)
        sheets = [path for path in sorted(Path(place).rglob('*.xls*')) if 'Objective' not in path.name]
        tables = pd.read_excel(sheets[0], sheet_name=None, header=None, dtype=str, na_filter=False)
        next(iter(tables.values())).to_csv(folder / 'sheet.csv', index=False, header=False)


def read_tree(folder: Path, like: str, frames: bool) -> None:
    read_dataset(DATASETS[like], Places(raw=folder), with_frames=frames)


def read_csv_sheet(folder: Path, like: str) -> None:
    read_dataset(DATASETS[like], Places(sheets=(folder / 'sheet.csv',)), with_frames=False)


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


def read_own_table(folder: Path) -> None:
    reading = read_dataset(DATASETS['csv'], Places(raw=folder, sheets=(folder / 'clips.csv',)))
    for frames in reading.frames.values():
        assert all(path.is_relative_to(folder) and '..' not in path.parts for path in frames.values())


LABELS = 'dataset,sub,filename_o,label,apex\nsmic,s01,s01_ne_01,0,3\nsmic,s02,s02_po_01,1,4\nsamm,006,006_1_2,2,9\n'


def write_flow_pictures(folder: Path) -> None:
    (folder / 'labels.csv').write_text('sub,filename,label\ns01,s01_ne_01,0\ns02,s02_po_01,1\n')
    for subject, name in (('s01', 's01_ne_01'), ('s02', 's02_po_01')):
        (folder / f'{subject}_{name} .png').write_bytes(picture('.png', colour=True))


# Pictures


def picture(suffix: str, colour: bool = False) -> bytes:
    """Return a small picture."""
    pixels = np.random.default_rng(0).integers(0, 255, (24, 16, 3) if colour else (24, 16), dtype=np.uint8)
    return cv2.imencode(suffix, pixels)[1].tobytes()


def write_picture(folder: Path, suffix: str) -> None:
    (folder / f'1{suffix}').write_bytes(picture(suffix))


def read_pictures(folder: Path, suffix: str) -> None:
    read_frame(folder / f'1{suffix}')
    read_picture(folder / f'1{suffix}')


# Predictions


LOG = 'smic s01\nclip1 0 0\nclip2 1 0\nsmic s02\nclip3 2 2\nclip4 1 1\n'


def write_predictions(folder: Path) -> None:
    frame = predictions('one wrong').assign(action_units='4+7', action_units_score_4=0.8, action_units_score_12=0.1)
    frame.to_csv(folder / 'predictions.csv', index=False)


def read_and_score(folder: Path, name: str) -> None:
    """Score predictions as tools/score.py does."""
    frame = read_predictions(folder / name)
    table = score_table(frame, classes_of(frame))
    json.dumps(table)
    assert_plain(format_scores(table))
    if 'action_units' in frame:
        format_action_units(score_action_units(frame))


def assert_plain(text: str) -> None:
    """A terminal obeys control characters; what tools print has none but line ends."""
    assert all(escaping.visible(line) == line for line in text.splitlines()), 'control characters on the screen'
    text.encode()


# Records and pages


def write_results(folder: Path) -> None:
    """Write two methods, a failure and a published log as --collect finds them."""
    write_run(folder / 'runs/a', synthetic=True)
    write_run(folder / 'runs/b', 'one wrong', synthetic=True, method='full+part', overrides=[OVERRIDE])
    (folder / 'runs/c').mkdir()
    write_failure(folder / 'runs/c')


OVERRIDE = {'name': 'part', 'text': 'model = dict(x=1)', 'digest': digest_of('model = dict(x=1)')}
FAILURE = {
    **{'schema_version': 1, 'method': 'other', 'config': 'mer_smic', 'dataset': 'smic', 'seed': 0, 'synthetic': True},
    **{'protocol': 'LOSO, smic_3class', 'reason': 'diverged', 'date': '2025-02-01'},
}


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
    store = {'flow': text, 'apex': {text: text}, 'faces': text, 'size': [text], 'clip_len': text, 'synthetic': True}
    data = {'annotations_digest': text, 'store_digest': text, 'store': store}
    config = {**source, 'input': {'channels': [text]}}
    full = dict(config=config, data=data, notes=[text], versions={text: text}, synthetic=True, overrides=[source])
    write_run(folder / 'runs/a', **named, **full)
    failure = FAILURE | dict.fromkeys(('method', 'dataset', 'protocol', 'reason', 'date'), text)
    (folder / 'runs/b').mkdir()
    (folder / 'runs/b/failure.json').write_text(json.dumps(failure))
    make_pages(folder)


def read_config_text(folder: Path) -> None:
    """Compare two methods whose config and override are the text of a stranger."""
    text = read_text(folder)
    note = {'name': 'part', 'text': text, 'digest': digest_of(text)}
    places = []
    with TemporaryDirectory() as place:
        for name, overrides in (('full', []), ('full+part', [note])):
            config = {'name': 'mer_smic', 'text': text if overrides else 'lr = 1', 'digest': digest_of(name)}
            places.append(write_run(Path(place, name), method=name, config=config, overrides=overrides) / 'record.json')
        find_families(methods_of(read_runs(places)))


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
    store = FlowStore(folder / 'smic/store')
    for row in list(store.index.values())[:3]:
        np.asarray(store.clips[row]).sum(dtype=float)


# Training


def write_fold(folder: Path) -> None:
    place = folder / 'folds/smic_s01'
    place.mkdir(parents=True)
    known = {'train_seconds': 1.0, 'test_seconds': 0.5, 'n_train': 6, 'device': 'cpu', 'commit': None, 'date': 'x'}
    (place / 'fold.json').write_text(json.dumps(known | {'versions': {'python': '3.11'}}))
    predictions('one wrong').to_csv(place / 'predictions.csv', index=False)


def read_fold(folder: Path) -> None:
    read_result(folder, Fold('smic/s01', (), ('smic/s01',)))
    pool_predictions([folder / 'folds/smic_s01/predictions.csv'])


def write_measured(folder: Path) -> None:
    write_run(folder / 'seed0')


def read_measured(folder: Path) -> None:
    measure_run(folder / 'seed0')


def read_options(folder: Path) -> None:
    parse_options(read_text(folder).split('\n'))


def merge_options(folder: Path) -> None:
    options = parse_options(read_text(folder).split('\n'))
    load_method(str(RESULTS.parent / 'configs/mer_smic.py'), [], options)


def write_weights(folder: Path) -> None:
    torch.save({'state_dict': {'conv1.weight': torch.zeros(2, 3)}}, folder / 'weights.pth')


def read_checkpoint(folder: Path) -> None:
    read_weights(folder / 'weights.pth')


OPTIONS = 'train_cfg.max_epochs=5\nmodel.neck.attention=None\nfolds.type=loso\ninput.channels=[u,v]'
SHEETS = ('smic_e_hs', 'smic_e_vis', 'casme2', 'samm', 'casme', 'casme_sq', 'casme3', 'mmew', '4dme', 'dfme')
AS_CSV = ('casme2', 'samm', 'casme', 'casme3', 'mmew', '4dme', 'dfme')


def data_set_doors() -> Iterator[Door]:
    """Yield sheets of every data set, and folders and frames as people rename them."""
    for like in SHEETS:
        write, read = partial(write_tree, like=like, frames=False), partial(read_tree, like=like, frames=False)
        yield Door(f'sheet of {like}, xlsx or xls', write, read, '**/*.xls*', share=0.5)
    for like in AS_CSV:
        write, read = partial(write_as_csv, like=like), partial(read_csv_sheet, like=like)
        yield Door(f'sheet of {like}, csv', write, read, '*.csv')
    for like in ('smic', 'smic_vis', *SHEETS):
        write, read = partial(write_tree, like=like, frames=True), partial(read_tree, like=like, frames=True)
        yield Door(f'folders of {like}', write, read, '', names=True, share=0.3)


DOORS: list[Door] = [
    *data_set_doors(),
    Door('table of clips (csv)', write_own_table, read_own_table, 'clips.csv'),
    Door('folders of a table of clips', write_own_table, read_own_table, '', names=True, share=0.5),
    Door('label list', text_file(LABELS, 'labels.csv'), lambda folder: read_labels(folder / 'labels.csv')),
    Door(
        'flow pictures',
        write_flow_pictures,
        lambda folder: read_flow_images(folder, folder / 'labels.csv'),
        names=True,
        share=0.5,
    ),
    *(
        Door(f'picture{suffix}', partial(write_picture, suffix=suffix), partial(read_pictures, suffix=suffix))
        for suffix in PICTURES
    ),
    Door('predictions.csv', write_predictions, partial(read_and_score, name='predictions.csv')),
    Door('MEGC log', text_file(LOG, 'log.txt'), partial(read_and_score, name='log.txt')),
    Door(
        'record.json',
        lambda folder: write_run(folder / 'run'),
        lambda f: read_record(f / 'run/record.json'),
        '*/*.json',
    ),
    Door('failure.json', write_failure, lambda folder: read_failure(folder / 'failure.json')),
    Door('runs to collect', write_results, make_pages, share=0.2),
    Door('a record full of one text', text_file('plain text'), fill_record, 'text.txt', share=0.2),
    Door('config and override in a record', text_file('model = dict(x=2)\nlr = 1'), read_config_text, share=0.2),
    Door('published.csv', write_published, read_and_show_published),
    Door(
        'sanity_bounds.csv',
        text_file('table,method,uf1,reason\nx,*,0.5,\nx,b,,too few clips\n', 'bounds.csv'),
        lambda folder: read_bounds(folder / 'bounds.csv'),
    ),
    Door('text on a page', text_file('plain text'), escape_text),
    Door('name of a folder', text_file('method'), name_folder),
    Door('label scheme', write_scheme, read_scheme),
    Door('annotations.csv', write_table, read_table),
    Door('flow store', write_store, read_store, 'smic/store/*'),
    Door('fold of a run', write_fold, read_fold),
    Door('measured run', write_measured, read_measured),
    Door('--cfg-options', text_file(OPTIONS), read_options),
    Door('--cfg-options merged', text_file(OPTIONS), merge_options, share=0.02),
    Door('checkpoint', write_weights, read_checkpoint, share=0.5),
]
