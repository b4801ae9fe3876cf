"""A video that shows predictions: the frames, the flow as colour, and the probabilities of the classes."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mer_bench.errors import InputError
from mer_bench.files import refuse_special
from mer_bench.html.browse import colour_flow
from mer_bench.inference.clip import ClipInput
from mer_bench.inference.model import Prediction
from mer_bench.preparation.pictures import read_picture

CODECS = {'.mp4': 'mp4v', '.avi': 'MJPG'}  # that the wheels of OpenCV write
SIDE, TITLE, FOOT, GAP, WHEEL = 360, 44, 64, 12, 64  # pixels
SIZE = 3 * SIDE + 4 * GAP, TITLE + SIDE + FOOT
SECONDS, RATE = 4.0, 25  # a micro-expression is over in a moment, so a clip is slowed down to four seconds
INK, PAPER, BAR, CHOSEN, FAINT = '#1b1b1b', '#ffffff', '#b9c7d4', '#0b5394', '#6b6b6b'
WARNING = 'No lie detector: a micro-expression says nothing about truth, guilt or intent.'


def check_video(path: Path) -> None:
    """Refuse a video that could not be written, before the work starts."""
    refuse_special(path, 'give another name')
    if path.suffix.lower() not in CODECS:
        raise InputError(f'--video {path}: expected a name that ends in {", ".join(CODECS)}; rename it')
    if not path.absolute().parent.is_dir():
        raise InputError(f'--video {path}: its folder does not exist; make it, or give another place')


def write_video(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write the clips of predictions one after another; the file appears when it is complete."""
    ending = path.suffix.lower()
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix='.mer_bench_') as folder:
        temporary = Path(folder, f'video{ending}')
        video = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*CODECS[ending]), RATE, SIZE)
        if not video.isOpened():
            raise InputError(f'--video {path}: this OpenCV writes no {ending}; give another of {", ".join(CODECS)}')
        for prediction in predictions:
            for picture in pages(prediction):
                video.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        video.release()
        os.replace(temporary, path)


def pages(prediction: Prediction) -> Iterator[np.ndarray]:
    """Yield the pictures of the video of a clip, (H, W, 3) uint8 RGB; each of its frames is shown several times."""
    clip, chart = prediction.clip, bars(prediction)
    numbers = clip.source.numbers
    repeats = max(1, round(SECONDS * RATE / len(numbers)))
    times = repeats * clip.fps / RATE if clip.fps else 0
    speed = f'   slowed down {times:.0f} times' if times > 1.5 else ''
    colours = flow_colours(clip)
    for number in numbers:
        place = max((i for i, taken in enumerate(clip.taken) if taken <= number), default=None)
        page = Image.new('RGB', SIZE, PAPER)
        parts = frame_of(clip, number), blank() if place is None else colours[place], chart
        for column, part in enumerate(parts):
            page.paste(Image.fromarray(part), (GAP + column * (SIDE + GAP), TITLE))
        left = 2 * GAP + SIDE
        ImageDraw.Draw(page).rectangle((left - 1, TITLE - 1, left + SIDE, TITLE + SIDE), outline=BAR)
        moments = [f', {name}' for name in ('onset', 'apex', 'offset') if getattr(prediction, name) == number]
        motion = 'no motion yet' if place is None else f'motion to frame {clip.taken[place]}'
        write(page, (GAP, 12), f'{fitting(prediction.path.name)}   frame {number}{"".join(moments)}')
        write(page, (left, 12), motion, FAINT)
        write(page, (3 * GAP + 2 * SIDE, 12), f'probabilities{", not" * (not prediction.calibrated)} calibrated', FAINT)
        write(page, (GAP, TITLE + SIDE + 8), f'flow: colour is direction, depth of colour is distance{speed}', FAINT)
        write(page, (GAP, TITLE + SIDE + 34), WARNING)
        yield from [np.asarray(page)] * repeats


def write(page: Image.Image, place: tuple[int, int], text: str, colour: str = INK) -> None:
    """Write a line of text into a picture; the font has Latin letters."""
    ImageDraw.Draw(page).text(place, text, colour, ImageFont.load_default(16))


def fitting(name: str) -> str:
    """Shorten a name to what fits above the frame."""
    return name if len(name) <= 20 else f'{name[:10]}...{name[-7:]}'


def blank() -> np.ndarray:
    """Return a white panel, (SIDE, SIDE, 3) uint8."""
    return np.full((SIDE, SIDE, 3), 255, np.uint8)


def frame_of(clip: ClipInput, number: int) -> np.ndarray:
    """Return a frame as it was recorded, in a panel, with a box around the face that was found."""
    read_picture(clip.source.paths[number])  # which says what is wrong with a damaged one
    frame = cv2.imread(str(clip.source.paths[number]), cv2.IMREAD_COLOR)[..., ::-1].copy()
    if face := clip.faces:
        width = max(1, round(max(frame.shape[:2]) / 180))
        cv2.rectangle(frame, (face.left, face.top), (face.right, face.bottom), (11, 83, 148), width)
    scale = SIDE / max(frame.shape[:2])
    shape = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    frame = cv2.resize(frame, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    panel, (top, left) = blank(), ((SIDE - side) // 2 for side in frame.shape[:2])
    panel[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return panel


def flow_colours(clip: ClipInput) -> list[np.ndarray]:
    """Return the flow of each sampled frame as colour, (SIDE, SIDE, 3) uint8, with a wheel that shows the directions.

    White is no motion, full colour the motion that one pixel in a hundred exceeds. Without u and v the last channel is
    shown in grey.
    """
    maps = dict(zip(clip.channels, clip.flow.astype(np.float32), strict=True))
    if not {'u', 'v'} <= maps.keys():
        values = np.abs(maps[clip.channels[-1]])
        greys = 255 - 255 * np.minimum(values / (np.percentile(values, 99) or 1), 1)
        return [np.repeat(cv2.resize(grey, (SIDE, SIDE))[..., None], 3, 2).astype(np.uint8) for grey in greys]
    coloured, wheel, _ = colour_flow([*np.stack([maps['u'], maps['v']], axis=1)])
    rows, columns = np.mgrid[-1 : 1 : WHEEL * 1j, -1 : 1 : WHEEL * 1j]
    wheel, inside = cv2.resize(wheel, (WHEEL, WHEEL)), np.hypot(columns, rows) <= 1
    panels = [cv2.resize(panel, (SIDE, SIDE)) for panel in coloured]
    for panel in panels:
        panel[-WHEEL:, -WHEEL:][inside] = wheel[inside]
    return panels


def bars(prediction: Prediction) -> np.ndarray:
    """Return the probabilities of the classes as bars, (SIDE, SIDE, 3) uint8, the likeliest first."""
    page = Image.fromarray(blank())
    shown = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])[:7]
    step = SIDE // max(len(shown), 4)
    for place, (name, share) in enumerate(shown):
        top = place * step + 4
        write(page, (0, top), f'{name if len(name) < 28 else name[:25] + "..."}  {share:.0%}')
        draw, bottom = ImageDraw.Draw(page), top + min(44, step - 6)
        draw.rectangle((0, top + 24, SIDE - 1, bottom), outline=BAR)
        filled = max(1, round((SIDE - 1) * share))
        draw.rectangle((0, top + 24, filled, bottom), fill=CHOSEN if name == prediction.label else BAR)
    return np.asarray(page)
