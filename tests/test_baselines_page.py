"""docs/baselines.md names every baseline, and no other."""

import re

from tests.conftest import ROOT

PAGE = (ROOT / 'docs' / 'baselines.md').read_text(encoding='utf-8')


def test_the_table_holds_every_baseline_once():
    table = [line.split('|')[2] for line in PAGE.splitlines() if line.startswith('|')]
    named = [name for cell in table for name in re.findall(r'`(\w+)`', cell) if not name.startswith('timm_')]
    assert sorted(named) == sorted(path.stem for path in (ROOT / 'configs/baselines').glob('*.py'))
