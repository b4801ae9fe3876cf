"""docs/adding_a_flow_method.md is followed to the letter."""

import re

import numpy as np

from mer_bench.preparation.flow import optical_flow
from mer_bench.preparation.flow.optical_flow import METHODS, compute_flow, flow_names, flow_parameters
from mer_bench.preparation.prepare import prepare
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store.flow_store import FlowStore
from tests.conftest import ROOT
from tests.preparation.conftest import shifted_texture, write_clip_of_shifts

PAGE = (ROOT / 'docs' / 'adding_a_flow_method.md').read_text(encoding='utf-8')


def test_the_method_of_the_page_is_offered_and_measures_a_shift(tmp_path, monkeypatch):
    """The block of the page, put at the end of the file that it names, is all that a method needs."""
    (code,) = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
    monkeypatch.setitem(METHODS, 'lucas_kanade', None)  # so that what the block adds is removed again
    exec(compile(code, 'optical_flow.py', 'exec'), vars(optical_flow))
    assert 'lucas_kanade' in flow_names()
    assert FlowSettings('lucas_kanade').flow == 'lucas_kanade'
    flow = compute_flow(shifted_texture(0, 0), shifted_texture(1.5, -0.5), 'lucas_kanade')
    np.testing.assert_allclose(flow.mean(axis=(1, 2)), [1.5, -0.5], atol=0.1)
    write_clip_of_shifts(tmp_path / 'HS/s1/micro/negative/s1_ne_01', [0, 0.5, 1])
    out = prepare('smic', tmp_path, tmp_path / 'out', flow='lucas_kanade', clip_len=1, size=32, workers=1)
    info = FlowStore(out / 'store').info
    assert (info['flow'], info['flow_parameters']) == ('lucas_kanade', flow_parameters('lucas_kanade'))
