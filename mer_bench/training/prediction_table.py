"""Writes predictions.csv: the answers of a network for every test clip."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from mer_bench.errors import InputError
from mer_bench.evaluation.action_units import PREFIX
from mer_bench.training.fold import write_predictions


@METRICS.register_module()
class PredictionTable(BaseMetric):
    """Writes one row for each clip: the main decision, its scores, those of each output, and those of action units.

    Args:
        out_file: The csv file.
        fold: Name of the fold.
        seed: Seed of the training.
    """

    def __init__(self, out_file: str, fold: str, seed: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out_file = out_file
        self.fold = fold
        self.seed = seed

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Turn each data sample into a row."""
        classes = self.dataset_meta['classes']
        self.results += [self._row(sample, classes) for sample in data_samples]

    def _row(self, sample: dict, classes: Sequence[str]) -> dict:
        row = dict(
            sample_id=sample['sample_id'],
            dataset=sample['sample_id'].split('/')[0],
            subject=sample['subject'],
            fold=self.fold,
            seed=self.seed,
            y_true=classes[int(sample['gt_label'])],
            y_pred=classes[int(sample['pred_label'])],
        )
        blocks = {
            '': sample['pred_score'],
            **{f'{k}_': v for k, v in sample.get('output_scores', {}).items()},
        }
        for block, scores in blocks.items():
            row.update({f'{block}score_{name}': score for name, score in zip(classes, scores.tolist(), strict=True)})
        if 'action_unit_scores' in sample:
            units = self.dataset_meta['action_units']
            scores = sample['action_unit_scores'].tolist()
            row['action_units'] = sample['action_units']
            row.update({f'{PREFIX}{unit}': score for unit, score in zip(units, scores, strict=True)})
        return row

    def compute_metrics(self, results: list[dict]) -> dict:
        """Write the table; scores are computed later, from the pooled tables of all folds."""
        table = pd.DataFrame(results)
        if not np.isfinite(table.filter(like='score_')).all(axis=None):
            raise InputError(
                f'the training of fold {self.fold} diverged: its scores are not numbers; '
                'lower optim_wrapper.optimizer.lr and give another --work-dir'
            )
        write_predictions(table, self.out_file)
        return dict(clips=len(results))
