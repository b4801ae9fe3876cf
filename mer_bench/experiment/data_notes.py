"""What a user, and a reader of a table, should know about the clips of a run."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mer_bench.loading.clip_table import difference_note
from mer_bench.loading.prepared_data import PreparedData
from mer_bench.models import MultiScaleResNet3d
from mer_bench.protocols.action_units import encode_action_units
from mer_bench.protocols.folds import Fold
from mer_bench.protocols.label_schemes import LabelScheme
from mer_bench.protocols.official_counts import absence_note, official_note


def notes_on_data(
    data: PreparedData, scheme: LabelScheme, folds: Sequence[Fold] = (), units: Sequence[int] | None = None
) -> list[str]:
    """Return one sentence each on what a reader of the scores should know of the clips.

    That data sets were prepared unlike, that clips are not the official ones, and which folds cannot learn a class, or
    one of the action units that are learnt.
    """
    notes = [difference_note(data.info), note_on_classes(data.annotations, folds, units or ())]
    if not data.info['synthetic']:
        notes += [official_note(data.annotations, scheme), absence_note(data.annotations, scheme)]
    return [note for note in notes if note]


def note_on_classes(clips: pd.DataFrame, folds: Sequence[Fold], units: Sequence[int] = ()) -> str | None:
    """Say in one sentence which folds have no clip to learn of a class or action unit; None where all have.

    That is so of a class that lives in one subject: the fold that holds the subject out has all of its clips to test.

    Args:
        clips: One row per clip: subject, label, action_units.
        folds: Of the protocol.
        units: Action units that are learnt.
    """
    shown = pd.get_dummies(clips['label'], dtype=bool)
    shown[[f'action unit {unit}' for unit in units]] = encode_action_units(clips, units) == 1
    by_subject = shown.groupby(clips['subject']).any()
    lacking: dict[str, list[str]] = {}
    for fold in folds:
        learnt = by_subject.loc[[*fold.train_subjects]].any()
        for name in learnt.index[by_subject.any() & ~learnt]:
            lacking.setdefault(name, []).append(fold.name)
    if not lacking:
        return None
    told = '; '.join(f'of {name} in fold {", ".join(names)}' for name, names in lacking.items())
    return f'note: no clip to learn {told}: what shows it is held out there, and cannot be recognised'


def note_on_taps(backbone: MultiScaleResNet3d, sizes: Mapping[str, Sequence[int]]) -> str | None:
    """Return a sentence on the kernels of multi-scale blocks that are too large for the clips; None where all fit.

    Args:
        backbone: Whose blocks these are.
        sizes: (T, H, W) of the maps that each block sees, by the name of the stage before it.
    """
    beyond = {name: backbone.multiscale[name].kernels_beyond(size) for name, size in sizes.items()}
    if not any(beyond.values()):
        return None
    told = '; '.join(
        f'{", ".join(map(by, dict.fromkeys(kernels)))} on {by(sizes[name])} after stage {name.removeprefix("layer")}'
        for name, kernels in beyond.items()
        if kernels
    )
    return (
        'note: the clips are too small for some kernels of the multi-scale blocks, whose outer taps see only padding '
        f'(time x height x width): {told}; model.backbone.max_kernel_t limits the kernels in time'
    )


def by(size: Sequence[int]) -> str:
    """(2, 7, 7) -> 2x7x7."""
    return 'x'.join(map(str, size))
