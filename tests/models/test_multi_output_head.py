import pytest
import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample

from mer_bench.models import MultiOutputHead
from mer_bench.models.heads import DECISIONS

NAMES = ['scale0', 'scale1', 'fused']


def samples(*labels):
    return [ActionDataSample().set_gt_label(label) for label in labels]


def maps(batch=4):
    return tuple(torch.randn(batch, c, 2, 3, 3) for c in (5, 6, 7))


def head(**kwargs):
    return MultiOutputHead(3, (5, 6, 7), **kwargs)


def probabilities(*outputs):
    """One list of class probabilities per output -> (outputs, 1, num_classes)."""
    return torch.tensor(outputs).unsqueeze(1)


def test_each_map_has_its_linear_classifier_on_its_mean():
    multi = head().eval()
    feats = maps()
    logits = multi(feats, loss_aux={})
    assert list(logits) == NAMES
    classifier = multi.classifiers['scale1']
    expected = feats[1].mean((2, 3, 4)) @ classifier.weight.T + classifier.bias
    assert torch.allclose(logits['scale1'], expected, atol=1e-6)


def test_the_losses_add_to_the_weighted_sum_of_cross_entropies():
    multi = head(scale_loss_weight=0.25, dropout_ratio=0)
    feats, labels = maps(), torch.tensor([0, 2, 1, 1])
    losses = multi.loss(feats, samples(0, 2, 1, 1), loss_aux={})
    logits = multi(feats)
    total = sum(value for key, value in losses.items() if 'loss' in key)
    ce = {name: F.cross_entropy(logits[name], labels) for name in NAMES}
    assert torch.allclose(total, 0.25 * ce['scale0'] + 0.25 * ce['scale1'] + ce['fused'])
    assert float(losses['fused_top1_acc']) == (logits['fused'].argmax(1) == labels).float().mean()
    decided = sum(logits[name].softmax(1) for name in NAMES).argmax(1)  # by the mean of their probabilities
    assert float(losses['top1_acc']) == (decided == labels).float().mean()


def test_class_weights_and_label_smoothing_reach_every_output():
    weight = [1.0, 2.0, 4.0]
    loss_cls = {'type': 'CrossEntropyLoss', 'class_weight': weight}
    multi = head(loss_cls=loss_cls, dropout_ratio=0, scale_loss_weight=1.0)
    feats, labels = maps(), torch.tensor([0, 2, 1, 1])
    losses, logits = multi.loss(feats, samples(0, 2, 1, 1)), multi(feats)
    for name in NAMES:
        expected = F.cross_entropy(logits[name], labels, weight=torch.tensor(weight))
        assert torch.allclose(losses[f'{name}_loss_cls'], expected)

    smooth = head(label_smooth_eps=0.1, dropout_ratio=0, scale_loss_weight=1.0)
    losses, logits = smooth.loss(feats, samples(0, 2, 1, 1)), smooth(feats)
    for name in NAMES:
        expected = F.cross_entropy(logits[name], labels, label_smoothing=0.1)
        assert torch.allclose(losses[f'{name}_loss_cls'], expected)


@pytest.mark.parametrize(
    ('decision', 'label', 'score'),
    [
        ('mean', 1, [0.4, 0.5, 0.1]),  # (0.6+0.5+0.1)/3, (0.4+0.4+0.7)/3, (0.0+0.1+0.2)/3
        ('vote', 0, [2.2 / 3.5, 1.25 / 3.5, 0.05 / 3.5]),  # two votes for 0, one for 1, and half the mean
        ('max_confidence', 1, [0.1, 0.7, 0.2]),  # 0.7 is the largest of all
        ('last', 1, [0.1, 0.7, 0.2]),
    ],
)
def test_the_rules_decide_as_by_hand(decision, label, score):
    scores = DECISIONS[decision](probabilities([0.6, 0.4, 0.0], [0.5, 0.4, 0.1], [0.1, 0.7, 0.2]))
    assert torch.allclose(scores, torch.tensor([score]))
    assert scores.argmax() == label


def test_a_tied_vote_goes_to_the_larger_mean_probability():
    scores = DECISIONS['vote'](probabilities([0.9, 0.1, 0.0], [0.0, 0.6, 0.4], [0.0, 0.3, 0.7]))
    # one vote each; means 0.3, 1/3, 1.1/3
    assert scores.argmax() == 2
    assert torch.allclose(scores, torch.tensor([[1.15, 1 + 1 / 6, 1 + 1.1 / 6]]) / 3.5)


def test_the_surest_output_is_chosen_for_each_sample():
    first, second = [[0.9, 0.1], [0.5, 0.5]], [[0.2, 0.8], [0.4, 0.6]]
    assert torch.equal(
        DECISIONS['max_confidence'](torch.tensor([first, second])), torch.tensor([[0.9, 0.1], [0.4, 0.6]])
    )


@pytest.mark.parametrize('decision', DECISIONS)
def test_a_prediction_is_a_distribution_whose_largest_class_is_the_label(decision):
    multi = head(decision=decision).eval()
    for classifier in multi.classifiers.values():
        torch.nn.init.normal_(classifier.weight, std=3)
    for sample in multi.predict(maps(50), samples(*[0] * 50)):
        assert torch.isclose(sample.pred_score.sum(), torch.tensor(1.0))
        assert sample.pred_label.tolist() == [int(sample.pred_score.argmax())]
        assert sample.pred_score.shape == (3,)


def test_the_probabilities_of_every_output_are_kept():
    multi = head().eval()
    feats = maps()
    logits = multi(feats)
    predicted = multi.predict(feats, samples(0, 1, 2, 0))
    assert list(predicted[2].output_scores) == NAMES
    assert torch.allclose(predicted[2].output_scores['scale0'], logits['scale0'][2].softmax(0))


