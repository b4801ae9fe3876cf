"""docs/baselines.md names every baseline, and no other."""

import re

import pytest
from mmengine import Config

from tests.conftest import ROOT

PAGE = (ROOT / 'docs' / 'baselines.md').read_text(encoding='utf-8')


def test_the_table_holds_every_baseline_once():
    table = [line.split('|')[2] for line in PAGE.splitlines() if line.startswith('|')]
    named = [name for cell in table for name in re.findall(r'`(\w+)`', cell) if not name.startswith('timm_')]
    assert sorted(named) == sorted(path.stem for path in (ROOT / 'configs/baselines').glob('*.py'))


@pytest.mark.parametrize(
    'line', re.findall(r'^\| `.*?` \| \d+ \| .*$', PAGE, re.MULTILINE), ids=lambda line: line.split()[1]
)
def test_the_lengths_on_the_page_are_those_of_the_configs(line):
    names, epochs, batch, rate = line.split('|')[1:5]
    for name in re.findall(r'`(\w+)`', names):
        cfg = Config.fromfile(ROOT / f'configs/baselines/{name}.py')
        assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (int(epochs), int(batch))
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(float(rate))
