"""Paths of a machine are taken out of a text; addresses, clips and relative paths stay."""

import pytest

from mer_bench.escaping import shorten_folders, without_paths


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
