"""What each kind of augmentation draws for a clip."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from mer_bench.clip_random import clip_keys
from mer_bench.errors import InputError
from mer_bench.loading.augmentation import Augmentation, draw_moves, draw_partners

KEYS = clip_keys(f'smic/s01/{i}' for i in range(4000))
SIZE = (16, 40, 80)


def test_a_shift_is_a_share_of_the_picture_and_both_ends_are_reached():
    offsets = draw_moves(KEYS, 0, 0, Augmentation(max_shift=0.1), SIZE).offsets
    assert offsets.amin(0).tolist() == [0, -4, -8]
    assert offsets.amax(0).tolist() == [0, 4, 8]


def test_a_jitter_takes_each_number_of_frames_as_often():
    offsets = draw_moves(KEYS, 0, 0, Augmentation(max_jitter=2), SIZE).offsets
    counts = torch.bincount(offsets[:, 0] + 2)
    assert len(counts) == 5
    assert (counts - 800).abs().max() < 100  # four standard deviations
    assert not offsets[:, 1:].any()


def test_a_scale_lies_around_one():
    scales = draw_moves(KEYS, 0, 0, Augmentation(max_scale=0.3), SIZE).scales
    assert kstest(scales, 'uniform', (0.7, 0.6)).pvalue > 0.01


def test_half_of_the_clips_are_mirrored():
    flips = draw_moves(KEYS, 0, 0, Augmentation(flip_prob=0.5), SIZE).flips
    assert abs(flips.float().mean() - 0.5) < 0.04


def test_one_kind_does_not_change_what_another_draws():
    alone = draw_moves(KEYS, 3, 5, Augmentation(flip_prob=0.5), SIZE)
    all_kinds = draw_moves(KEYS, 3, 5, Augmentation(0.5, 0.2, 3, 0.1, 1.0), SIZE)
    assert torch.equal(alone.flips, all_kinds.flips)
    assert all_kinds.offsets.bool().any(0).all()


def test_a_clip_never_moves_out_of_its_picture():
    offsets = draw_moves(KEYS, 0, 0, Augmentation(max_shift=1.0, max_jitter=9), (4, 4, 4)).offsets
    assert offsets.abs().max() == 3


def test_shares_of_mixup_have_the_beta_distribution_and_partners_are_all_clips():
    partners, shares = draw_partners(KEYS, 0, 0, 0.4, n_train=10)
    assert kstest(shares, beta(0.4, 0.4).cdf).pvalue > 0.01
    assert np.bincount(partners).min() > 300
    assert len(np.bincount(partners)) == 10


@pytest.mark.parametrize(
    'options',
    [dict(flip_prob=1.5), dict(max_shift=-0.1), dict(max_jitter=0.5), dict(max_scale='a'), dict(mixup_alpha=-1)],
)
def test_what_no_clip_can_do_is_refused(options):
    with pytest.raises(InputError, match=f'{next(iter(options))}: expected'):
        Augmentation(**options)
