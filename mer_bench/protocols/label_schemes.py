"""From the emotion of a clip to its class number."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mer_bench.errors import InputError


def encode_labels(annotations: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the position of each clip's emotion in `classes`, (N,) int."""
    labels = pd.Categorical(annotations['emotion'], categories=list(classes)).codes.astype(int)
    if (labels < 0).any():
        clip = annotations.iloc[int(np.flatnonzero(labels < 0)[0])]
        raise InputError(
            f'{clip.sample_id}: the emotion {clip.emotion!r} is not one of the classes {", ".join(classes)}; '
            'correct annotations.csv or the classes of the config'
        )
    return labels