def test_the_clips_of_a_sample_are_averaged():
    multi = head(decision='last').eval()
    feats = maps(4)
    first, second = multi.predict(feats, samples(0, 1))
    expected = multi(feats)['fused'].softmax(1).view(2, 2, 3).mean(1)
    assert torch.allclose(torch.stack([first.pred_score, second.pred_score]), expected)


def test_fused_alone_takes_the_last_map_and_is_the_decision():
    single = head(outputs='fused').eval()
    feats = maps()
    logits = single(feats)
    assert list(logits) == list(single.classifiers) == ['fused']
    sample = single.predict(feats, samples(0, 1, 2, 0))[0]
    assert torch.allclose(sample.pred_score, logits['fused'][0].softmax(0))
    assert list(single.loss(feats, samples(0, 1, 2, 0))) == ['fused_top1_acc', 'fused_loss_cls', 'top1_acc']


def test_chosen_outputs_have_their_maps_their_losses_and_one_decision():
    two = head(outputs=['scale1', 'fused'], num_action_units=2, dropout_ratio=0).eval()
    feats = maps()
    logits = two(feats)
    assert list(two.classifiers) == ['scale1', 'fused']
    assert torch.allclose(logits['scale1'], two.classifiers['scale1'](feats[1].mean((2, 3, 4))))
    assert torch.allclose(logits['fused'], two.classifiers['fused'](feats[2].mean((2, 3, 4))))
    assert torch.allclose(logits['action_units'], two.action_units(feats[2].mean((2, 3, 4))))
    sample = two.predict(feats, samples(0, 1, 2, 0))[0]
    expected = (logits['scale1'][0].softmax(0) + logits['fused'][0].softmax(0)) / 2
    assert torch.allclose(sample.pred_score, expected)


@pytest.mark.parametrize('outputs', [['scale0'], ['fused', 'scale0'], ['scale7', 'fused'], [], 2, None])
def test_outputs_that_the_maps_do_not_give_are_refused(outputs):
    with pytest.raises(ValueError, match=r"\['scale0', 'scale1', 'fused'\] in this order with 'fused', got"):
        head(outputs=outputs)


def test_an_int_makes_a_plain_head_of_one_output():
    plain = MultiOutputHead(3, 7).eval()
    assert plain(maps()[-1])['fused'].shape == (4, 3)


def test_another_number_of_maps_than_announced_is_an_error():
    with pytest.raises(ValueError, match='zip'):
        head()(maps()[:2])


def test_one_clip_can_be_trained_on():
    losses = head().loss(maps(1), samples(1))
    assert all(value.isfinite() for value in losses.values())


def test_logits_are_float32_under_autocast():
    with torch.autocast('cpu', dtype=torch.bfloat16):
        logits = head()(maps())
    assert {x.dtype for x in logits.values()} == {torch.float32}


@pytest.mark.parametrize('wrong', [{'outputs': 'some'}, {'decision': 'median'}, {'average_clips': None}])
def test_an_unknown_choice_names_the_known_ones(wrong):
    with pytest.raises(ValueError, match=f'{next(iter(wrong))} must be one of'):
        head(**wrong)


def test_first_weights_are_small():
    multi = head(init_std=0.01)
    multi.init_weights()
    assert multi.classifiers['fused'].weight.std() < 0.03
    assert multi.classifiers['fused'].bias.abs().sum() == 0


def unit_samples(*targets):
    both = samples(0, 1)
    for sample, units in zip(both, targets, strict=True):
        sample.set_metainfo({'action_unit_targets': units})
    return both


def test_action_units_are_told_from_the_fused_map_alone():
    multi = head(num_action_units=2).eval()
    feats = maps()
    expected = feats[2].mean((2, 3, 4)) @ multi.action_units.weight.T + multi.action_units.bias
    assert torch.allclose(multi(feats)['action_units'], expected, atol=1e-6)
    assert multi(feats)['action_units'].dtype == torch.float32


def test_the_loss_of_action_units_is_that_of_the_known_targets():
    multi = head(num_action_units=2, dropout_ratio=0, action_unit_weight=[3.0, 1.0], action_unit_loss_weight=0.5)
    feats = maps(2)
    losses = multi.loss(feats, unit_samples([1, -1], [0, 1]))
    (a, _), (b, c) = multi(feats)['action_units'].sigmoid()
    expected = -(3 * a.log() + (1 - b).log() + c.log()) / 3  # unit 1 weighs 3 where it is seen
    assert torch.allclose(losses['action_units_loss'], 0.5 * expected)
    assert list(losses)[:-1] == list(head().loss(feats, samples(0, 1)))


def test_clips_of_unknown_action_units_teach_nothing():
    multi = head(num_action_units=2)
    loss = multi.loss(maps(2), unit_samples([-1, -1], [-1, -1]))['action_units_loss']
    loss.backward()
    assert loss == 0
    assert multi.action_units.weight.grad.abs().sum() == 0


def test_action_units_have_a_field_of_their_own():
    multi = head(num_action_units=2).eval()
    feats = maps(4)
    predicted = multi.predict(feats, samples(0, 1))  # two clips a sample
    expected = multi(feats)['action_units'].sigmoid().view(2, 2, 2).mean(1)
    assert torch.allclose(torch.stack([sample.action_unit_scores for sample in predicted]), expected)
    assert list(predicted[0].output_scores) == NAMES


def test_action_units_change_nothing_where_they_are_off():
    assert head().state_dict().keys() == head(num_action_units=2).state_dict().keys() - {
        'action_units.weight',
        'action_units.bias',
    }
    assert 'action_unit_scores' not in head().eval().predict(maps(1), samples(0))[0]
