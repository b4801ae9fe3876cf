"""Every override on a tiny data set of the usual shape: the model is built, trains one step and predicts."""

from functools import lru_cache
from pathlib import Path

import pandas as pd
import pytest

from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.experiment.method import load_method
from mer_bench.runs.run import RunSettings, run_folds
from tests.conftest import ROOT, write_prepared_data

CONFIG = str(ROOT / 'configs/mer_smic.py')
OVERRIDES = [*sorted((ROOT / 'ablations').glob('*.py')), *sorted((ROOT / 'configs/baselines').glob('*.py'))]
# what is tested is the change and not the size: the reduced sizes of the leaderboard of synthetic data
REDUCED = ROOT / 'configs/reduced'
SMALL = {
    'c3d': 'small_clips_c3d',
    'tsm_r50': 'small_clips_tsm',
    'htnet': 'narrow_htnet',
    'causalnet': 'narrow_causalnet',
    'timm_resnet18': 'small_clips',
}
VIDEO = [
    'slowonly_r50',
    'r2plus1d_r34',
    'x3d_s',
    'slowfast_r50',
    'csn_r50',
    'mvit_s',
    'swin3d_t',
    'uniformer_s',
    'tsn_r50',
]
SMALL |= dict.fromkeys(VIDEO, 'small_clips')
FULL_SIZE = 'i3d_r50'  # and in the precision of the hardware; the others in fp32
EMOTIONS = ('negative', 'positive', 'surprise')
SHORT = {'train_cfg.max_epochs': 1, 'train_dataloader.batch_size': 2, 'test_dataloader.batch_size': 2}


@pytest.fixture(scope='session')
def clips_of_the_usual_shape(tmp_path_factory):
    """Two subjects with a clip of each class; u, v, strain, grey, change; 16 frames of 112x112."""
    return write_prepared_data(
        tmp_path_factory.mktemp('usual') / 'smic',
        subjects=2,
        clip_len=16,
        size=112,
        emotions=EMOTIONS,
        channels=['u', 'v', 'strain', 'grey', 'change'],
        faces=dict(detector='dlib'),
    )


def prepare_variant(overrides, root):
    """Write the store that an ablation of the preparation asks for, beside the usual one."""
    variant = load_method(CONFIG, overrides).cfg.get('data_variant')
    if variant:
        described = {'flow': variant.get('flow', 'tvl1'), 'apex': {variant.get('apex', 'annotated'): 6}}
        place = root.with_name(f'{root.name}_{variant["name"]}')
        write_prepared_data(place, subjects=2, emotions=EMOTIONS, **described)


def open_with(overrides, root, **options):
    return open_experiment(
        RunOptions(
            config=CONFIG,
            overrides=overrides,
            cfg_options=[f'{key}={value}' for key, value in options.items()],
            data_root=[str(root)],
            folds=['s01'],
            device='cpu',
            threads=1,
        )
    )


def at_reduced_size(override):
    """The overrides and options with which a method is trained in moments."""
    name = Path(override).stem
    if name == 'frames_all':  # the full model takes all frames anyway
        return [str(ROOT / 'configs/baselines/ridge.py'), override], {}
    if '/ablations/' in override:
        return [str(REDUCED / 'eighth_width.py'), override], {'input.size': 56, 'amp': False}
    if name in SMALL:
        return [override, str(REDUCED / f'{SMALL[name]}.py')], {'amp': False}
    return [override], {} if name == FULL_SIZE else {'amp': False}


@lru_cache
def full_model():
    return load_method(CONFIG).content


@pytest.mark.slow
@pytest.mark.parametrize('override', [*map(str, OVERRIDES), 'timm_resnet18'], ids=lambda path: path.split('/')[-1])
def test_every_override_trains_one_step_and_predicts(override, clips_of_the_usual_shape, tmp_path):
    if override.endswith('pretrained.py'):
        pytest.skip('needs a file of weights')
    overrides, options = at_reduced_size(override)
    prepare_variant(overrides, clips_of_the_usual_shape)
    experiment = open_with(overrides, clips_of_the_usual_shape, **SHORT, **options)
    record = run_folds(experiment, RunSettings(0, tmp_path / 'run'))
    predictions = pd.read_csv(tmp_path / 'run/folds/smic_s01/predictions.csv')
    assert record['folds']['done'] == 1
    assert sorted(predictions['y_true']) == [*EMOTIONS]
    assert predictions.filter(regex='^score_').notna().all(axis=None)


@pytest.mark.parametrize('override', OVERRIDES, ids=lambda path: path.stem)
def test_an_override_is_one_thing_that_changes_the_method(override):
    if override.stem == 'frames_all':
        assert load_method(CONFIG, ['ridge', str(override)]).name == 'ridge+frames_all'
        return
    method = load_method(CONFIG, [str(override)])
    changed = {key for key, value in method.content.items() if full_model().get(key) != value}
    if override.parent.name == 'ablations':
        assert method.name == f'multiscale_resnet3d50+{override.stem}'
        assert len(changed) == 1
    else:
        assert method.name == override.stem
        assert 'model' in changed


def test_the_configs_of_the_table_are_in_the_project():
    names = {path.stem for path in OVERRIDES}
    assert {'no_multiscale', 'no_attention', 'single_head', 'majority', 'ststnet', 'i3d_r50', 'lbp_top'} <= names
