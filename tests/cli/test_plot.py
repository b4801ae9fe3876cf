"""tools/plot.py from the command line."""

import numpy as np
import pytest
from matplotlib import image

from mer_bench.cli import plot
from mer_bench.cli.compare import main as compare
from mer_bench.errors import InputError
from mer_bench.evaluation.figures import KINDS
from mer_bench.evaluation.style import STYLE
from tests.in_process import tool
from tests.results.conftest import write_run


@pytest.fixture
def runs(tmp_path):
    answers = (('a', 'perfect'), ('b', 'one wrong'), ('$c_1$', 'always negative'))
    return [str(write_run(tmp_path / name / 'seed0', found)) for name, found in answers]


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_is_a_picture(runs, tmp_path, monkeypatch, kind):
    monkeypatch.setitem(STYLE, 'savefig.dpi', 60)
    plot.main([*runs, '--kind', kind, '--out', str(tmp_path / 'one.png')])
    assert image.imread(tmp_path / 'one.png').std() > 0.05  # not a blank page


def test_a_pdf_has_the_same_bytes_each_time(runs, tmp_path):
    plot.main([*runs, '--kind', 'intervals', '--out', *(str(tmp_path / name) for name in ('one.pdf', 'two.pdf'))])
    assert (tmp_path / 'one.pdf').read_bytes() == (tmp_path / 'two.pdf').read_bytes()
    assert (tmp_path / 'one.pdf').read_bytes().startswith(b'%PDF')


def test_the_points_of_a_reliability_diagram_are_those_of_the_scores(runs, monkeypatch):
    drawn = []
    monkeypatch.setattr(plot, 'save', lambda draw, *paths: drawn.append(draw()))
    plot.main([runs[1], '--kind', 'reliability', '--names', 'mine'])
    (axis,) = drawn[0].axes
    points = axis.lines[1]  # after the diagonal
    np.testing.assert_allclose(points.get_xydata(), [[1, 7 / 8]])  # always sure, right in 7 of 8
    assert axis.get_legend().texts[0].get_text() == 'as they are: ECE 0.125'
    assert axis.get_title() == 'mine'


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
    with pytest.raises(InputError, match='reliability: expected probabilities, but the class scores of a are none'):
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
