"""The schedules of the networks of the field are those of one public program each, named in their config."""

from pathlib import Path

import pytest
from mmengine import Config

OVERRIDES = Path(__file__).parents[3] / 'configs/baselines'
RCN = ('SGD', 5e-4, 64, 100)


@pytest.mark.parametrize(
    ('name', 'optimizer', 'lr', 'batch_size', 'epochs'),
    [
        ('ststnet', 'Adam', 5e-5, 256, 800),  # main.py of christy1206/STSTNet; its main.m has 500
        ('off_apexnet', 'Adam', 1e-4, 64, 3000),  # train_arg.py of ECNU-Cross-Innovation-Lab/PRICAI2021-Off-TANet
        ('dual_inception', 'Adam', 1e-4, 3, 40),  # dual_inception.py of xly135846/MEGC2019
        # defaults of ModelTrain_Final.py of xiazhaoqiang/ParameterFreeRCNs-MicroExpressionRec; its README has 20
        *((f'rcn_{variant}', *RCN) for variant in 'aswf'),
        (
            'capsulenet',
            'Adam',
            0.9 * 1e-4,
            32,
            30,
        ),  # train_me_loso.py of davidnvq/me_recognition: decayed before epoch 1
        ('htnet', 'Adam', 5e-5, 256, 800),  # main_HTNet.py of wangzhifengharrison/HTNet
        ('causalnet', 'Adam', 5e-5, 1024, 200),  # main_train.py of tony19980810/CausalNet: 256 * 4
        ('mmnet', 'AdamW', 8e-4, 32, 74),  # CASME2_5.py of muse1998/MMNet: range(1, 75)
    ],
)
def test_the_schedule_is_that_of_the_named_program(name, optimizer, lr, batch_size, epochs):
    cfg = Config.fromfile(OVERRIDES / f'{name}.py')
    assert (cfg.optim_wrapper.optimizer.type, cfg.optim_wrapper.optimizer.lr) == (optimizer, pytest.approx(lr))
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs) == (batch_size, epochs)


@pytest.mark.parametrize('variant', 'aswf')
def test_rcn_mixes_no_two_settings(variant):
    """64 maps and 7x7 belong to 100 epochs (the program), 32 maps and 5x5 to 20 (the README)."""
    cfg = Config.fromfile(OVERRIDES / f'rcn_{variant}.py')
    head = cfg.model.cls_head
    assert (cfg.model.backbone.channels, head.in_channels, head.pool_size, cfg.train_cfg.max_epochs) == (64, 64, 7, 100)
