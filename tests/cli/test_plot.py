"""tools/plot.py from the command line."""

from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from mer_bench.cli import plot
from mer_bench.cli.compare import main as compare
from mer_bench.errors import InputError
from mer_bench.evaluation.curves import POOLED
from mer_bench.evaluation.figures import KINDS
from mer_bench.evaluation.style import STYLE
from tests.in_process import tool
from tests.results.conftest import write_run

LEARNED = pd.DataFrame(
    [[1, 2, 1.5, 3, 0.1, 0.5, 0.25, 0.75], [2, 1, 0.5, 2, 0.1, float('nan'), float('nan'), float('nan')]],
    columns=POOLED,
)


@pytest.fixture
def runs(tmp_path):
    """A model and two ablations of it, with learning curves."""
    found = []
    for name, answers in (('a', 'perfect'), ('b', 'one wrong'), ('$c_1$', 'always negative')):
        parts = [dict(name=name, digest='d' * 64, text=f'x = {len(name)}')] if name != 'a' else []
        method = '+'.join(['full', *(part['name'] for part in parts)])
        files = {'curves.csv': sha256(LEARNED.to_csv(index=False).encode()).hexdigest()}
        described = dict(overrides=parts, method=method, parameters=10 ** len(name), files=files)
        run = write_run(tmp_path / name / 'seed0', answers, **described)
        LEARNED.to_csv(run / 'curves.csv', index=False)
        found.append(str(run))
    return found


@pytest.fixture
def draw(monkeypatch):
    """Return a function that returns the figure that the command would write."""
    drawn = []
    monkeypatch.setattr(plot, 'save', lambda draw, *paths: drawn.append(draw()))
    return lambda *words: plot.main([*words]) or drawn.pop()


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_is_a_picture(runs, tmp_path, monkeypatch, kind):
    monkeypatch.setitem(STYLE, 'savefig.dpi', 60)
    plot.main([*runs, '--kind', kind, '--out', str(tmp_path / 'one.png')])
    assert image.imread(tmp_path / 'one.png').std() > 0.05  # not a blank page


def test_a_pdf_has_the_same_bytes_each_time(runs, tmp_path):
    plot.main([*runs, '--kind', 'intervals', '--out', *(str(tmp_path / name) for name in ('one.pdf', 'two.pdf'))])
    assert (tmp_path / 'one.pdf').read_bytes() == (tmp_path / 'two.pdf').read_bytes()
    assert (tmp_path / 'one.pdf').read_bytes().startswith(b'%PDF')


def test_the_points_of_a_reliability_diagram_are_those_of_the_scores(runs, draw):
    (axis,) = draw(runs[1], '--kind', 'reliability', '--names', 'mine').axes
    points = axis.lines[1]  # after the diagonal
    np.testing.assert_allclose(points.get_xydata(), [[1, 7 / 8]])  # always sure, right in 7 of 8
    assert axis.get_legend().texts[0].get_text() == 'scores as they are: ECE 0.125'
    assert axis.get_title() == 'mine'


def test_an_ablation_is_its_change_of_uf1_with_the_words_that_it_adds(runs, draw):
    (axis,) = draw(*runs, '--kind', 'ablations').axes
    assert (axis.get_title(), axis.get_xlabel()[:25]) == ('full', 'change of UF1 from 1.000,')
    assert [label.get_text() for label in axis.get_yticklabels()] == ['$c_1$', 'b']
    # b takes one of two surprise clips for negative: F1 8/9, 1, 2/3; always negative: F1 of 4 in 8 is 2/3, 0, 0
    assert [text.get_text()[:6] for text in axis.texts] == [f'{2 / 9 - 1:+.3f}', f'{(8 / 9 + 1 + 2 / 3) / 3 - 1:+.3f}']


def test_what_is_no_ablation_is_named(runs, tmp_path, draw):
    other = write_run(
        tmp_path / 'other' / 'seed0', config=dict(name='other', text='', digest='e' * 64), method='full+other'
    )
    with pytest.raises(InputError, match=r'ablations: expected full and methods with more .* but full, other is no'):
        draw(*runs, str(other), '--kind', 'ablations')


def test_curves_are_those_of_the_file_with_their_band(runs, draw):
    loss, accuracy = draw(runs[0], '--kind', 'curves').axes
    assert loss.lines[0].get_xydata().tolist() == [[1, 2], [2, 1]]
    band = loss.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0.5, 3)
    assert accuracy.lines[0].get_ydata()[0] == 0.5


