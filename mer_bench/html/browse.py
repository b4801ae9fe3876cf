"""A page that shows every clip of a prepared data set, the unusual ones first: pictures, flow, strain and labels."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mer_bench.datasets.frame_names import frames_of
from mer_bench.datasets.reader import frame_numbers
from mer_bench.datasets.table import load_annotations
from mer_bench.errors import InputError
from mer_bench.html import write_page
from mer_bench.loading.input_spec import frame_indices
from mer_bench.preparation.faces.clip_faces import found_face, read_rows
from mer_bench.preparation.faces.detection import Face, align
from mer_bench.preparation.frames import read_frame
from mer_bench.preparation.store.flow_store import FlowStore

TILE = 112  # pixels of a picture on the page
SHARE = 0.02  # of the clips are called unusual by each measure, at least one
EDGE = 0.1  # of the clip's length: an apex nearer to its beginning or end is at the edge
BRIGHT = 99  # percentile of motion that gets the full colour
MARKS = {
    'head moves': f'the {SHARE:.0%} of the clips with the largest median of the flow: motion of the whole picture',
    'hardly moves': f'the {SHARE:.0%} with the least motion beside that median',
    'apex at the edge': f'the apex is in the first or last {EDGE:.0%} of the clip, or outside it',
    'face unlike the others': f'the {SHARE:.0%} whose face differs most in size and tilt from the median face',
    'several faces': 'the picture shows more than one face; the largest is taken',
    'face not on the onset': 'the face was found on a later frame only',
    'no face': 'faces.csv has none for this clip',
}


def browse(data: str | Path, out: str | Path, frames: str | Path | None = None, limit: int = 500) -> tuple[int, int]:
    """Write one html file with a row for each clip.

    Args:
        data: a prepared folder: annotations.csv, store/ and, where faces were aligned, faces.csv.
        out: the html file.
        frames: the folder that `frames_dir` of annotations.csv is relative to, for pictures of onset and apex; None
            for none.
        limit: clips on the page, the most unusual ones.

    Returns:
        How many clips the page shows, and how many there are.

    Raises:
        InputError: The data are not prepared or damaged, the store has no u and v, or `out` cannot be written.
    """
    data = Path(data)
    table, store = load_annotations(data), FlowStore(data / 'store')
    if not {'u', 'v'} <= {*store.info['channels']}:
        raise InputError(
            f'{data}/store: expected the channels u and v, found {store.info["channels"]}; prepare u and v'
        )
    if unknown := {*table['sample_id']} ^ {*store.index}:
        raise InputError(f'{data}: annotations.csv and store/ differ, as in {min(unknown)}; prepare the data again')
    if frames is not None and not Path(frames).is_dir():
        raise InputError(f'--frames {frames}: no such folder; prepare printed it after "frames:"')
    store.check_clips()
    faces = read_rows(data / 'faces.csv')
    clips = measured(table, store, faces)
    shown = clips.head(limit)
    coloured, wheel, scale = colour_flow([apex_flow(store, row) for row in shown['row']])
    strains = strain_pictures([apex_map(store, row, 'strain') for row in shown['row']])
    rows = [
        dict(clip) | pictures(clip, faces.get(clip['sample_id']), frames) | dict(flow=inline(flow), strain=strain)
        for (_, clip), flow, strain in zip(shown.iterrows(), coloured, strains, strict=True)
    ]
    has_pictures = any(row['onset_picture'] or row['apex_picture'] for row in rows)
    if frames is not None and not has_pictures:
        wanted = shown['frames_dir'].iloc[0]
        raise InputError(
            f'--frames {frames}: expected the folders of annotations.csv below it, such as {wanted}, found no frame; '
            'give the folder that prepare printed after "frames:", or leave the option out'
        )
    write_page(
        out,
        'browse.html.j2',
        plotly=False,
        title=f'Clips of {store.info["dataset"]}',
        dataset=store.info['dataset'],
        synthetic=bool(table['synthetic'].all()),
        rows=rows,
        total=len(clips),
        marks=MARKS,
        subjects=sorted({*shown['subject']}),
        emotions=sorted({*shown['emotion']}),
        has_faces=bool(faces),
        has_apex=bool(shown['place'].notna().any()),
        has_pictures=has_pictures,
        wheel=inline(wheel),
        scale=scale,
        info=store.info,
    )
    return len(rows), len(clips)


def measured(table: pd.DataFrame, store: FlowStore, faces: Mapping[str, dict]) -> pd.DataFrame:
    """Return the clips with what is unusual about them, most of that first.

    The columns are those of the annotation table and: row of the store; apex_used; head and motion (of the flow, in
    its units); place of the apex (0 the onset, 1 the offset, NaN unknown); tilt (degrees) and size (pixels of the
    picture in one of the crop) of the face; marks, names in MARKS; remark of the preparation.
    """
    index = pd.read_csv(store.path / 'index.csv', dtype=str, keep_default_na=False).set_index('sample_id')
    index = index.reindex(columns=['apex', 'remark'], fill_value='').loc[table['sample_id']].set_axis(table.index)
    clips = table.assign(row=table['sample_id'].map(store.index), remark=index['remark'])
    clips['apex_used'] = frame_numbers(index['apex'])
    clips[['head', 'motion']] = [head_and_motion(apex_flow(store, row)) for row in clips['row']]
    length = (clips['offset'] - clips['onset']).astype(float)
    clips['place'] = (clips['apex_used'] - clips['onset']).astype(float) / length.where(length > 0)
    found = [found_face(faces[name]) if name in faces else None for name in clips['sample_id']]
    sizes = [tilt_and_size(each.face) if each and each.face else (np.nan, np.nan) for each in found]
    clips[['tilt', 'size']] = np.array(sizes, float).reshape(-1, 2)
    turned, grown = np.radians(clips['tilt'] - clips['tilt'].median()), np.log(clips['size'] / clips['size'].median())
    marked = {
        'head moves': extreme(clips['head']),
        'hardly moves': extreme(-clips['motion']),
        'apex at the edge': (clips['place'] < EDGE) | (clips['place'] > 1 - EDGE),
        'face unlike the others': extreme(turned.abs() + grown.abs()),
        'several faces': [bool(each and each.face and each.face.n_faces > 1) for each in found],
        'face not on the onset': [
            bool(each and each.face) and each.frame != onset for each, onset in zip(found, clips['onset'], strict=True)
        ],
        'no face': [bool(faces) and not (each and each.face) for each in found],
    }
    hits = pd.DataFrame({name: np.asarray(values, bool) for name, values in marked.items()}, index=clips.index)
    clips['marks'] = [[name for name in hits if hits.at[i, name]] for i in clips.index]
    clips['unusual'] = hits.sum(axis=1)
    return clips.sort_values(['unusual', 'head', 'sample_id'], ascending=[False, False, True])


def extreme(values: pd.Series) -> pd.Series:
    """Return which values are the largest, SHARE of those that are known and at least one; none where all are equal."""
    count = max(1, round(SHARE * values.count()))
    return (values >= values.nlargest(count).min()) & (values > values.min())


def tilt_and_size(face: Face) -> tuple[float, float]:
    """Return how far a face is turned, in degrees, and how many pixels of the picture make one of the crop."""
    return float(np.degrees(np.arctan2(face.b, face.a))), float(1 / np.hypot(face.a, face.b))


def head_and_motion(flow: np.ndarray) -> tuple[float, float]:
    """Return the length of the median of a flow (2, H, W), and the 95th percentile of what moves beside it."""
    median = np.median(flow, axis=(1, 2), keepdims=True)
    return float(np.hypot(*median.ravel())), float(np.percentile(np.hypot(*(flow - median)), 95))


def apex_map(store: FlowStore, row: int, channel: str) -> np.ndarray | None:
    """Return a channel of a clip from the onset to the apex, (H, W) float32; None if the store lacks it."""
    if channel not in store.info['channels']:
        return None
    steps = store.clips[row, store.info['channels'].index(channel)]
    (apex,) = frame_indices(len(steps), 'apex')
    first = 0 if store.info.get('reference') == 'previous' else apex
    motion = steps[first : apex + 1].astype(np.float32).sum(axis=0)
    if not np.isfinite(motion).all():
        raise InputError(f'{store.path}/flow.npy: expected finite numbers, found others; prepare the data again')
    return motion


def apex_flow(store: FlowStore, row: int) -> np.ndarray:
    """Return u and v of a clip from the onset to the apex, (2, H, W) float32."""
    return np.stack([apex_map(store, row, channel) for channel in ('u', 'v')])


def colour_flow(flows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
    """Colour flows, each (2, H, W), on one scale, by torchvision's wheel (Baker et al., ICCV 2007).

    Returns:
        The pictures (N, H, W, 3) uint8, red first; the wheel; and the length of a motion with the full colour.
    """
    import torch  # takes seconds
    from torchvision.utils import flow_to_image

    flow = np.stack(flows)
    length = np.hypot(flow[:, 0], flow[:, 1])[:, None]
    scale = float(np.percentile(length, BRIGHT))
    flow = flow * np.where(length > scale, scale / np.maximum(length, 1e-12), 1)  # flow_to_image divides by the longest
    disc = np.stack(np.meshgrid(*[np.linspace(-1, 1, TILE)] * 2))
    inside = np.hypot(*disc) <= 1
    images = [
        flow_to_image(torch.from_numpy(each.astype(np.float32))).permute(0, 2, 3, 1).numpy()
        for each in (flow, (disc * inside)[None])
    ]
    return images[0], images[1][0], scale


def strain_pictures(maps: list[np.ndarray | None]) -> Iterator[str]:
    """Yield the strain of each clip as a data URI, on one scale; '' where the store has none."""
    known = [each for each in maps if each is not None]
    top = float(np.percentile(known, BRIGHT)) if known else 1
    for each in maps:
        if each is None:
            yield ''
            continue
        level = (np.clip(each / (top or 1), 0, 1) * 255).astype(np.uint8)
        yield inline(cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB))


def pictures(clip: pd.Series, face: dict | None, frames: str | Path | None) -> dict[str, str]:
    """Return the onset and the apex of a clip as data URIs, aligned where its face is known; '' where they are lost."""
    texts = dict(onset_picture='', apex_picture='')
    if frames is None:
        return texts
    folder = (Path(frames) / clip['frames_dir']).resolve()
    if not folder.is_relative_to(Path(frames).resolve()) or not folder.is_dir():
        return texts
    where = found_face(face).face if face else None
    try:
        paths = frames_of(folder, None).paths
        for name, number in (('onset_picture', clip['onset']), ('apex_picture', clip['apex_used'])):
            if not pd.isna(number) and int(number) in paths:
                picture = read_frame(paths[int(number)])
                texts[name] = inline(shrunk(align(picture, where, TILE * 2) if where else picture))
    except InputError:  # a damaged picture is the business of `prepare check`
        pass
    return texts


def shrunk(picture: np.ndarray) -> np.ndarray:
    """Return a picture of which the longer side has TILE pixels."""
    height, width = picture.shape
    share = TILE / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def inline(picture: np.ndarray) -> str:
    """Return a picture, (H, W) or (H, W, 3) red first, as a data URI: small ones without loss."""
    kind, quality = ('png', []) if max(picture.shape) <= TILE // 2 else ('webp', [cv2.IMWRITE_WEBP_QUALITY, 75])
    picture = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    content = cv2.imencode(f'.{kind}', picture, quality)[1]
    return f'data:image/{kind};base64,{base64.b64encode(content.tobytes()).decode()}'
