"""An experiment whose folds differ in everything that a stack has to keep apart, for the tests of stacking."""

import copy
from pathlib import Path

from mmaction.registry import MODELS
from torch import nn

from mer_bench.experiment.experiment import Experiment
from tests.conftest import ROOT, write_prepared_data
from tests.training.test_fold_config import experiment_on

# two data sets, so that the folds have 14 or 16 training clips, and batches of 2 or 4 at the end of an epoch
EMOTIONS = dict(
    smic=('negative', 'negative', 'negative', 'positive', 'positive', 'surprise'),
    casme2=('disgust', 'happiness', 'surprise', 'surprise'),
)
EVERYTHING = """
model = dict(data_preprocessor=dict(flip_prob=0.5, max_shift=0.1))
class_weight = 'balanced'
train_cfg = dict(max_epochs=2)
train_dataloader = dict(batch_size=6)
optim_wrapper = dict(optimizer=dict(lr=1e-2), clip_grad=dict(max_norm=0.5))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min_ratio=0.01, convert_to_iter_based=True)]
amp = False
"""


def stack_experiment(folder: Path, network: str, override: str = EVERYTHING, **changes) -> Experiment:
    """Open a network of configs/baselines on two small data sets of 28x28 pictures, with an override behind it."""
    roots = [folder / name for name in EMOTIONS]
    for root, (dataset, emotions) in zip(roots, EMOTIONS.items(), strict=True):
        if not root.exists():
            write_prepared_data(root, 2, clip_len=1, size=28, dataset=dataset, emotions=emotions)
    path = folder / 'override.py'
    path.write_text(override)
    overrides = [str(ROOT / f'configs/baselines/{network}.py'), str(path)]
    options = ['data_source=[smic,casme2]', 'label_scheme=megc2019_3class']
    return experiment_on(*roots, overrides=overrides, cfg_options=options, **changes)


def build_model(experiment: Experiment) -> nn.Module:
    """Build the network of an experiment, as a run does once."""
    return MODELS.build(copy.deepcopy(experiment.method.cfg.model))
