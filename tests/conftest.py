"""One tiny prepared data set, with motion that tells its class, feeds every test of loading and training."""

import gc
import json
import random
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mer_bench.datasets.table import annotation_table
from mer_bench.files import digest_file, write_json
from mer_bench.preparation.store.build import DoneClip, append_done, finish_build, start_build, write_clip
from mer_bench.preparation.store.flow_store import seal

ROOT = Path(__file__).parents[1]
# where each class moves, in eighths of the picture, and which way (u, v)
MOTION = {'negative': (0, (0, 1)), 'positive': (5, (1, 0)), 'surprise': (2, (0, -1))}
TINY = """
model = dict(
    backbone=dict(base_channels=4),
    neck=dict(in_channels=[32, 64, 128], channels=8),
    cls_head=dict(in_channels=[8] * 4))
train_cfg = dict(max_epochs=2)
train_dataloader = dict(batch_size=8)
default_hooks = dict(checkpoint=dict(interval=1))
amp = False  # the same numbers on every processor
"""


# facial action units as a sheet writes them; '?' is a clip whose coder was not sure
UNITS = {'negative': '4+L7', 'positive': '12', 'surprise': '?'}


def write_prepared_data(
    root: Path,
    subjects: int = 3,
    clip_len: int = 2,
    size: int = 32,
    relabel: dict | None = None,
    dataset: str = 'smic',
    emotions: tuple[str, ...] = ('negative', 'negative', 'positive', 'positive', 'surprise', 'surprise'),
    **described,
) -> Path:
    """Write annotations.csv and store/ as tools/prepare.py does.

    Args:
        relabel: Gives all clips of a subject one emotion.
        emotions: Of the clips of each subject.
        **described: What store.json is to say otherwise, such as channels.
    """
    rows = [
        {
            'sample_id': f'{dataset}/s{subject:02d}/{emotion[:2]}_{emotions[:i].count(emotion)}',
            'dataset': dataset,
            'subject': f'{dataset}/s{subject:02d}',
            'clip': f'{emotion[:2]}_{emotions[:i].count(emotion)}',
            'emotion': (relabel or {}).get(subject, emotion),
            'action_units': UNITS.get(emotion, ''),
            'synthetic': True,
        }
        for subject in range(1, subjects + 1)
        for i, emotion in enumerate(emotions)
    ]
    table = annotation_table(rows)
    parameters = {'dataset': dataset, 'synthetic': True, 'flow': 'tvl1', 'flow_parameters': {}, 'reference': 'onset'}
    parameters |= {'channels': ['u', 'v', 'strain'], 'clip_len': clip_len, 'size': [size, size], 'apex': 'middle'}
    parameters |= {'faces': None, 'sampling': 'none: numbers of a test', 'opencv': ''} | described
    channels = len(parameters['channels'])
    root.mkdir(parents=True)
    build = start_build(root, parameters, (len(table), channels, clip_len, size, size))
    rng = np.random.default_rng(0)
    for row, emotion in enumerate(table['emotion']):
        flow = rng.normal(0, 0.2, (channels, clip_len, size, size))
        top, direction = MOTION.get(emotion, (0, (0, 0)))
        area = np.s_[:, :, top * size // 8 : (top + 3) * size // 8]
        flow[:2][area] += np.reshape(direction, (2, 1, 1, 1))[:channels]
        write_clip(build, row, flow)
        append_done(build, DoneClip(row, None, 0.0))
    finish_build(build, root, table, parameters, 'pixels')
    return root


def rewrite_flow(root: Path, rows: slice, value: float) -> None:
    """Give some clips of prepared data other flow, as another preparation would have written it."""
    store = root / 'store'
    clips = np.load(store / 'flow.npy')
    clips[rows] = value
    np.save(store / 'flow.npy', clips)
    info = json.loads((store / 'store.json').read_text())
    write_json(store / 'store.json', seal(info | {'data_digest': digest_file(store / 'flow.npy')}))


@contextmanager
def quick_trees() -> Iterator[None]:
    """Let synthetic trees have one face and short clips, where a test needs their layout alone."""
    from mer_bench.datasets.synthetic import face, layouts, tree  # OpenCV and SciPy take long to import

    one, timing = face.draw_face(np.random.default_rng(0)), layouts.clip_timing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, 'draw_face', lambda rng: one)
        patch.setattr(tree, 'clip_timing', lambda *clip: replace(timing(*clip), length=(4, 7)))
        yield


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def pytest_collection_modifyitems(items) -> None:
    """Begin with the files of slow tests: at the end, quick ones keep every worker busy."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Exclude all tests and imports from garbage collection, which every training calls."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Let every test draw the same numbers whichever tests ran before it, on every machine."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get('torch'):  # the stack takes seconds to import
        torch.manual_seed(0)


@pytest.fixture(scope='session')
def prepared_data(tmp_path_factory) -> Path:
    """3 subjects with 2 clips of each of 3 classes; (3, 2, 32, 32) a clip."""
    return write_prepared_data(tmp_path_factory.mktemp('data') / 'smic')


@pytest.fixture(scope='session')
def tiny_override(tmp_path_factory) -> Path:
    """An override that makes the model small and the training short."""
    path = tmp_path_factory.mktemp('overrides') / 'tiny.py'
    path.write_text(TINY)
    return path


@pytest.fixture(scope='session')
def finished_run(prepared_data, tiny_override, tmp_path_factory) -> Path:
    """The folder of an undisturbed run of the small training over all folds, with its checkpoints."""
    from mer_bench.experiment.experiment import RunOptions, open_experiment  # the stack takes seconds to import
    from mer_bench.runs.run import RunSettings, run_folds

    described = dict(config=str(ROOT / 'configs/mer_smic.py'), overrides=[str(tiny_override)], cfg_options=[], folds=[])
    experiment = open_experiment(RunOptions(**described, data_root=[str(prepared_data)], device='cpu', threads=1))
    work_dir = tmp_path_factory.mktemp('finished')
    run_folds(experiment, RunSettings(0, work_dir, save_checkpoints=True))
    return work_dir


@pytest.fixture(scope='module')
def open_page() -> Iterator[Callable]:
    """`open_page(address, **options) -> page, faults` in one headless Chromium; skips where there is none.

    A fault is an error or a warning on the console, and a request that leaves this machine. To be asserted empty.
    """
    api = pytest.importorskip('playwright.sync_api', reason='pages are tested in a browser, by playwright')
    program = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if not program:
        pytest.skip('pages are tested in Chromium, which is not installed')
    here = ('file:', 'data:', 'blob:', 'about:', 'http://127.0.0.1:', 'ws://127.0.0.1:')

    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=['--no-sandbox'])

        def open_in_chromium(address: str, complaints: tuple[str, ...] = ('error', 'warning'), **options) -> tuple:
            page, faults = chromium.new_page(**options), []
            page.set_default_timeout(120_000)  # milliseconds: the machine may be busy
            page.on('console', lambda message: message.type in complaints and faults.append(message.text))
            page.on('pageerror', lambda error: faults.append(str(error)))
            page.on('request', lambda sent: sent.url.startswith(here) or faults.append(sent.url))
            page.goto(address)
            return page, faults

        yield open_in_chromium
        chromium.close()
