"""A page on this machine alone that predicts a video, or what the webcam sees, and explains the prediction.

Everything that the browser loads comes from this machine: no fonts, scripts or statistics of others.
"""

import os
import tempfile
from html import escape
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.escaping import for_markdown
from mer_bench.evaluation.style import save
from mer_bench.inference.annotate import frame_of
from mer_bench.inference.clip import frame_number
from mer_bench.inference.explain import draw, explain
from mer_bench.inference.model import WARNING, TrainedModel
from mer_bench.results.methods import display_name

HOST = '127.0.0.1'
HELP = (
    'Drop a video or record one. It should show one face from the front, and the micro-expression alone: nothing is '
    'searched for. Frames count from 1; what you leave open is the first frame, the strongest motion, the last frame.'
)
OPEN = dict(onset='first', apex='found', offset='last')  # frames that a user leaves open


def serve(model: TrainedModel, port: int | None = None, wait: bool = True) -> tuple[object, str]:
    """Serve the page on this machine until Ctrl-C.

    Args:
        model: That predicts.
        port: None: the first that is free from 7860.
        wait: False returns at once, with the app, whose `close` ends it, and its address.

    Raises:
        InputError: gradio is missing, or the port is taken.
    """
    folder = tempfile.TemporaryDirectory(prefix='mer_bench_')  # of uploads, which go with it
    os.environ |= dict(GRADIO_ANALYTICS_ENABLED='False', HF_HUB_OFFLINE='1', HF_HUB_DISABLE_TELEMETRY='1')
    os.environ['GRADIO_TEMP_DIR'] = folder.name
    try:
        import gradio
    except ImportError:
        raise InputError("the app needs gradio: pip install 'mer_bench[app]'") from None
    fonts = dict(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
    try:
        _, address, _ = (app := make_app(model, folder)).launch(
            server_name=HOST,
            server_port=port,
            share=False,
            theme=gradio.themes.Default(**fonts),
            footer_links=[],
            ssr_mode=False,
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError:
        raise InputError(f'--port {port}: expected a free port, it is taken; give another') from None
    if wait:
        print(f'open {address} in a browser; Ctrl-C ends it', flush=True)
        app.block_thread()
    return app, address


def make_app(model: TrainedModel, folder: tempfile.TemporaryDirectory):
    """Return the page, a gradio.Blocks, whose pictures go into a folder that ends with it."""
    import gradio

    def predict(video, onset, apex, offset):
        if not video:
            raise gradio.Error('drop a video or record one first', print_exception=False)
        try:
            clip = model.clip(video, *map(frame_number, OPEN, (onset, apex, offset)))
            found = explain(model, clip)
        except InputError as error:
            text = escape(str(error).replace(str(video), 'the video'), quote=False)  # which is shown as HTML
            raise gradio.Error(text, print_exception=False) from None
        picture = Path(tempfile.mkdtemp(dir=folder.name), 'explanation.png')
        save(lambda: draw(found), picture)
        faces = [(frame_of(clip, number), f'frame {number}') for number in dict.fromkeys((clip.onset, clip.apex))]
        known = '' if model.temperature else ' The probabilities are not calibrated.'
        lines = [f'{found.sentence}.{known}', *clip.notes, *found.notes]
        return found.scores, '\n'.join(f'- {for_markdown(line)}' for line in lines), faces, str(picture)

    info = model.info
    data = f'{info["dataset"]}{", drawn faces" if info["synthetic"] else ""}'
    with gradio.Blocks(title='mer_bench', analytics_enabled=False) as app:
        app.folder = folder  # it lives as long as the page
        gradio.Markdown(
            f'# {for_markdown(display_name(info["method"]))}\n**{WARNING}**\n\nTrained on {info["n_clips"]} clips of '
            f'{info["n_subjects"]} people ({for_markdown(data)}). {HELP}'
        )
        with gradio.Row():
            with gradio.Column(scale=2):
                video = gradio.Video(label='video', sources=['upload', 'webcam'], include_audio=False)
                # taken as it is: gradio would call ffmpeg to remove the sound, and few machines have that
                video.preprocess = lambda payload: payload and payload.path
                with gradio.Row():
                    numbers = [
                        gradio.Textbox(label=name, placeholder=text, min_width=80) for name, text in OPEN.items()
                    ]
                button = gradio.Button('Predict', variant='primary')
            with gradio.Column(scale=3):
                label = gradio.Label(label='probabilities')
                notes = gradio.Markdown()
                look = dict(columns=2, height=360, object_fit='contain', buttons=['fullscreen'])
                faces = gradio.Gallery(label='face: onset and apex', **look)
        look = dict(show_label=False, type='filepath', buttons=['download', 'fullscreen'])  # none that shares it
        picture = gradio.Image(label='explanation', **look)
        outputs = [label, notes, faces, picture]
        button.click(predict, [video, *numbers], outputs, api_visibility='private')
    return app
