"""What decides the content of a store of flow: the settings, the frames, the faces."""

import pandas as pd

from mer_bench.datasets.pictures import digest_picture, is_deep
from mer_bench.preparation.clip_frames import ClipSource
from mer_bench.preparation.faces.detection import face_parameters
from mer_bench.preparation.faces.settings import FaceSettings
from mer_bench.preparation.frames import DAMAGED_REMEDY, LEVELS, SAMPLING, SPOTTING_REGIONS
from mer_bench.preparation.optical_flow import flow_parameters
from mer_bench.preparation.settings import FlowSettings
from mer_bench.preparation.store.fill import track


def store_parameters(
    table: pd.DataFrame, sources: list[ClipSource], settings: FlowSettings, faces: FaceSettings
) -> dict:
    """Return everything that decides the content of the store."""
    apex = apex_rule(table, settings)
    parameters = {
        'dataset': ', '.join(table['dataset'].unique()),
        'flow': settings.flow,
        'flow_parameters': flow_parameters(settings),
        'reference': settings.reference,
        'channels': list(settings.channels),
        'clip_len': settings.clip_len,
        'size': [settings.size, settings.size],
        'apex': apex,
        'faces': face_parameters(faces),
        'sampling': SAMPLING,
        'files': [
            [[number, digest_picture(path, DAMAGED_REMEDY)] for number, path in source.paths.items()]
            for source in track(sources, 'reading frames')
        ],
        'transforms': [source.face and source.face.row() for source in sources],
    }
    if any(is_deep(source.paths[source.onset]) for source in sources):
        parameters['levels'] = LEVELS
    if 'spotted' in apex:
        parameters['spotting_regions'] = {name: list(edges) for name, edges in SPOTTING_REGIONS.items()}
    return parameters


def apex_rule(table: pd.DataFrame, settings: FlowSettings) -> dict[str, int]:
    """Return {where the apex comes from: number of clips}: annotated, middle or spotted."""
    if settings.apex != 'annotated':
        return {settings.apex: len(table)}
    known = int(table['apex'].notna().sum())
    counts = {'annotated': known, settings.missing_apex: len(table) - known}
    return {source: number for source, number in counts.items() if number}
