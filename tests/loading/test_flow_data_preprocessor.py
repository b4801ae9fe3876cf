"""Batches as a network takes them."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mer_bench import clip_random
from mer_bench.clip_random import clip_keys
from mer_bench.errors import InputError
from mer_bench.loading.augmentation import draw_partners
from mer_bench.loading.flow_data_preprocessor import FlowDataPreprocessor
from mer_bench.models.heads import FlatHead, MultiOutputHead


class Clips:
    """A data set of random clips."""

    metainfo = dict(classes=('a', 'b', 'c'))

    def __init__(self, size: int = 8) -> None:
        self.inputs = torch.randn(size, 1, 3, 2, 8, 8)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, i: int) -> dict:
        sample = ActionDataSample(metainfo=dict(sample_id=f'clip{i}')).set_gt_label(i % 3)
        return dict(inputs=self.inputs[i], data_samples=sample)


def batch(clips: Clips, *numbers: int) -> dict:
    items = [clips[i] for i in numbers]
    return dict(inputs=[item['inputs'] for item in items], data_samples=[item['data_samples'] for item in items])


def one(value: torch.Tensor) -> dict:
    return dict(inputs=[value], data_samples=[ActionDataSample()])


@pytest.fixture(autouse=True)
def _no_draws_are_left():
    yield
    clip_random.set_draws(None)


def test_normalisation_is_per_channel_and_testing_does_not_augment():
    preprocessor = FlowDataPreprocessor(mean=[1, 2, 3], std=[1, 2, 4], flip_prob=1.0, max_shift=0.5)
    clip = torch.arange(3.0).reshape(1, 3, 1, 1, 1).expand(1, 3, 2, 4, 4)
    out = preprocessor(one(clip), training=False)
    # (0 - 1) / 1, (1 - 2) / 2, (2 - 3) / 4
    assert out['inputs'][0, 0, :, 0, 0, 0].tolist() == [-1.0, -0.5, -0.25]


def test_training_clips_are_mirrored_before_the_normalisation():
    preprocessor = FlowDataPreprocessor(mean=[1, 0, 0], std=[1, 1, 1], flip_prob=1.0)
    out = preprocessor(one(torch.full((1, 3, 1, 4, 4), 2.0)), training=True)
    assert out['inputs'][0, 0, :, 0, 0, 0].tolist() == [-3.0, 2.0, 2.0]  # u: -2 - 1


def test_the_preprocessor_mirrors_the_channels_that_it_is_told():
    preprocessor = FlowDataPreprocessor(channels=['strain', 'u'], flip_prob=1.0)
    out = preprocessor(one(torch.ones(1, 2, 1, 4, 4)), training=True)
    assert out['inputs'][0, 0, :, 0, 0, 0].tolist() == [1.0, -1.0]


def test_a_test_sees_each_clip_and_behind_all_their_mirrored_copies():
    preprocessor = FlowDataPreprocessor(mean=[1, 0, 0], std=[1, 1, 2], mirror_test=True)
    clips = Clips(2)
    out = preprocessor(batch(clips, 0, 1), training=False)
    flipped = clips.inputs.flip(-1) * torch.tensor([-1.0, 1, 1]).reshape(3, 1, 1, 1)
    expected = (torch.cat([clips.inputs, flipped]) - torch.tensor([1.0, 0, 0]).reshape(3, 1, 1, 1)) / torch.tensor(
        [1.0, 1, 2]
    ).reshape(3, 1, 1, 1)
    assert torch.equal(out['inputs'], expected)
    assert [sample.sample_id for sample in out['data_samples']] == ['clip0', 'clip1', 'clip0', 'clip1']
    assert len({id(sample) for sample in out['data_samples']}) == 4
    assert len(preprocessor(batch(clips, 0, 1), training=True)['inputs']) == 2


def test_the_frames_layout_is_that_of_pictures():
    clip = torch.randn(1, 3, 2, 4, 4)
    out = FlowDataPreprocessor(layout='frames')(one(clip), training=False)
    assert torch.equal(out['inputs'], clip.transpose(1, 2))


def test_without_an_epoch_the_generator_of_torch_is_drawn_from():
    preprocessor, clips = FlowDataPreprocessor(max_shift=0.2), Clips()
    torch.manual_seed(1)
    first = preprocessor(batch(clips, *range(8)), training=True)['inputs']
    assert not torch.equal(first, preprocessor(batch(clips, *range(8)), training=True)['inputs'])
    torch.manual_seed(1)
    assert torch.equal(first, preprocessor(batch(clips, *range(8)), training=True)['inputs'])


@pytest.mark.parametrize('mixup_alpha', [0.0, 0.7])
def test_a_clip_is_the_same_in_every_batch_of_its_epoch(mixup_alpha):
    preprocessor = FlowDataPreprocessor([0.1] * 3, [2.0] * 3, max_shift=0.3, max_jitter=1, mixup_alpha=mixup_alpha)
    clips = Clips()
    preprocessor.set_epoch(3, 1, clips)
    together = preprocessor(batch(clips, 0, 1, 2, 3, 4), training=True)
    torch.manual_seed(5)
    other = preprocessor(batch(clips, 6, 3, 0), training=True)
    for here, there in ((3, 1), (0, 2)):
        assert torch.equal(together['inputs'][here], other['inputs'][there])
        assert torch.equal(together['data_samples'][here].gt_label, other['data_samples'][there].gt_label)
    preprocessor.set_epoch(3, 2, clips)
    assert not torch.equal(together['inputs'], preprocessor(batch(clips, 0, 1, 2, 3, 4), training=True)['inputs'])


def test_the_dropout_of_a_batch_draws_for_its_clips():
    preprocessor, clips = FlowDataPreprocessor(), Clips()
    preprocessor.set_epoch(3, 1)
    preprocessor(batch(clips, 2, 5), training=True)
    draws = clip_random._current
    assert (draws.keys.tolist(), draws.seed, draws.epoch) == (clip_keys(['clip2', 'clip5']).tolist(), 3, 1)


def test_a_mixed_clip_and_its_label_are_shares_of_two():
    preprocessor, clips = FlowDataPreprocessor(flip_prob=0.0, mixup_alpha=1.0), Clips()
    preprocessor.set_epoch(0, 0, clips)
    out = preprocessor(batch(clips, 4), training=True)
    partners, shares = draw_partners(clip_keys(['clip4']), 0, 0, 1.0, 8)
    partner, share = int(partners), float(shares)
    assert partner % 3 != 4 % 3
    expected = torch.zeros(3)
    expected[4 % 3], expected[partner % 3] = share, 1 - share
    assert torch.allclose(out['data_samples'][0].gt_label, expected)
    assert torch.allclose(out['inputs'][0], share * clips.inputs[4] + (1 - share) * clips.inputs[partner], atol=1e-6)
    assert clips[4]['data_samples'].gt_label.tolist() == [1]


def test_mixup_needs_to_know_the_partners_and_takes_no_action_units():
    preprocessor, clips = FlowDataPreprocessor(mixup_alpha=1.0), Clips()
    with pytest.raises(InputError, match='call set_epoch'):
        preprocessor(batch(clips, 0), training=True)
    preprocessor.set_epoch(0, 0, clips)
    data = batch(clips, 0)
    data['data_samples'][0].set_metainfo(dict(action_unit_targets=[1, 0]))
    with pytest.raises(InputError, match='action units that are learnt cannot be mixed'):
        preprocessor(data, training=True)


@pytest.mark.parametrize('size', [1, 4])
@pytest.mark.parametrize('class_weight', [None, [0.5, 1.0, 3.0]])
@pytest.mark.parametrize(('head', 'key'), [(FlatHead(3, 3), 'loss_cls'), (MultiOutputHead(3, [3]), 'fused_loss_cls')])
def test_heads_take_the_whole_share_of_one_class_as_its_label(head, key, class_weight, size):
    head.loss_cls.class_weight = None if class_weight is None else torch.tensor(class_weight)
    head.eval()
    feats = torch.randn(size, 3, 1, 1, 1)
    hard = [ActionDataSample().set_gt_label(i % 3) for i in range(size)]
    soft = [ActionDataSample().set_gt_label(torch.eye(3)[i % 3]) for i in range(size)]
    assert torch.allclose(head.loss(feats, hard)[key], head.loss(feats, soft)[key])


def test_a_clip_without_a_name_and_clips_of_two_shapes_are_refused():
    preprocessor = FlowDataPreprocessor()
    preprocessor.set_epoch(0, 0)
    with pytest.raises(InputError, match="let meta_keys contain 'sample_id'"):
        preprocessor(one(torch.zeros(1, 3, 1, 4, 4)), training=True)
    two = dict(inputs=[torch.zeros(1, 3, 2, 4, 4), torch.zeros(1, 3, 1, 4, 4)], data_samples=[ActionDataSample()] * 2)
    with pytest.raises(InputError, match='clips of one shape'):
        preprocessor(two)
