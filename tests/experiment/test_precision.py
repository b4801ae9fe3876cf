"""Which precision a config gets on which hardware; the hardware is told, not found."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment import precision
from mer_bench.experiment.experiment import RunOptions, open_experiment
from mer_bench.experiment.method import load_method
from mer_bench.experiment.precision import choose_precision
from mer_bench.experiment.provenance import describe_device
from mer_bench.protocols.folds import Fold
from mer_bench.training.fold import fold_config
from tests.conftest import ROOT

FOLD = Fold('smic/s02', ('smic/s01', 'smic/s03'), ('smic/s02',))
CONFIG = str(ROOT / 'configs/mer_smic.py')
PLAIN, AVX512 = {'avx2'}, {'avx2', 'avx512_bf16'}


def experiment_on(data, *options, config=CONFIG, override=()):
    names = dict(config=config, overrides=list(map(str, override)), folds=[], cfg_options=list(options), device='cpu')
    return open_experiment(RunOptions(**names, threads=1, data_root=[str(data)]))


@pytest.mark.parametrize(
    ('amp', 'flags', 'chosen'),
    [('auto', AVX512, 'bf16'), ('auto', PLAIN, 'fp32'), (True, AVX512, 'bf16'), (False, AVX512, 'fp32')],
)
def test_a_cpu_has_bf16_where_it_has_instructions_for_it(monkeypatch, amp, flags, chosen):
    monkeypatch.setattr(precision, 'processor_flags', lambda: flags)
    assert choose_precision(Config(dict(amp=amp, optim_wrapper={})), 'cpu') == chosen


@pytest.mark.parametrize(
    ('setting', 'hidden'),
    [('AVX512_CORE', True), ('avx2', True), ('AVX512_CORE_BF16', False), ('DEFAULT', False), ('', False)],
)
@pytest.mark.parametrize('name', ['ONEDNN_MAX_CPU_ISA', 'DNNL_MAX_CPU_ISA'])
def test_the_setting_of_onednn_hides_the_instructions_for_bf16(monkeypatch, name, setting, hidden):
    monkeypatch.delenv('ONEDNN_MAX_CPU_ISA', raising=False)
    monkeypatch.setenv(name, setting)
    monkeypatch.setattr(Path, 'exists', lambda path: True)
    monkeypatch.setattr(Path, 'read_text', lambda path: 'model name\t: X\nflags\t\t: avx2 avx512_bf16 amx_bf16\n')
    assert precision.processor_flags() == ({'avx2'} if hidden else {'avx2', 'avx512_bf16', 'amx_bf16'})
    assert precision.mixed_precision('cpu') == ('fp32' if hidden else 'bf16')


@pytest.mark.parametrize(('capability', 'amp', 'chosen'), [(9, 'auto', 'bf16'), (7, True, 'fp16'), (9, False, 'fp32')])
def test_an_older_gpu_has_fp16(monkeypatch, capability, amp, chosen):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: (capability, 0))
    assert choose_precision(Config(dict(amp=amp, optim_wrapper={})), 'cuda') == chosen


def test_mixed_precision_that_would_be_slower_is_refused(monkeypatch):
    monkeypatch.setattr(precision, 'processor_flags', lambda: PLAIN)
    with pytest.raises(InputError, match="no instructions for bf16; use amp='auto', or amp=False"):
        choose_precision(Config(dict(amp=True, optim_wrapper={})), 'cpu')


def test_the_precision_is_chosen_once_and_said_in_record_and_config(prepared_data, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, 'processor_flags', lambda: AVX512)
    experiment = experiment_on(prepared_data)
    assert describe_device(experiment) == 'cpu, 1 thread a training, bf16'
    monkeypatch.setattr(precision, 'processor_flags', lambda: PLAIN)  # as in a worker elsewhere
    assert fold_config(experiment, FOLD, 0, tmp_path).precision == 'bf16'
    plain = experiment_on(prepared_data, 'amp=False')
    assert describe_device(plain) == 'cpu, 1 thread a training'


def test_on_a_gpu_weights_are_updated_at_once_and_fp16_losses_are_scaled(prepared_data, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'get_device_name', 'the GPU {}'.format)
    experiment = experiment_on(prepared_data)
    assert describe_device(replace(experiment, device='cuda:1', precision='bf16')) == 'the GPU cuda:1, bf16'
    assert 'fused' not in fold_config(experiment, FOLD, 0, tmp_path).optim_wrapper.optimizer
    for name, wrapper in (('bf16', 'OptimWrapper'), ('fp16', 'AmpOptimWrapper')):
        cfg = fold_config(replace(experiment, device='cuda', precision=name), FOLD, 0, tmp_path)
        assert (cfg.optim_wrapper.type, cfg.optim_wrapper.optimizer.fused) == (wrapper, True)
        assert cfg.env_cfg.cudnn_benchmark is False
        assert cfg.default_hooks.checkpoint.type == 'SpacedCheckpointHook'
    chosen = experiment_on(prepared_data, 'optim_wrapper.optimizer.fused=False')
    cfg = fold_config(replace(chosen, device='cuda', precision='bf16'), FOLD, 0, tmp_path)
    assert cfg.optim_wrapper.optimizer.fused is False


@pytest.mark.parametrize('key', ['amp', 'channels_last'])
def test_an_unknown_value_is_refused(key):
    with pytest.raises(InputError, match=f"{key} must be 'auto', True or False, got 'bf16'"):
        load_method(CONFIG, [], {key: 'bf16'})


@pytest.mark.parametrize(
    ('drivers', 'setting', 'device'), [([], '0', 'cpu'), (['nvidia0'], '0', 'cuda'), (['nvidia0'], '', 'cpu')]
)
def test_torch_is_asked_for_gpus_only_where_there_is_a_driver(monkeypatch, drivers, setting, device):
    monkeypatch.setattr(precision.sys, 'platform', 'linux')
    monkeypatch.setattr(Path, 'glob', lambda folder, name: [folder / driver for driver in drivers])
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', setting)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    assert precision.choose_device('auto') == device
