"""Two sets of predictions compared. Expected numbers are worked out by hand."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.evaluation.compare import compare

SUBJECTS = 'aabbccdd'
TRUTH = ['negative', 'positive'] * 4


def answers(wrong=(), truth=TRUTH):
    """Two clips for each of four subjects; those at the positions `wrong` get the other class."""
    other = {'negative': 'positive', 'positive': 'negative', 0: 1, 1: 0}
    rows = [
        {'sample_id': f'smic/{subject}/{i}', 'y_true': label, 'y_pred': other[label] if i in wrong else label}
        for i, (subject, label) in enumerate(zip(SUBJECTS, truth, strict=True))
    ]
    return pd.DataFrame(rows)


def test_scores_difference_mcnemar_and_wins_of_a_small_table():
    # b errs in one clip of a, both clips of b; a errs in one clip of d. Accuracy 7/8 and 5/8.
    result = compare(answers(wrong=[6]), answers(wrong=[0, 2, 3]))
    assert result.scores['accuracy'] == (7 / 8, 5 / 8)
    # UF1 of a: 2 * 3 / (4 + 3) and 2 * 4 / (4 + 5); of b: negative 2 * 2 / (4 + 3), positive 2 * 3 / (4 + 5)
    assert result.scores['uf1'] == pytest.approx(((6 / 7 + 8 / 9) / 2, (4 / 7 + 6 / 9) / 2))
    assert result.differences['accuracy'].value == 2 / 8
    # 3 clips only a, 1 only b: two-sided P = 2 * (C(4,0) + C(4,1)) / 2**4
    assert result.mcnemar == {'only_first': 3, 'only_second': 1, 'p': pytest.approx(10 / 16)}
    assert result.wins == (2, 1, 1)
    assert result.subjects.loc['smic/b'].tolist() == [2, 2, 0]


def test_a_difference_that_every_subject_shows_excludes_zero_and_the_sentence_names_the_better():
    result = compare(answers(), answers(wrong=[0, 2, 4, 6]), names=('mine', 'theirs'))
    assert result.differences['accuracy'] == (0.5, 0.5, 0.5)
    assert result.sentence.startswith('mine has the higher UF1: 1.0000 against 0.3333 of theirs')
    assert '+0.6667 to +0.6667, excludes 0' in result.sentence
    swapped = compare(answers(wrong=[0, 2, 4, 6]), answers(), names=('mine', 'theirs')).sentence
    assert swapped.startswith('theirs has the higher UF1')
    assert '+0.6667 to +0.6667, excludes 0' in swapped


def test_a_difference_of_one_subject_leaves_the_question_open():
    assert 'contains 0, so these subjects do not show which' in compare(answers(), answers(wrong=[0])).sentence


def clips_of(n_people, per_person, wrong=()):
    """Answers of people with `per_person` clips each, half negative; `wrong` are (person, clip)."""
    rows = []
    for person in range(n_people):
        for clip in range(per_person):
            label = TRUTH[clip % 2]
            answer = TRUTH[(clip + 1) % 2] if (person, clip) in wrong else label
            rows.append({'sample_id': f'smic/s{person:02d}/{clip}', 'y_true': label, 'y_pred': answer})
    return pd.DataFrame(rows)


def test_the_last_line_says_in_plain_words_what_was_found():
    same = clips_of(10, 4, wrong=[(0, 0)])
    every = clips_of(10, 4, wrong=[(person, 0) for person in range(10)] + [(0, 1), (1, 1)])
    rare = 'a difference this large would rarely arise by chance, so these data show that'
    maybe = 'a difference this large can arise by chance alone, so these data do not show that'
    equal = 'so these data do not show that one of them is better.'
    other = clips_of(10, 4, wrong=[(1, 0)])
    cases = [
        (same, every, f'A was right on 11 more of the 40 clips than B; {rare} A is better for people like these.'),
        (every, same, f'B was right on 11 more of the 40 clips than A; {rare} B is better for people like these.'),
        (clips_of(10, 4), same, f'A was right on 1 more of the 40 clips than B; {maybe} A is better.'),
        (same, other, f'A and B were each right on 39 of the 40 clips, though not on the same ones, {equal}'),
        (same, same, f'A and B were right on the same 39 of the 40 clips, {equal}'),
    ]  # fmt: skip
    for a, b, sentence in cases:
        assert str(compare(a, b, names=('A', 'B'))).splitlines()[-1] == f'On these 10 people, {sentence}'
    # seven people of whom each is better recognised by A: the interval has no width, but nothing measured says it holds
    for number, people in ((1, 'this one person'), (7, 'these 7 people')):
        every = clips_of(number, 4, wrong=[(person, 0) for person in range(number)])
        few = compare(clips_of(number, 4), every, names=('A', 'B')).plain_sentence
        lead = f'On {people}, A was right on {number} more of the {4 * number} clips than B'
        assert few == f'{lead}; too few people to say which is better for others.'


def test_the_plain_sentence_says_so_where_uf1_finds_another():
    # 10 people with 9 negative clips and 1 positive. A is always right but for one negative clip of each: 90 of 100.
    # B answers negative always: 90 of 100 as well, but F1 of positive is 0.
    rows = [
        {'sample_id': f'smic/s{person:02d}/{clip}', 'y_true': TRUTH[clip == 9]}
        for person in range(10) for clip in range(10)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    a = frame.assign(y_pred=frame['y_true'].where(~frame['sample_id'].str.endswith('/0'), 'positive'))
    sentence = compare(a, frame.assign(y_pred='negative'), names=('A', 'B')).plain_sentence
    assert sentence.startswith('On these 10 people, A and B were each right on 90 of the 100 clips')
    assert sentence.endswith('; if every class counts alike (UF1), however, they show that A is better.')


def test_one_subject_has_no_interval():
    one, other = (answers(wrong).query('sample_id < "smic/b"') for wrong in ([], [0]))
    result = compare(one, other)
    assert result.differences['uf1'].low is None
    assert 'one subject only' in result.sentence
    assert '2 clips of 1 subject.' in str(result)
    assert 'Intervals' not in str(result)


def test_clips_that_one_side_lacks_are_left_out_and_counted():
    result = compare(answers(wrong=[0]).iloc[:7], answers().iloc[1:])
    assert (result.missing, result.n_clips) == ((1, 1), 6)
    assert result.scores['accuracy'] == (1, 1)  # the wrong clip is not among them
    assert 'Left out: clips that only one of the two has, 1 of A, 1 of B.' in str(result)


def test_numbers_of_a_log_are_the_names_of_the_other_side():
    named = answers(wrong=[6]).assign(score_negative=0.5, score_positive=0.5)
    assert compare(named, answers(wrong=[6], truth=[0, 1] * 4)).differences['uf1'] == (0, 0, 0)


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (answers().assign(sample_id=lambda t: 'x' + t['sample_id']), 'none has the same sample_id'),
        (answers(truth=['positive', *TRUTH[1:]]), "same label of each clip, but 1 of 8 clips differ, such as smic/a/0"),
        (answers().assign(y_pred=None), 'expected a label in y_pred'),
        (answers().drop(columns='y_pred'), 'expected a DataFrame with the columns'),
        (3, 'expected a path, a DataFrame or an object with predictions, but got int'),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_sentence(other, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        compare(answers(), other)
    assert '\n' not in str(error.value)


def test_a_folder_a_record_a_file_and_an_object_are_the_same_predictions(tmp_path):
    run = tmp_path / 'ststnet' / 'seed0'
    run.mkdir(parents=True)
    answers(wrong=[6]).to_csv(run / 'predictions.csv', index=False)
    for source in (str(run), run / 'record.json', run / 'predictions.csv', SimpleNamespace(predictions=answers([6]))):
        assert compare(answers(), source).differences['accuracy'].value == 1 / 8


def test_a_folder_of_several_runs_is_refused_with_one_of_them(tmp_path):
    for name in ('seed0', 'seed1'):
        (tmp_path / name).mkdir()
        answers().to_csv(tmp_path / name / 'predictions.csv', index=False)
    with pytest.raises(InputError, match=r'expected a run folder .* give one run, such as .*seed0'):
        compare(tmp_path, answers())
    assert compare(tmp_path / 'seed0', tmp_path / 'seed1').names == ('seed0', 'seed1')


@pytest.mark.parametrize(
    ('a', 'b', 'names'),
    [
        ('x/ridge/seed0', 'x/majority/seed1', ('ridge/seed0', 'majority/seed1')),
        ('x/ridge/seed0', 'x/log.csv', ('ridge/seed0', 'log.csv')),
    ],
)
def test_the_names_are_of_the_methods_also_of_runs_in_python(tmp_path, a, b, names):
    for name in (a, b):
        path = tmp_path / name / 'predictions.csv' if 'seed' in name else tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        answers().to_csv(path, index=False)
    assert compare(tmp_path / a, tmp_path / b).names == names
    run = SimpleNamespace(folder=tmp_path / a, predictions=answers())
    assert compare(run, tmp_path / b).names == names
