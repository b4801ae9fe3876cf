"""Tables for LaTeX: rules of booktabs, nothing unescaped, all that is opened is closed."""

import re

import pytest

from mer_bench.escaping import for_latex
from mer_bench.results.blocks import Column, Heading, Link, Noted, Table
from mer_bench.results.latex import to_latex
from mer_bench.results.leaderboard import write_leaderboard


def check_syntax(text):
    """What LaTeX would stumble over: unbalanced groups, open environments, bare special letters, ragged rows."""
    bare = re.sub(r'%.*Generated.*', '', text)
    opened = re.findall(r'\\begin{(\w+)}', bare)
    assert sorted(opened) == sorted(re.findall(r'\\end{(\w+)}', bare))
    braces = re.sub(r'\\[{}]', '', bare)
    depth = 0
    for letter in braces:
        depth += (letter == '{') - (letter == '}')
        assert depth >= 0
    assert depth == 0
    assert not re.search(r'(?<!\\)[_#%]', bare)
    assert len(re.findall(r'(?<!\\)\$', bare)) % 2 == 0
    broken = re.sub(r'>{\\ragged\w+\\arraybackslash}p{0\.\d+\\linewidth}', 'p', bare)  # a column of long cells
    for kind, columns, body in re.findall(r'\\begin{(tabular|longtable)}{(\w+)}(.*?)\\end{', broken, flags=re.S):
        heads = [2, 2] if kind == 'longtable' else [1, 1]
        assert [body.count(rule) for rule in (r'\toprule', r'\midrule', r'\bottomrule')] == [*heads, 1]
        lines = [line for line in body.splitlines() if line.endswith(r'\\') and 'caption' not in line]
        assert {len(re.findall(r'(?<!\\)&', line)) + 1 for line in lines} == {len(columns)}


def test_a_leaderboard_is_sound_latex_with_escaped_names(new_run, tmp_path):
    new_run('a', 'perfect', method='full', datasets=('smic', 'samm'), dataset='two_sets')
    override = {'name': 'no_attention', 'text': 'x', 'digest': 'e'}
    new_run(
        'b',
        'one wrong',
        method='full+no_attention',
        overrides=[override],
        datasets=('smic', 'samm'),
        dataset='two_sets',
    )
    write_leaderboard([tmp_path], tmp_path / 'out' / 'two.md')
    text = (tmp_path / 'out' / 'two.tex').read_text()
    check_syntax(text)
    assert r'1 & full & \textbf{1.000} & ' in text
    assert text.count(r'\begin{tabular}') == 5  # scores, data sets, all against the best, ablations, calibration
    assert r'2$\approx$ & full, no attention & 0.852' in text
    assert r'\caption{Reproduced here. two\_sets, LOSO, smic\_3class' in text


def test_synthetic_data_are_named_in_every_caption(new_run, tmp_path):
    new_run('a', synthetic=True)
    write_leaderboard([tmp_path], tmp_path / 'out' / 'synthetic.md')
    captions = re.findall(r'\\caption{.*', (tmp_path / 'out' / 'synthetic.tex').read_text())
    assert captions
    assert all('synthetic' in caption for caption in captions)


@pytest.mark.parametrize('rows', [2, 41])
def test_long_tables_and_footnotes_are_sound(rows):
    cell = Noted(Link('a_b & c', 'https://x'), ('50 % of {it}', 'x^2 ~ $1'))
    columns = [Column('one', 'one', lambda row: cell), Column('two', 'two', lambda row: '1 ± 2', 'right')]
    text = to_latex([Heading(2, 'A # title'), Table(columns, [None] * rows)])
    check_syntax(text)
    assert (r'\begin{longtable}{lr}' in text) == (rows == 41)
    assert r'a\_b \& c$^{1,2}$ & 1 $\pm$ 2 \\' in text


def test_minus_signs_of_numbers_alone_are_set_as_such():
    text = to_latex(
        [Table([*map(Column.of, 'xyz')], [dict(x='-0.04', y='[-0.1, +0.2]', z='2025-01-31 no-attention -')])]
    )
    assert r'$-$0.04 & [$-$0.1, +0.2] & 2025-01-31 no-attention - \\' in text


def test_a_long_table_repeats_its_head():
    text = to_latex([Table([Column.of('x')], [{'x': 1}] * 41)])
    assert text.count('x \\\\\n\\midrule') == 2
    assert text.index('endfirsthead') < text.index(r'\endhead') < text.index('1 \\\\')


def test_every_special_letter_is_escaped():
    assert for_latex(r'\_&') == r'\textbackslash{}\_\&'


def test_long_cells_of_a_table_wider_than_a_line_are_broken():
    columns = [Column('method', 'method', lambda row: 'many words ' * 12)]
    columns += [Column(name, name, lambda row: '0.123', 'right') for name in 'abcd']
    text = to_latex([Table(columns, [None])])
    check_syntax(text)
    assert re.search(r'\\begin{tabular}{>{\\raggedright\\arraybackslash}p{0\.\d+\\linewidth}rrrr}', text)
