"""What a user, and a reader of a table, should know about the clips of a run."""

from collections.abc import Mapping, Sequence

from mer_bench.loading.prepared_data import PreparedData
from mer_bench.loading.store_info import difference_note
from mer_bench.models import MultiScaleResNet3d
from mer_bench.protocols.label_schemes import LabelScheme
from mer_bench.protocols.official_counts import absence_note, official_note


def notes_on_data(data: PreparedData, scheme: LabelScheme) -> list[str]:
    """Return one sentence each on data sets that were prepared unlike, and on clips that are not the official ones."""
    notes = [difference_note(data.info)]
    if not data.info['synthetic']:
        notes += [official_note(data.annotations, scheme), absence_note(data.annotations, scheme)]
    return [note for note in notes if note]


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
