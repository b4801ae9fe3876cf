"""What mer_bench is to reach, each with the number of a kept result that tells it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One line of the table of goals.

    Args:
        measured: What is timed, in words.
        against: What it is compared with, in words.
        benchmark: Whose kept result tells it.
        device: `cpu` or `cuda`.
        path: Keys that lead to the number in the result: a number, {median, min, max}, or nothing where this machine
            or these settings do not tell it.
        bound: The goal.
        unit: `x` a ratio, `%` a share of 1, `s` seconds, else what is counted.
        at_most: Less is better.
        bf16: Only a machine with bf16 instructions can tell it.
        settings: What the settings of the kept result must be.
    """

    measured: str
    against: str
    benchmark: str
    device: str
    path: tuple[str, ...]
    bound: float
    unit: str = 'x'
    at_most: bool = False
    bf16: bool = False
    settings: tuple[tuple[str, object], ...] = ()

    def met(self, value: float) -> bool:
        """Say whether a median reaches the goal."""
        return value <= self.bound if self.at_most else value >= self.bound


WHOLE_CLIP = (('clip_len', 16), ('size', 112))
SMIC = (*WHOLE_CLIP, ('clips', 164), ('folds', 16), ('epochs', 50), ('override', []))
ALL_FOLDS = (('folds', 68),)
STEP = 'full model, forward + backward, 3x16x112x112'
GOALS = (
    Goal(
        'loading + augmentation, batch 16 of 3x16x112x112',
        "MMAction2's pipeline on the same cached flow",
        'loading',
        'cpu',
        ('ratios', 'resident'),
        5,
        settings=(*WHOLE_CLIP, ('batch', 16)),
    ),
    Goal(
        STEP, 'the same in fp32, contiguous', 'model', 'cpu', ('ratios', 'speedup'), 2, bf16=True, settings=WHOLE_CLIP
    ),
    Goal(
        STEP,
        'the bf16 matrix peak',
        'model',
        'cpu',
        ('shares', 'full_as_trained', 'share'),
        0.6,
        '%',
        bf16=True,
        settings=WHOLE_CLIP,
    ),
    Goal(
        'full model with multi-scale blocks',
        'plain ResNet3d-50, same settings',
        'model',
        'cpu',
        ('ratios', 'blocks'),
        1.35,
        at_most=True,
        settings=WHOLE_CLIP,
    ),
    Goal(
        'STSTNet, 68 folds, lean training on one thread',
        'a plain PyTorch loop on one thread',
        'loso',
        'cpu',
        ('ratios', 'sequential_over_1_thread'),
        1.3,
        settings=ALL_FOLDS,
    ),
    Goal(
        'STSTNet, 68 folds, lean training on all cores',
        'a plain PyTorch loop on all cores',
        'loso',
        'cpu',
        ('ratios', 'sequential_all_cores'),
        1.3,
        settings=ALL_FOLDS,
    ),
    Goal(
        'STSTNet, 68 folds, the compiled kernel on one thread',
        'a plain PyTorch loop on one thread',
        'loso',
        'cpu',
        ('ratios', 'compiled_over_1_thread'),
        8,
        settings=ALL_FOLDS,
    ),
    Goal(
        'STSTNet, 68 folds, the compiled kernel on all cores',
        'a plain PyTorch loop on all cores',
        'loso',
        'cpu',
        ('ratios', 'compiled_all_cores'),
        8,
        settings=ALL_FOLDS,
    ),
    Goal(
        'linear SVM, 68 folds',
        'scikit-learn in a loop',
        'linear',
        'cpu',
        ('ratios', 'linear_svm'),
        15,
        settings=ALL_FOLDS,
    ),
    Goal('ridge, 68 folds', 'scikit-learn in a loop', 'linear', 'cpu', ('ratios', 'ridge'), 50, settings=ALL_FOLDS),
    Goal(
        'local sweep of 32 folds with 2 workers',
        '1 worker with 2 threads',
        'sweep',
        'cpu',
        ('ratios', 'workers'),
        1.05,
        settings=(('folds', 32), ('workers', 2)),
    ),
    Goal(
        'the same when a worker is killed',
        'an undisturbed run',
        'sweep',
        'cpu',
        ('killed_worker', 'folds_lost'),
        0,
        'folds lost',
        at_most=True,
        settings=(('folds', 32), ('workers', 2)),
    ),
    Goal(
        STEP,
        'the bf16 matrix peak of the GPU',
        'model',
        'cuda',
        ('shares', 'full_as_trained', 'share'),
        0.3,
        '%',
        settings=WHOLE_CLIP,
    ),
    Goal(
        'STSTNet, 68 folds stacked, on a GPU',
        'the same folds one after another',
        'loso',
        'cuda',
        ('ratios', 'stacked_over_sequential'),
        10,
        settings=ALL_FOLDS,
    ),
    Goal(
        'full model, 164 clips, 16 folds, 50 epochs',
        'three minutes on one H100',
        'full-loso',
        'cuda',
        ('least_seconds',),
        180,
        's',
        at_most=True,
        settings=SMIC,
    ),
)