def test_a_subject_has_the_clips_that_are_right_below_all_of_its_clips(runs, draw):
    (axis,) = draw(runs[1], '--kind', 'subjects').axes
    every, right = ([bar.get_height() for bar in bars] for bars in axis.containers)
    assert (every, right) == ([2, 2, 2, 2], [2, 2, 2, 1])  # one clip of s04 is wrong, which comes last
    assert axis.get_xticklabels()[-1].get_text() == 'smic/s04'


def test_parameters_are_on_the_axis_and_seeds_are_one_point(runs, tmp_path, draw):
    write_run(tmp_path / 'a/seed1', 'one wrong', seed=1, overrides=[], parameters=30)
    none = write_run(tmp_path / 'none/seed0', parameters=None, method='none')
    axis, key = draw(str(tmp_path / 'a'), *runs[1:], str(none), '--kind', 'parameters').axes
    points = [line.get_xydata()[0] for line in axis.lines if line.get_marker() != 'None' and len(line.get_xdata())]
    uf1 = (8 / 9 + 1 + 2 / 3) / 3
    np.testing.assert_allclose(points, [[20, (1 + uf1) / 2], [10, uf1], [10**5, 2 / 9]])
    assert '(1 method without this number left out)' in axis.get_xlabel()
    assert [text.get_text() for text in key.texts[:2]] == ['1', '0.926  full']


@pytest.mark.parametrize('kind', ['curves', 'ablations', 'parameters', 'cost'])
def test_a_kind_that_needs_a_record_says_so_of_plain_predictions(runs, tmp_path, draw, kind):
    plain = tmp_path / 'plain.csv'
    plain.write_bytes((tmp_path / 'a/seed0/predictions.csv').read_bytes())
    with pytest.raises(InputError, match=f'{kind}: expected .*, but plain.csv has none; leave it out'):
        draw(str(plain), '--kind', kind)


@pytest.mark.parametrize(
    ('kind', 'number', 'message'),
    [('critical-difference', 2, 'three methods or more'), ('reliability', 13, 'expected at most 12 runs')],
)
def test_what_cannot_be_drawn_is_one_sentence_and_nothing_is_written(runs, tmp_path, kind, number, message):
    names = [str(place) for place in range(number)]
    with pytest.raises(InputError, match=message):
        plot.main([*(runs * 5)[:number], '--kind', kind, '--names', *names, '--out', str(tmp_path / 'x.png')])
    assert not (tmp_path / 'x.png').exists()


def test_a_run_is_not_ranked_against_itself(runs):
    with pytest.raises(InputError, match='given twice; name each run once'):
        compare([runs[0], runs[0], runs[1]])


def test_scores_that_are_no_probabilities_are_drawn_after_scaling_only(runs, tmp_path, monkeypatch):
    path = tmp_path / 'a/seed0/predictions.csv'
    path.write_text(path.read_text().replace('1.0', '7.5'))
    with pytest.raises(InputError, match='reliability: expected probabilities, but the class scores of full are none'):
        plot.main([runs[0], '--kind', 'reliability'])
    drawn, folds = [], {f'smic/s0{i}': dict(value=5.0, of='scores') for i in range(1, 5)}
    monkeypatch.setattr(plot, 'temperatures_of', lambda record: folds)
    monkeypatch.setattr(plot, 'save', lambda draw, *paths: drawn.append(draw()))
    plot.main([runs[0], '--kind', 'reliability'])
    # exp(7.5 / 5) / (exp(7.5 / 5) + 2) = 0.6914, all right
    legend = [text.get_text() for text in drawn[0].axes[0].get_legend().texts]
    assert legend == ['after scaling: ECE 0.309', 'share of the clips']


def test_three_runs_are_ranked_on_the_screen_in_csv_and_as_a_figure(runs, tmp_path, capsys):
    compare([*runs, '--plot', str(tmp_path / 'c.svg'), '--out', str(tmp_path / 'c.csv')])
    assert 'These 4 people are too few to say' in capsys.readouterr().out
    assert (tmp_path / 'c.csv').read_text().startswith('method,average_rank,mean_score,p_to_a,p_to_b,')
    assert '$c_1$' in (tmp_path / 'c.csv').read_text()


def test_a_kind_that_is_none_is_one_line(runs):
    result = tool('plot', runs[0], '--kind', 'reliabilty')
    assert (result.returncode, result.stderr.count('\n')) == (2, 1)
    assert 'did you mean reliability?' in result.stderr
