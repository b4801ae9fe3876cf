"""tools/compare.py from the command line."""

import pandas as pd
import pytest

from mer_bench.cli.compare import main
from mer_bench.errors import InputError
from tests.in_process import tool
from tests.results.conftest import write_run


@pytest.fixture
def runs(tmp_path):
    # 8 clips of 4 subjects: accuracy 1 and 7/8
    return [str(write_run(tmp_path / name, answers)) for name, answers in (('a', 'perfect'), ('b', 'one wrong'))]


def test_two_runs_are_compared_on_the_screen_in_csv_and_as_a_figure(runs, tmp_path, capsys):
    main([*runs, '--out', str(tmp_path / 'c.csv'), '--plot', str(tmp_path / 'c.svg')])
    screen = capsys.readouterr().out
    assert 'a has the higher UF1: 1.0000 against 0.8519 of b' in screen
    assert screen.splitlines()[-2:] == [f'written: {tmp_path / name}' for name in ('c.svg', 'c.csv')]
    table = pd.read_csv(tmp_path / 'c.csv').set_index('metric')
    assert table.loc['accuracy', ['a', 'b', 'difference']].tolist() == [1, 7 / 8, 1 / 8]
    assert table.loc['uf1', ['clips', 'subjects', 'only_a_correct', 'only_b_correct', 'mcnemar_p']].tolist() == [
        *(8, 4, 1, 0, 1),
    ]
    assert (tmp_path / 'c.svg').read_text().count('<svg') == 1


def test_a_published_log_is_compared_with_a_run(runs, tmp_path, capsys):
    log = ''.join(f'clip{i} {0 if i % 2 == 0 else 1 + (i % 4 == 3)} 0\n' * 1 for i in range(8))
    lines = log.splitlines()
    text = '\n'.join(f'smic s0{s + 1}\n{lines[2 * s]}\n{lines[2 * s + 1]}' for s in range(4))
    (tmp_path / 'log.txt').write_text(text)
    main([runs[0], str(tmp_path / 'log.txt')])  # all negative: 4 of 8 clips
    assert 'accuracy  ' in (screen := capsys.readouterr().out)
    assert '0.5000' in screen


def test_a_name_of_a_figure_that_is_none_is_refused_before_anything_is_written(runs, tmp_path):
    with pytest.raises(InputError, match=r'c\.gif: expected a figure as \.svg, \.png, \.pdf'):
        main([*runs, '--plot', str(tmp_path / 'c.gif'), '--out', str(tmp_path / 'c.csv')])
    assert not list(tmp_path.glob('c.*'))


def test_a_path_that_is_not_there_is_one_sentence_with_code_2(runs):
    result = tool('compare', runs[0], 'gone')
    assert (result.returncode, result.stderr.count('\n')) == (2, 1)
