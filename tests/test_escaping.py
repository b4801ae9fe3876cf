"""Texts of strangers do nothing on a page, in a table program, on a terminal and in a path; usual texts stay."""

import pytest
from markdown_it import MarkdownIt

from mer_bench.errors import InputError, visible
from mer_bench.escaping import (
    folder_name,
    for_csv,
    for_latex,
    for_markdown,
    inside,
    markdown_link,
    shorten_folders,
    without_paths,
)

USUAL = ['multiscale_resnet3d50+no_attention', '[0.51, 0.93]', '-0.0412', '[-0.2, +0.1]', 'MEGC 2019, LOSO (68 folds)']


@pytest.mark.parametrize('text', USUAL)
def test_usual_texts_stay_as_they_are(text):
    assert for_markdown(text) == for_csv(text) == visible(text) == text


@pytest.mark.parametrize(
    'text',
    [
        '<script>alert(1)</script>',
        '[c](javascript:alert(1))',
        '![p](http://e.org/p.png)',
        '`x` **y** ~~z~~ _v_',
        '[a]: http://e.org',
        '# heading',
        '1. item',
        'a\\|b',
        '&lt;b&gt;',
        '$x$',
    ],
)
def test_markdown_shows_what_a_stranger_wrote(text):
    paragraph = MarkdownIt('commonmark').enable(['table', 'strikethrough']).parse(for_markdown(text, block=True))[1]
    assert {token.type for token in paragraph.children} <= {'text', 'text_special'}
    assert ''.join(token.content for token in paragraph.children) == text


def test_a_formula_of_github_is_text():
    assert for_markdown('$\\href{javascript:x}{y}$') == '&#36;\\\\href{javascript:x}{y}&#36;'


def test_a_line_break_begins_no_heading():
    assert for_markdown('x\n# y') == 'x # y'


@pytest.mark.parametrize(
    'url', ['javascript:alert(1)', 'data:text/html,x', '//e.org', 'file:///etc/passwd', 'a/../../x.json', '']
)
def test_only_addresses_of_the_web_become_links(url):
    assert markdown_link('log', url) == 'log'


def test_a_link_cannot_be_left():
    assert markdown_link('a](b', 'https://e.org/x) ![y](z') == '[a\\](b](https://e.org/x%29%20!%5By%5D%28z)'


@pytest.mark.parametrize('text', ["=cmd|' /C calc'!A0", '@SUM(1)', '+1+cmd', '-2+3', '\t=1', ' =1', '\uff1d1', '-x'])
def test_a_formula_is_text_in_csv(text):
    assert for_csv(text).startswith("'")


@pytest.mark.parametrize('value', [-0.05, 3, None, '-0.05', '+1e-3', '-'])
def test_numbers_stay_numbers_in_csv(value):
    assert for_csv(value) == value


@pytest.mark.parametrize(
    ('text', 'shown'),
    [('a\x1b[2J', r'a\x1b[2J'), ('a\u202eb', r'a\u202eb'), ('\ud800', r'\ud800'), ('a\0b', r'a\x00b'), ('a\nb', 'a b')],
)
def test_hidden_characters_are_seen(text, shown):
    assert visible(text) == shown
    assert str(InputError(text)) == shown


def test_a_long_blank_takes_no_longer_than_a_long_word():
    assert visible(' ' * 500_000 + '\x1b').endswith(r' \x1b')  # 20 minutes, if it took the square of their number


def test_latex_reads_no_command():
    assert for_latex('\\input{x}_%$&#~^') == (
        r'\textbackslash{}input\{x\}\_\%\$\&\#\textasciitilde{}\textasciicircum{}'
    )


@pytest.mark.parametrize('name', ['', ' ', '.', '..', '.git', 'a\x1b', 'a\u202eb', 'a\0', 'x' * 300])
def test_what_names_no_folder_is_refused(name):
    with pytest.raises(InputError, match='can name a folder'):
        folder_name(name, 'a method')


def test_a_name_with_slashes_is_one_folder():
    assert folder_name('full+label_scheme=a/b.csv', 'a method') == 'full+label_scheme=a_b.csv'


def test_a_link_that_leads_out_of_a_folder_is_refused(tmp_path):
    (tmp_path / 'into').mkdir()
    (tmp_path / 'into/out').symlink_to(tmp_path)
    (tmp_path / 'into/loop').symlink_to(tmp_path / 'into/loop')
    for part in ('out', 'loop', '..'):
        with pytest.raises(InputError, match='leads elsewhere'):
            inside(tmp_path / 'into', part, 'seed0')
    assert inside(tmp_path / 'into', 'a', 'seed0') == tmp_path / 'into/a/seed0'


@pytest.mark.parametrize(
    ('text', 'clean'),
    [
        ("open('/tmp/x/y.py') failed", "open('y.py') failed"),
        ('(/srv/work/run: line 3)', '(run: line 3)'),
        ('see file:///home/a/b', 'see b'),
        (r'C:\Users\me\x.npy is gone', 'x.npy is gone'),
    ],
)
def test_an_absolute_path_keeps_its_last_name(text, clean):
    assert without_paths(text) == clean


@pytest.mark.parametrize('text', ['https://github.com/a/b', 'smic/s01/c1, 3/4/5', 'configs/a/b.py and/or ~/data/x'])
def test_what_is_no_absolute_path_stays(text):
    assert without_paths(text) == text


def test_the_longest_folder_is_replaced_first_and_only_in_full():
    text = '/home/me/runs/x, /home/me/runs2 and /home/me/data'
    assert shorten_folders(text, ['/home/me', '/home/me/runs']) == 'runs/x, me/runs2 and me/data'
