"""A network trained on the six clips of two drawn subjects, once for all tests."""

from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from mer_bench.datasets.catalogue import DATASETS
from mer_bench.datasets.places import Places
from mer_bench.datasets.synthetic.tree import write_synthetic_tree
from mer_bench.datasets.table import read_annotations
from mer_bench.experiment.experiment import RunOptions
from mer_bench.inference.fit import fit
from mer_bench.inference.model import load_model
from mer_bench.preparation.prepare import prepare_dataset
from mer_bench.preparation.settings import FaceSettings, FlowSettings

FACES = FaceSettings('dlib' if find_spec('dlib') else 'none', size=96)


@pytest.fixture(scope='session')
def drawn(tmp_path_factory):
    """Frames, prepared data with aligned faces, and a model of them, as a user makes them."""
    folder = tmp_path_factory.mktemp('drawn')
    write_synthetic_tree(folder / 'raw', 'casme2', subjects=2, clips_per_subject=3)
    settings = FlowSettings('dis', clip_len=4, size=28)
    prepare_dataset(DATASETS['casme2'], Places(folder / 'raw'), folder / 'casme2', settings, FACES, workers=1)
    options = RunOptions(
        'mer_casme2_3class', ['ststnet'], {'train_cfg.max_epochs': 4}, [str(folder / 'casme2')], device='cpu'
    )
    return SimpleNamespace(
        frames=folder / 'raw/Cropped',
        data=folder / 'casme2',
        clips=read_annotations(folder / 'casme2/annotations.csv'),
        options=options,
        model=fit(options, folder / 'model'),
    )


@pytest.fixture
def model(drawn):
    """The model, opened."""
    return load_model(drawn.model)


@pytest.fixture
def clip_args(drawn):
    """Path, onset, apex and offset of the first drawn clip."""
    clip = drawn.clips.iloc[0]
    return dict(path=drawn.frames / clip.frames_dir, onset=clip.onset, apex=clip.apex, offset=clip.offset)
