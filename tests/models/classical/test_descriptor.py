"""What all descriptors have in common."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import get_tags

from mer_bench.errors import InputError
from mer_bench.models.classical import ESTIMATORS

DESCRIPTORS = [kind for kind in ESTIMATORS.module_dict.values() if getattr(kind, 'channels', ())]


def random_clips(descriptor, n=2):
    """Clips of grey levels, or of motion, that the descriptor can see."""
    shape = (n, len(descriptor.channels), 6, 80, 80)
    values = np.random.default_rng(0)
    return values.integers(0, 256, shape) if descriptor.channels == ('grey',) else values.normal(size=shape)


@pytest.mark.parametrize('kind', DESCRIPTORS)
def test_a_clip_is_described_alike_alone_and_among_others(kind):
    clips = random_clips(kind).astype(np.float32)
    together = kind().transform(clips)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[1:], kind().transform(clips[1:]))


@pytest.mark.parametrize('kind', DESCRIPTORS)
def test_nothing_is_learned_and_scikit_learn_can_copy_it(kind):
    assert not get_tags(clone(kind())).requires_fit


@pytest.mark.parametrize('kind', DESCRIPTORS)
def test_a_clip_without_content_has_finite_features(kind):
    assert np.isfinite(kind().transform(random_clips(kind) * 0.0)).all()


@pytest.mark.parametrize('kind', DESCRIPTORS)
def test_other_channels_are_refused(kind):
    with pytest.raises(InputError, match=r'set input\.channels'):
        kind().transform(np.zeros((1, 7, 6, 80, 80)))
