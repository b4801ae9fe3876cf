"""Ablations against the full model, and main effects worked out by hand.

The eight clips of conftest.py: one surprise clip taken for negative gives UF1 23/27, always negative gives 2/9.
"""

import pytest

from mer_bench.results.ablations import compare_ablations, effect_weight, find_grids, find_groups, main_effects
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.run import methods_of, read_runs


@pytest.fixture
def group_of(new_run):
    """Return a function that makes the group of {parts: answers}; '' is the full model."""

    def make(answers, seeds=(0,)):
        paths = []
        for parts, answer in answers.items():
            names = parts.split()
            for seed in seeds:
                folder = new_run(
                    f'full {parts}/seed{seed}', answer, seed=seed, **method('+'.join(['full', *names]), names)
                )
                paths.append(folder / 'record.json')
        return find_groups(methods_of(read_runs(paths)))[0]

    return make


def method(name, overrides, config='mer_smic'):
    digest = name.encode().hex().ljust(64, '0')[:64]
    files = [{'name': override, 'text': override, 'digest': override} for override in overrides]
    return {'method': name, 'overrides': files, 'config': {'name': config, 'text': 'x', 'digest': digest}}


def groups_of(*folders):
    return find_groups(methods_of(read_runs([folder / 'record.json' for folder in folders])))


def test_an_ablation_is_compared_with_the_model_without_overrides(group_of):
    (group,) = group_of({'': 'perfect', 'a': 'one wrong'})
    (row,) = compare_ablations(group)
    assert (row['name'], row['reference']) == ('a', 'full')
    assert row['change'] == pytest.approx(23 / 27 - 1)
    assert row['change_low'] < row['change'] < 0 < row['change_high']  # one subject alone differs
    # one clip differs: two-sided exact P = 2 * (1/2)
    assert (row['only_reference'], row['only_method'], row['mcnemar_p']) == (1, 0, 1.0)


def test_an_ablation_that_answers_as_the_full_model_does_changes_nothing(group_of):
    (group,) = group_of({'': 'one wrong', 'a': 'one wrong'}, seeds=(0, 1))
    (row,) = compare_ablations(group)
    assert [row[key] for key in ('change', 'change_low', 'change_high')] == [0, 0, 0]
    assert row['seeds'] == 2


def test_what_all_overrides_share_is_no_ablation(group_of):
    (group,) = group_of({'small': 'perfect', 'small a': 'one wrong', 'small b': 'one wrong'})
    assert group.full.name == 'full+small'
    assert [row['name'] for row in compare_ablations(group)] == ['a', 'b']


def test_the_ablations_of_a_reduced_form_are_compared_with_it(group_of):
    answers = {'': 'perfect', 'small shrunk': 'one wrong', 'small shrunk a': 'one wrong', 'small shrunk b': 'perfect'}
    (reduced,) = group_of(answers)
    assert reduced.full.name == 'full+small+shrunk'
    assert [row['name'] for row in compare_ablations(reduced)] == ['a', 'b']


def test_without_the_reduced_form_its_ablation_is_compared_with_the_whole_model(group_of):
    (whole,) = group_of({'': 'perfect', 'small shrunk a': 'one wrong'})
    assert [row['name'] for row in compare_ablations(whole)] == ['small+shrunk+a']


def test_without_a_full_model_nothing_is_compared(group_of):
    assert group_of({'a': 'perfect', 'b': 'one wrong'}) == []


def test_methods_of_another_name_or_config_are_no_ablations(new_run):
    folders = [
        new_run('a', **method('full', [])),
        new_run('b', **method('ststnet', ['ststnet'])),
        new_run('c', **method('full+a', ['a'], 'mer_other')),
    ]
    assert groups_of(*folders) == ([], [])


def test_a_shared_override_of_another_text_is_not_compared(new_run):
    other = method('full+small+a', ['small', 'a'])
    other['overrides'][0]['digest'] = 'changed'
    full = new_run('x', **method('full+small', ['small']))
    (group,), notes = groups_of(full, new_run('y', **other), new_run('z', **method('full+small+b', ['small', 'b'])))
    assert [row['name'] for row in compare_ablations(group)] == ['b']
    assert len(notes) == 1
    assert notes[0].startswith('full+small+a (')
    assert notes[0].endswith(') is not compared with full+small: its override small has another text.')


