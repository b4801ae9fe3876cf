"""tools/train.py runs every config on the synthetic tree of its layout, through the real reader and the real flow."""

import json
from importlib import import_module

import cv2
import numpy as np
import pytest

from mer_bench.datasets.table import MARKER
from mer_bench.experiment.method import load_method
from mer_bench.experiment.sources import find_data
from tests.conftest import ROOT, quick_trees

CONFIGS = sorted((ROOT / 'configs').glob('*.py'))
LAYOUTS = ('smic', 'casme2', 'samm', 'casme', 'casme_sq', 'casme3', 'mmew', '4dme', 'dfme')
USUAL = 'multiscale_resnet3d50'  # the model of configs that set none of their own
SMALL = ['--flow', 'dis', '--clip-len', '2', '--size', '28', '--workers', '1']


def tool(name, *args):
    """Run a tool in this process."""
    return import_module(f'mer_bench.cli.{name}').main([str(arg) for arg in args])


def write_flow_pictures(folder):
    """Pictures of two subjects in the flat layout, with their label table."""
    folder.mkdir()
    names = [f's0{subject}_s0{subject}_{code}_01' for subject in (1, 2) for code in ('ne', 'po', 'sur')]
    for seed, name in enumerate(names):
        picture = np.random.default_rng(seed).integers(0, 255, (28, 28, 3), dtype=np.uint8)
        for step in ('', '_1'):  # rise and fall
            cv2.imwrite(str(folder / f'{name}{step} .png'), picture)
    labels = [f'{name[:3]},{name[4:]},{place % 3}\n' for place, name in enumerate(names)]
    (folder / 'labels.csv').write_text(''.join(labels))
    (folder / MARKER).write_text('{}')


@pytest.fixture(scope='session')
def prepared(tmp_path_factory):
    """Every data set that a config names, prepared from its synthetic tree, and its raw tree in `raw`."""
    root = tmp_path_factory.mktemp('prepared')
    with quick_trees():
        for name in LAYOUTS:
            tool('prepare', 'synthetic', '--like', name, '--out', root / 'raw' / name, '--subjects', 2, '--clips', 7)
    for name in LAYOUTS:
        tool('prepare', name, '--raw', root / 'raw' / name, '--out', root / name, *SMALL)
    write_flow_pictures(root / 'raw' / 'pictures')
    labels = root / 'raw' / 'pictures' / 'labels.csv'
    for name, steps in (('megc2019_flow', ['rise']), ('megc2019_rise_fall', ['rise', 'fall'])):
        pictures = root / 'raw' / 'pictures'
        tool('prepare', 'flow-images', pictures, '--labels', labels, '--steps', *steps, '--out', root / name)
    return root


@pytest.mark.slow
@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
def test_training_runs_on_the_layout_of_the_config(prepared, tiny_override, tmp_path, config):
    method = load_method(str(config))
    cfg = method.cfg
    roots, _ = find_data(cfg, None)
    places = [prepared / root.removeprefix('data/') for root in roots]
    network = method.name != USUAL or cfg.action_units  # the usual network is trained in other tests
    words = ['--override', tiny_override if network else 'ridge', '--jobs', 1]
    options = ['train_cfg.max_epochs=1'] * bool(network)
    if 'n_splits' in cfg.folds:
        options.append('folds.n_splits=2')  # there are two subjects
    if options:
        words += ['--cfg-options', *options]
    tool('train', config, '--data-root', *places, '--work-dir', tmp_path / 'run', *words)
    record = json.loads((tmp_path / 'run' / 'record.json').read_text())
    assert record['complete']
    assert record['scores']['full']['n'] == record['n_clips']
    assert record['synthetic']


@pytest.mark.slow
@pytest.mark.parametrize('name', LAYOUTS)
def test_every_clip_of_a_synthetic_tree_has_its_frames(prepared, capsys, name):
    assert tool('prepare', 'check', name, '--raw', prepared / 'raw' / name) == 0
    assert 'clips that lack a frame or have a damaged one: 0' in capsys.readouterr().out
