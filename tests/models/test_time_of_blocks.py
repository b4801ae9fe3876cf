"""The table of docs/model.md on what the blocks see, against the networks of the configs."""

import re
from ast import literal_eval
from functools import lru_cache

import pytest
import torch
from mmaction.registry import MODELS

from mer_bench.experiment.method import load_method
from mer_bench.preparation.settings import FlowSettings
from mer_bench.runs.model import note_on_taps
from tests.conftest import ROOT

FILES = {path.stem: str(path) for folder in ('ablations', 'configs/reduced') for path in (ROOT / folder).glob('*.py')}
PICTURES = {'mer_megc2019_flow': (1, 28), 'mer_megc2019_rise_fall': (2, 28)}  # frames and size of flow pictures
CONFIGS = {path.stem for path in (ROOT / 'configs').glob('*.py')}


def rows():
    """(config, overrides, first cell, other cells) of each config of each row."""
    page = (ROOT / 'docs/model.md').read_text(encoding='utf-8')
    lines = page.partition('| config and overrides |')[2].partition('\n\n')[0].splitlines()[2:]
    for line in lines:
        first, *cells = (cell.strip() for cell in line.strip().strip('|').split('|'))
        config, *overrides = re.findall(r'`(\w+)`', first) or ['']
        for name in sorted(CONFIGS - {*PICTURES}) if first.startswith('every config but') else [config]:
            yield pytest.param(name, overrides, first, cells, id='+'.join([name, *overrides]))


@lru_cache  # most configs share their network
def seen(backbone, clip):
    """Sizes of what the blocks see of a clip, their longest kernels in time, and the note on them."""
    with torch.device('meta'):
        backbone = MODELS.build(literal_eval(backbone))
        with backbone.watch_blocks() as sizes:
            backbone(torch.empty(2, 3, *clip))
    blocks = backbone.multiscale.values()
    longest = [max(layer.conv.kernel_size[0] for branch in block.branches for layer in branch) for block in blocks]
    return [*sizes.values()], longest, note_on_taps(backbone, sizes)


@pytest.mark.parametrize(('config', 'overrides', 'first', 'cells'), rows())
def test_the_blocks_see_what_the_page_says(config, overrides, first, cells):
    cfg = load_method(str(ROOT / f'configs/{config}.py'), [FILES[name] for name in overrides]).cfg
    stored = PICTURES.get(config, (FlowSettings().clip_len, FlowSettings().size))
    frames, size = {'apex': 1}.get(cfg.input.frames, cfg.input.frames) or stored[0], cfg.input.size or stored[1]
    maps, longest, note = seen(repr(cfg.model.backbone.to_dict()), (frames, size, size))
    shown = ['x'.join(map(str, shape)) for shape in [(frames, size, size), *maps]]
    assert cells == [*shown, ', '.join(map(str, longest))]
    assert ('leaves taps idle' in first) == (note is not None)
    assert ('no time' in first) == (maps[0][0] == 1)


def test_every_config_is_in_the_table():
    assert {row.values[0] for row in rows()} == CONFIGS
