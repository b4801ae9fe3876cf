"""A model as ONNX and TorchScript: the same probabilities, without mer_bench."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from mer_bench.cli.trained.export import main
from mer_bench.errors import InputError
from mer_bench.inference import export as exporting
from mer_bench.inference.export import Seen, export, pooled
from mer_bench.loading.input_spec import InputSpec

# stored at 9x12; what a method may see of it
SPECS = [
    dict(),
    dict(frames='apex', size=6),
    dict(frames=2, size=7, resize='area'),
    dict(size=16),
    dict(channels=('magnitude', 'angle')),
    dict(channels=('v', 'magnitude'), size=5, centre=True),
    dict(scale='rms', size=6),
]
WITHOUT = (
    'import sys, runpy; sys.modules |= dict.fromkeys({names}); runpy.run_path(sys.argv.pop(1), run_name="__main__")'
)


@pytest.mark.parametrize('options', SPECS)
def test_the_file_sees_of_a_clip_what_the_network_sees(options):
    stored = ('u', 'v', 'strain')
    spec = InputSpec(stored, **(dict(channels=stored) | options))
    flow = np.random.default_rng(0).normal(size=(2, 3, 4, 9, 12)).astype(np.float32)
    expected = np.stack([spec(clip) for clip in flow])
    np.testing.assert_allclose(Seen(spec, 4, 9, 12)(torch.from_numpy(flow)).numpy(), expected, atol=2e-6)


@pytest.mark.parametrize('size', [(2, 3, 4), (1, 1, 1), (5, 9, 12)])
def test_pooling_by_matrices_is_that_of_torch(size):
    maps = torch.randn(2, 3, 5, 9, 6)
    torch.testing.assert_close(pooled(maps, size), torch.nn.functional.adaptive_avg_pool3d(maps, size))


@pytest.mark.parametrize(('kind', 'hidden'), [('onnx', ('torch', 'mer_bench')), ('torchscript', ('mer_bench',))])
def test_the_program_beside_the_file_gives_the_probabilities_of_the_model(model, drawn, tmp_path, kind, hidden, capsys):
    if kind == 'onnx':
        pytest.importorskip('onnxscript')
        pytest.importorskip('onnxruntime')
    file = tmp_path / 'model.file'
    main([str(drawn.model), f'--{kind}', str(file), '--json'])
    found = json.loads(capsys.readouterr().out)
    assert found['written'] == [str(file), f'{file}.py']
    assert found['difference'] <= 1e-5
    flow = np.load(drawn.data / 'store/flow.npy')
    np.save(tmp_path / 'flow.npy', flow)
    code = WITHOUT.format(names=hidden)
    command = [sys.executable, '-W', 'ignore', '-c', code, f'{file}.py', tmp_path / 'flow.npy']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    first, warning, *rows = done.stdout.splitlines()
    assert first.startswith('flow: float32 (N, 3, 4, 28, 28), ')
    assert 'u: motion to the right in pixels of the stored grid' in first
    assert 'lie detector' in warning
    for clip, row in zip(flow, rows, strict=True):
        expected = dict(zip(model.classes, model.scores(model.tensor(clip))[0], strict=True))
        assert eval(row) == pytest.approx(expected, abs=1e-4)


def test_a_calibrated_model_keeps_its_temperature(model, tmp_path):
    calibration = dict(value=2.5, of='probabilities', folds=3)
    hot = replace(model, info=model.info | dict(calibration=calibration))
    assert export(hot, tmp_path / 'model.pt', 'torchscript') <= 1e-6


def test_a_file_that_differs_from_the_model_is_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting.Deployed, 'forward', lambda self, flow: self.decide(self.seen(flow)))
    with pytest.raises(InputError, match='expected the probabilities of the model within 0'):
        export(model, tmp_path / 'model.pt', 'torchscript')
    assert not [*tmp_path.iterdir()]


def test_a_network_that_no_exporter_can_write_is_refused_in_one_sentence(model, tmp_path, monkeypatch):
    def broken(*given):
        raise RuntimeError('no function found for aten.strange. Next steps:\n- report it')

    monkeypatch.setitem(exporting.KINDS, 'torchscript', (broken, exporting.OF_TORCHSCRIPT))
    sentence = (
        r'cannot be written as torchscript \(RuntimeError: no function found for aten\.strange\); try --onnx, or use '
    )
    with pytest.raises(InputError, match=sentence):
        export(model, tmp_path / 'model.pt', 'torchscript')
    assert not [*tmp_path.iterdir()]
