"""README.md of a model: a model card with the front matter that the Hugging Face Hub reads.

https://huggingface.co/docs/hub/model-cards. All scores are those of the record that the model belongs to.
"""

from huggingface_hub import EvalResult, ModelCardData
from tabulate import tabulate

from mer_bench.errors import listed
from mer_bench.escaping import for_markdown
from mer_bench.inference.model import MODEL, WARNING, WEIGHTS
from mer_bench.results.methods import display_name

METRICS = {'uf1': 'UF1', 'uar': 'UAR', 'accuracy': 'accuracy'}
TASK = dict(task_type='video-classification', task_name='micro-expression recognition')

DRAWN = 'The weights were learnt from drawn faces, so no agreement on recordings of people binds them.'
AGREEMENT = (
    'The weights were learnt from recordings of people, which their owners give out for research under an agreement. '
    'Whether weights may be passed on, and how they may be used, is for that agreement to say: ask the owners of the '
    'data before you publish this folder.'
)


def model_card(info: dict) -> str:
    """Return the card of a model.

    Args:
        info: The content of model.json.
    """
    parts = [
        f'---\n{front_matter(info)}\n---',
        f'# {for_markdown(display_name(info["method"]))}, micro-expressions of {for_markdown(info["dataset"])}',
        what_it_is(info),
        f'## What it must not be used for\n\n{WARNING} It was not tested on people, cameras or light that differ from '
        'those of its data.',
        f'## Use\n\n```sh\nmer-bench predict FOLDER clip.mp4 --onset 12 --apex 20 --offset 31\n```\n\n```python\n'
        "import mer_bench\n\nmodel = mer_bench.load_model('FOLDER')\nprint(model.predict('clip.mp4')[0])\n```\n\n"
        f'`{WEIGHTS}` and `{MODEL}` hold no code, and nothing in them is run.',
        f'## Scores\n\n{scores(info)}',
        f'## Limits\n\n{limits(info)}',
        f'## Data and training\n\n{training(info)}',
        f'## Licence\n\n{DRAWN if info["synthetic"] else AGREEMENT}',
    ]
    return '\n\n'.join(parts) + '\n'


def front_matter(info: dict) -> str:
    """Return the metadata for the Hub, YAML."""
    tags = ['micro-expression-recognition', 'optical-flow', 'mer_bench', *(['synthetic-data'] * info['synthetic'])]
    return ModelCardData(
        license='other',
        license_name='see-the-agreement-of-the-data',
        license_link='README.md#licence',
        library_name='mer_bench',
        pipeline_tag='video-classification',
        tags=tags,
        model_name=info['method'],
        eval_results=results(info) or None,
    ).to_yaml()


def results(info: dict) -> list[EvalResult]:
    """Return the scores of the record, each with its interval."""
    if not (record := info['record']):
        return []
    found = []
    for key, name in METRICS.items():
        low, high = interval(record, key) or (None, None)
        args = {} if low is None else dict(metric_args={'interval_95': [round(low, 4), round(high, 4)]})
        found.append(
            EvalResult(
                **TASK,
                dataset_type=info['dataset'],
                dataset_name=f'{info["dataset"]}{", synthetic data" * info["synthetic"]}',
                dataset_config=record['protocol'],
                metric_type=key,
                metric_name=f'{name}, {record["protocol"]}',
                metric_value=round(record['scores']['full'][key], 4),
                **args,
            )
        )
    return found


def interval(record: dict, metric: str) -> list[float] | None:
    """Return the interval of a score of all clips; None where there is none."""
    return (record['scores']['full'].get('intervals') or {}).get(metric)


def what_it_is(info: dict) -> str:
    """Return what the model does, and a warning where its data were drawn."""
    text = (
        f'A network that sorts a short video of a face into {listed(info["classes"])} by the optical flow from the '
        f'onset of a micro-expression. It was trained with mer_bench on all '
        f'{info["n_clips"]} clips of {info["n_subjects"]} subjects, for research on micro-expressions.'
    )
    drawn = '\n\n**It was trained on drawn faces: it knows nothing of real ones.**'
    return text + drawn * info['synthetic']


def scores(info: dict) -> str:
    """Return the table of scores, of the record alone, and what they mean."""
    record = info['record']
    if not record:
        return (
            'None. It was trained on all clips, so none is left to score it with, and no record of the same method by '
            '`mer-bench train` was given.'
        )
    rows = []
    for key, name in METRICS.items():
        bounds = interval(record, key)
        shown = f'{bounds[0]:.3f} to {bounds[1]:.3f}' if bounds else 'unknown'
        rows.append([name, f'{record["scores"]["full"][key]:.3f}', shown])
    table = tabulate(rows, ['', 'score', '95 % interval over subjects'], tablefmt='github', disable_numparse=True)
    return (
        f'This network itself has no score: no clip is left that it did not see. The same method '
        f'({for_markdown(record["method"])}, {for_markdown(record["protocol"])}, seed {record["seed"]}) was scored on '
        f'{record["n_clips"]} clips of {record["n_subjects"]} subjects, each by networks that had not seen the '
        f'subject:\n\n{table}\n\nThe record has the SHA-256 `{record["digest"]}`.'
    )


def limits(info: dict) -> str:
    """Return what limits the use of the model, as a list."""
    prepare, calibration = info['prepare'], info['calibration']
    lines = [
        'Every clip gets one of the classes, also one without a micro-expression: it does not find them in a video.',
        'Onset and offset are those given, or the ends of the clip. An apex that is not given is guessed.',
        f'Flow is computed as in the training ({prepare["flow"]}, {prepare["clip_len"]} frames, '
        f'{" x ".join(map(str, prepare["size"]))} pixels), so frame rate and size of the face should be alike too.',
    ]
    if prepare['flow'] == 'published_pictures':
        lines[2] = 'It was trained on published pictures of flow: it cannot predict videos.'
    if calibration:
        lines.append(
            f'Before the softmax, scores are divided by a temperature, {calibration["value"]:.3g}: the median of those '
            f'that {calibration["folds"]} folds of the record fitted to their training subjects.'
        )
    else:
        lines.append('The probabilities are not calibrated: 0.9 need not mean right in 9 of 10 cases.')
    return '\n'.join(f'- {for_markdown(line)}' for line in lines)


def training(info: dict) -> str:
    """Return what the model was trained on and how, as a table."""
    counts = ', '.join(f'{name} {number}' for name, number in info['clips_per_class'].items())
    chosen = ', the median of those that the folds of the record chose' if info['epochs_chosen'] else ''
    rows = [
        ['data', f'{info["dataset"]}, label scheme {info["label_scheme"]["name"]}'],
        ['clips', counts],
        ['config', f'{info["config"]["name"]}, in {MODEL} in full'],
        ['epochs', f'{info["epochs"]}{chosen}'],
        ['seed', str(info['seed'])],
        ['parameters', f'{info["parameters"]:,}'],
        ['start', info['pretrained']['name'] if info['pretrained'] else 'random weights'],
        ['trained on', f'{info["device"]}, {info["date"]}, mer_bench {info["versions"].get("mer_bench")}'],
    ]
    return tabulate([[for_markdown(cell) for cell in row] for row in rows], ['', ''], tablefmt='github')
