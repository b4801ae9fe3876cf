"""Moving, mirroring and scaling clips."""

import pytest
import torch

from mer_bench.clip_random import clip_keys
from mer_bench.loading.augmentation import Augmentation, Moves, augment_clips, by_index, by_slices, draw_moves

WAYS = pytest.mark.parametrize('way', [by_slices, by_index])
SQUARE = torch.arange(16.0).reshape(1, 1, 1, 4, 4)  # rows 0 1 2 3 | 4 5 6 7 | 8 9 10 11 | 12 13 14 15


def moves(flip: bool = False, frames: int = 0, down: int = 0, right: int = 0, scale: float | None = None) -> Moves:
    scales = None if scale is None else torch.tensor([scale])
    return Moves(torch.tensor([flip]), torch.tensor([[frames, down, right]]), scales)


@WAYS
def test_a_shift_moves_the_picture_and_repeats_its_border(way):
    moved = way(SQUARE, moves(down=-1, right=2), ['strain'])[0, 0, 0]
    assert moved.tolist() == [[4, 4, 4, 5], [8, 8, 8, 9], [12, 12, 12, 13], [12, 12, 12, 13]]


@WAYS
def test_a_clip_is_mirrored_before_it_moves(way):
    moved = way(SQUARE.half(), moves(flip=True, right=1), ['u'])[0, 0, 0]
    assert moved[0].tolist() == [-3, -3, -2, -1]
    assert moved.dtype == torch.float32


@WAYS
@pytest.mark.parametrize(('frames', 'expected'), [(1, [0, 0, 1, 2]), (-2, [2, 3, 3, 3]), (0, [0, 1, 2, 3])])
def test_a_jitter_moves_the_frames_and_repeats_the_ends(way, frames, expected):
    clip = torch.arange(4.0).reshape(1, 1, 4, 1, 1)
    assert way(clip, moves(frames=frames), ['v']).flatten().tolist() == expected


@WAYS
def test_a_scale_multiplies_motion_alone(way):
    channels = ('u', 'v', 'strain', 'magnitude', 'angle', 'grey', 'change')
    scaled = way(torch.full((1, 7, 1, 2, 2), 2.0), moves(scale=1.5), channels)
    assert scaled[0, :, 0, 0, 0].tolist() == [3, 3, 3, 3, 2, 2, 2]


@WAYS
def test_the_normalisation_comes_last(way):
    moments = torch.tensor([1.0]).view(1, 1, 1, 1), torch.tensor([2.0]).view(1, 1, 1, 1)
    normalised = way(torch.full((1, 1, 1, 2, 2), 4.0), moves(flip=True, scale=0.5), ['u'], moments)
    assert normalised.unique().tolist() == [-1.5]  # (-4 / 2 - 1) / 2


@pytest.mark.parametrize('channels', [('u', 'v', 'strain'), ('u', 'v', 'angle'), ('magnitude', 'angle', 'grey')])
def test_both_ways_give_equal_numbers(channels):
    clips = torch.randn(24, 1, 3, 4, 12, 10).half()
    clips[..., 2:5, :] = 0  # where nothing moves
    keys = clip_keys(map(str, range(24)))
    drawn = draw_moves(keys, 1, 2, Augmentation(0.5, 0.2, 2, 0.3), (4, 12, 10))
    moments = torch.randn(3, 1, 1, 1), torch.rand(3, 1, 1, 1) + 0.5
    assert torch.equal(by_slices(clips, drawn, channels, moments), by_index(list(clips), drawn, channels, moments))


def test_a_clip_does_not_depend_on_the_others():
    clips, keys = torch.randn(6, 3, 2, 8, 8), clip_keys('abcdef')
    settings = 4, 7, ('u', 'v', 'strain'), Augmentation(0.5, 0.3, 1, 0.2)
    together = augment_clips(clips, keys, *settings)
    backwards = augment_clips(clips.flip(0), keys.flip(0), *settings)
    assert torch.equal(together, backwards.flip(0))
    assert torch.equal(together[2:3], augment_clips(clips[2:3], keys[2:3], *settings))
    assert not torch.equal(together, augment_clips(clips, keys, 4, 8, *settings[2:]))


def test_nothing_happens_to_the_clips_themselves():
    clips = torch.ones(1, 3, 2, 4, 4)
    out = augment_clips(clips, clip_keys('a'), 0, 0, ('u', 'v', 'strain'), Augmentation())
    out.zero_()
    assert clips.unique().tolist() == [1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_gives_the_numbers_of_the_cpu():
    clips, keys = torch.randn(8, 1, 3, 4, 12, 10).half(), clip_keys('abcdefgh')
    moments = torch.randn(3, 1, 1, 1), torch.rand(3, 1, 1, 1) + 0.5
    settings = 4, 7, ('u', 'v', 'angle'), Augmentation(0.5, 0.2, 2, 0.3)
    on_gpu = augment_clips(clips.cuda(), keys, *settings, [part.cuda() for part in moments])
    assert torch.allclose(on_gpu.cpu(), augment_clips(clips, keys, *settings, moments), rtol=1e-6, atol=1e-6)
