"""Descriptors that are kept with the store."""

import json
import os
import shutil

import numpy as np
import pytest

from mer_bench.files import digest_file
from mer_bench.loading.prepared_data import open_prepared_data
from mer_bench.models.classical.flatten import Flatten
from mer_bench.models.classical.hoof import HOOF
from mer_bench.preparation.store.build import tidy_store
from mer_bench.protocols.label_schemes import load_scheme
from mer_bench.training.sklearn import clip_features
from mer_bench.training.sklearn.clip_features import COMPUTED, KEPT
from tests.conftest import write_prepared_data

SOURCE = dict(dataset='smic', owner='', prepare='')
VIEW = dict(channels=['u', 'v'], normalise=False)


@pytest.fixture
def root(tmp_path, prepared_data):
    others = shutil.ignore_patterns('features')  # that tests of whole runs left in the common store
    return shutil.copytree(prepared_data, tmp_path / 'smic', ignore=others)


def opened(*roots, scheme='smic_3class', **view):
    return open_prepared_data(roots, load_scheme(scheme), [SOURCE] * len(roots), VIEW | view)


def described(data, steps=None):
    return clip_features.clip_features(data, steps or [HOOF(n_bins=6)], jobs=1, quiet=True)


def by_hand(data, step):
    clips = data.annotations
    stored = np.load(f'{clips["store"].iloc[0]}/flow.npy')[clips['row']]
    return step.transform(stored[:, :2].astype(np.float32))


def kept(root):
    return sorted((root / 'store/features').glob('*.npy'))


def test_the_second_run_reads_what_the_first_one_computed(root):
    first, second = described(opened(root)), described(opened(root))
    assert (first[1], second[1]) == (COMPUTED, KEPT)
    np.testing.assert_array_equal(first[0], by_hand(opened(root), HOOF(n_bins=6)))
    np.testing.assert_array_equal(first[0], second[0])


def test_what_is_kept_says_of_what_it_was_made(root):
    described(opened(root))
    about = json.loads(kept(root)[0].with_suffix('.json').read_text())
    assert about['steps'][0][1:] == ['HOOF', HOOF(n_bins=6).get_params() | {'grid': [1, 1]}]
    assert about['view']['channels'] == ['u', 'v']
    assert {'classical/hoof.py', 'classical/blocks.py', 'loading/input_spec.py'} <= {*about['code']}
    assert {'numpy', 'scipy', 'scikit-image', 'torch', 'processor'} <= {*about['versions']}


def test_normalisation_of_networks_does_not_matter(root):
    described(opened(root))
    assert described(opened(root, normalise=True))[1] == KEPT


@pytest.mark.parametrize(
    'change',
    [
        lambda root, patch: (opened(root), [HOOF(n_bins=5)]),
        lambda root, patch: (opened(root), [Flatten()]),
        lambda root, patch: (opened(root, channels=['v', 'u']), [HOOF(n_bins=6)]),
        lambda root, patch: patch.setattr(clip_features, 'versions', lambda: {'numpy': '99'}),
        lambda root, patch: patch.setattr(clip_features, 'digest_file', lambda path: 'mended'),
    ],
)
def test_other_arguments_steps_views_libraries_or_code_are_described_anew(root, monkeypatch, change):
    described(opened(root))
    changed = change(root, monkeypatch) or (opened(root), [HOOF(n_bins=6)])
    assert described(*changed)[1] == COMPUTED


def test_another_label_scheme_shares_the_rows_of_the_store(tmp_path):
    emotions = ('negative', 'positive', 'surprise', 'others')
    root = write_prepared_data(tmp_path / 'casme2', dataset='casme2', emotions=emotions)
    described(opened(root, scheme='casme2_5class'))
    data = opened(root, scheme='megc2019_3class')
    features, origin = described(data)
    assert origin == KEPT
    np.testing.assert_array_equal(features, by_hand(data, HOOF(n_bins=6)))


@pytest.mark.parametrize('damage', [lambda file: file[:-8], lambda file: file[:-1] + b'\x07', lambda file: b''])
def test_a_damaged_file_is_computed_anew(root, damage):
    right = described(opened(root))[0]
    (path,) = kept(root)
    path.write_bytes(damage(path.read_bytes()))
    features, origin = described(opened(root))
    assert origin == COMPUTED
    np.testing.assert_array_equal(features, right)
    assert described(opened(root))[1] == KEPT


def test_code_that_changed_under_a_running_process_is_not_trusted(root, monkeypatch):
    described(opened(root))
    monkeypatch.setattr(clip_features, 'STARTED', 0.0)
    assert described(opened(root))[1] == COMPUTED
    assert len(kept(root)) == 1


def test_a_store_that_cannot_be_written_to_is_left_alone(root, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda path, mode: False)
    features, origin = described(opened(root))
    assert origin == COMPUTED
    assert not kept(root)
    np.testing.assert_array_equal(features, by_hand(opened(root), HOOF(n_bins=6)))


def test_features_larger_than_the_clips_are_not_kept(root):
    assert described(opened(root, channels=['u', 'v', 'strain', 'magnitude']), [Flatten()])[0].shape == (18, 8192)
    assert not kept(root)


def test_each_of_several_stores_keeps_its_own(root, tmp_path):
    other = write_prepared_data(tmp_path / 'casme2', dataset='casme2', subjects=2)
    both = opened(root, other, scheme='megc2019_3class')
    features, origin = described(both)
    assert (origin, len(kept(root)), len(kept(other))) == (COMPUTED, 1, 1)
    assert described(opened(root))[1] == KEPT
    mine = (both.annotations['dataset'] == 'smic').to_numpy()
    np.testing.assert_array_equal(features[mine], described(opened(root))[0])


def test_preparing_again_leaves_what_is_kept(root):
    described(opened(root))
    tidy_store(root)
    assert described(opened(root))[1] == KEPT


@pytest.mark.parametrize('content', [np.zeros(3), np.zeros((2, 6), np.float32), np.array([len]), None])
def test_kept_features_of_another_form_are_described_anew(root, content):
    """Also where a digest that fits stands beside them."""
    described(opened(root))
    path = kept(root)[0]
    path.write_bytes(b'PK\x05\x06' + bytes(18)) if content is None else np.save(path, content, allow_pickle=True)
    about = json.loads(path.with_suffix('.json').read_text())
    path.with_suffix('.json').write_text(json.dumps(about | {'digest': digest_file(path)}))
    assert described(opened(root))[1] == COMPUTED