def test_a_config_that_changed_meanwhile_is_not_compared(new_run):
    def on(name, overrides, text, override='model = dict(a=1)'):
        changes = method(name, overrides)
        changes['config']['text'] = text
        changes['overrides'] = [note | {'text': override} for note in changes['overrides']]
        return new_run(name, **changes)

    full = on('full', [], 'model = dict()\nepochs = 50')
    same, other = (
        on('full+a', ['a'], 'model = dict(a=1)\nepochs = 50'),
        on('full+b', ['b'], 'model = dict(a=1)\nepochs = 5'),
    )
    json = on('full+c', ['c'], 'model = dict()\nepochs = 3', '{"epochs.x": 3}')
    (group,), notes = groups_of(full, same, other, json)
    assert [row['name'] for row in compare_ablations(group)] == ['a', 'c']
    assert 'full+b' in notes[0]
    assert 'their configs differ in epochs, which its overrides do not change' in notes[0]


def test_two_full_models_are_named(new_run):
    one, two = method('full', []), method('full', [])
    two['config']['digest'] = 'f' * 64
    runs = new_run('x', **one), new_run('y', **two), new_run('z', **method('full+a', ['a']))
    found, (note,) = groups_of(*runs)
    assert found == []
    assert note.startswith('Ablations of full are not compared: full (')
    assert write_leaderboard(runs, runs[0].parent / 'out.md').count(note) == 1


def test_p_is_corrected_for_the_number_of_ablations(group_of):
    # always negative: 4 clips that the full model alone answers rightly, P = 2 / 2**4
    (group,) = group_of({'': 'perfect', 'a': 'always negative', 'b': 'one wrong', 'c': 'one wrong'})
    row = compare_ablations(group)[0]
    assert (row['mcnemar_p'], row['mcnemar_p_holm']) == (0.125, 0.375)


def test_main_effects_of_a_2x2_grid(group_of):
    # UF1: full 1, a 23/27, b 23/27, a and b 2/9 = 6/27
    (group,) = group_of({'': 'perfect', 'a': 'one wrong', 'b': 'one wrong', 'a b': 'always negative'})
    assert find_grids(group) == [('a', 'b')]
    effects = {row['effect']: row for row in main_effects(group, ('a', 'b'))}
    # ((23 - 27) + (6 - 23)) / 2 = -10.5 of 27; interaction (6 - 23) - (23 - 27) = -13 of 27
    assert effects[('a',)]['change'] == pytest.approx(-10.5 / 27)
    assert effects[('b',)]['change'] == pytest.approx(-10.5 / 27)
    assert effects[('a', 'b')]['change'] == pytest.approx(-13 / 27)
    interval = effects[('a', 'b')]['change_low'], effects[('a', 'b')]['change_high']
    assert -2 <= interval[0] < -13 / 27 < interval[1] <= 2


def test_an_incomplete_grid_has_no_main_effects(group_of):
    (group,) = group_of({'': 'perfect', 'a': 'one wrong', 'a b': 'always negative'})
    assert find_grids(group) == []


def test_the_largest_full_grids_are_found(group_of):
    combinations = ['', 'a', 'b', 'c', 'a b', 'a c', 'b c', 'a b c', 'd', 'c d']
    (group,) = group_of(dict.fromkeys(combinations, 'one wrong'))
    assert find_grids(group) == [('a', 'b', 'c'), ('c', 'd')]


def test_the_weights_of_an_effect_in_a_grid_of_three():
    assert effect_weight(('a',), frozenset('a'), 3) == 1 / 4
    assert effect_weight(('a',), frozenset('bc'), 3) == -1 / 4
    assert effect_weight(('a', 'b'), frozenset('ab'), 3) == 1 / 2
    assert effect_weight(('a', 'b'), frozenset('ac'), 3) == -1 / 2
