"""One fold over several processes that torchrun started: MMEngine's launcher on the config of a fold."""

import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings
from torch import distributed

from mer_bench.errors import InputError
from mer_bench.training.device import set_device
from mer_bench.training.fold_runner import train


def launch(config: Path, out: Path, device: str) -> None:
    """Train and test in this process, one of those that torchrun started.

    The batch of the config is divided among the processes, and batch norm sees all of it on GPUs. The last digits are
    others than those of one process, so `out` is a folder beside the runs, and no fold of them.

    Args:
        config: config.py of a fold.
        out: Where predictions.csv, train.log, config.py and checkpoints go.
        device: auto, cpu or cuda.

    Raises:
        InputError: This process was not started by torchrun, or the batch cannot be divided.
    """
    if 'LOCAL_RANK' not in os.environ:
        raise InputError('expected to be started by `torchrun --nproc_per_node=N`, which tells each process its number')
    if not config.is_file():
        raise InputError(f'{config}: expected the config.py of a fold, found no file; give RUN/folds/NAME/config.py')
    kind = set_device(device)
    if kind != 'cpu':
        kind = set_device(f'cuda:{os.environ["LOCAL_RANK"]}')
    # before MMEngine, which asks for a GPU also where it is told to do without
    distributed.init_process_group('gloo' if kind == 'cpu' else 'nccl')
    try:
        cfg = divide(Config.fromfile(config), distributed.get_world_size(), out, on_gpu=kind != 'cpu')
        import_modules_from_strings(**cfg.custom_imports)
        init_default_scope(cfg.default_scope)
        torch.set_num_threads(1)
        train(cfg, lambda epoch: None).test()
    finally:
        distributed.destroy_process_group()


def divide(cfg: Config, processes: int, out: Path, on_gpu: bool) -> Config:
    """Return the config of a fold as each of several processes trains it.

    Args:
        cfg: Of the fold.
        processes: Their number.
        out: Where they write.
        on_gpu: Whether each has a GPU; only there batch norm takes its moments over all of them.
    """
    loader = cfg.train_dataloader
    if loader.batch_size % processes:
        raise InputError(
            f'expected processes that divide a batch of {loader.batch_size}, got {processes}; start others'
        )
    loader.batch_size //= processes
    cfg.launcher, cfg.work_dir = 'pytorch', str(out)
    cfg.test_evaluator.out_file = str(out / 'predictions.csv')
    if on_gpu:
        cfg.sync_bn = 'torch'
    else:  # by default MMEngine names a GPU
        cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    return cfg
