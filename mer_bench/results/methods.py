"""Short names and kinds of methods, for every table, figure and page; methods.csv beside this file lists the methods.

The name of a method in a record is exact and long: `ststnet+two_folds` is a file of configs/baselines and an override.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

OTHER = 'other'  # a method of a user
KINDS = ('sanity', 'shallow', 'small network', 'video network', 'ours', 'ablation', OTHER)
OURS, ABLATION, NETWORK = 'ours', 'ablation', 'video network'

# Words for overrides. Files of ablations/ that change the full model:
ABLATIONS = {
    'apex_middle': 'middle apex',
    'apex_only': 'apex alone',
    'apex_spotted': 'spotted apex',
    'attention_cbam': 'CBAM attention',
    'attention_iaff': 'iAFF attention',
    'attention_se': 'SE attention',
    'attention_sk': 'SK attention',
    'blocks_all_stages': 'blocks in all stages',
    'blocks_stage1': 'block in stage 1',
    'blocks_stage2': 'block in stage 2',
    'blocks_stage3': 'block in stage 3',
    'blocks_stages_1_2': 'blocks in stages 1 and 2',
    'blocks_stages_2_3': 'blocks in stages 2 and 3',
    'channels_magnitude': 'magnitude alone',
    'channels_strain': 'strain alone',
    'channels_uv': 'no strain',
    'decision_last': 'last output decides',
    'decision_max_confidence': 'surest output decides',
    'decision_vote': 'outputs vote',
    'flow_dis': 'DIS flow',
    'flow_farneback': 'Farneback flow',
    'frames_4': '4 frames',
    'frames_8': '8 frames',
    'image_input': 'picture in place of flow',
    'kernels_1': 'kernel 1',
    'kernels_3': 'kernel 3',
    'kernels_5': 'kernel 5',
    'kernels_1_3': 'kernels 1 and 3',
    'kernels_1_3_5_7': 'kernels 1, 3, 5 and 7',
    'kernels_3_matched': 'three kernels 3',
    'no_attention': 'no attention',
    'no_multiscale': 'no multi-scale',
    'single_head': 'single head',
    'trunk_i3d': 'I3D trunk',
    'trunk_i3d_dense': 'dense I3D trunk',
    'two_outputs': 'two outputs',
}
# Files of ablations/, configs/reduced and configs/choices that make another form of a method:
FORMS = {
    'frames_all': 'all frames',
    'input_area': 'means over area',
    'input_centred': 'centred',
    'input_mirror_test': 'mirrored test',
    'input_scaled': 'scaled',
    'pretrained': 'pretrained',
    'eighth_width': '1/8 width',
    'quarter_width': '1/4 width',
    'narrow_causalnet': 'narrow',
    'narrow_htnet': 'narrow',
    'narrow_rcn': 'narrow',
    'few_epochs': 'few epochs',
    'small_clips': 'small clips',
    'small_clips_c3d': 'small clips for C3D',
    'small_clips_tsm': 'small clips for TSM',
    'small_input': 'small input',
    'two_folds': '2 folds',
    'full_model_28x28': 'choice of width',
    'inner': 'inner choice',
}
# Options of --cfg-options, in this order; others keep their own words.
OPTIONS = [
    (r'train_cfg\.max_epochs=(\d+)', r'\1 epochs'),
    (r'train_dataloader\.batch_size=(\d+)', r'batches of \1'),
    (r'optim_wrapper\.optimizer\.lr=([\d.e-]+)', r'learning rate \1'),
    (r'input\.size=(\d+)', r'\1x\1'),
    (r'input\.centre=False', 'not centred'),
    (r'input\.scale=None', 'not scaled'),
    (r'input\.mirror_train=False', 'not mirrored in training'),
    (r'input\.mirror_test=False', 'not mirrored in the test'),
    (r'model\.steps\.1\.C=([\d.e-]+?)(?:\.0)?', r'C = \1'),
]
PART = re.compile(r'\+(?!\d)')  # 1e+3 is a number
SUFFIX = re.compile(r'(?: \([^()]*\)){0,2}$')  # what a table adds where names repeat: ' (store 1f0c2a9b)'


class Entry(NamedTuple):
    """A line of methods.csv: the name of its file, its display name, kind, and the title and address of its paper."""

    method: str
    name: str
    kind: str
    paper: str
    url: str


@cache
def registry() -> dict[str, Entry]:
    """Return the methods that come with the package, by the names of their files."""
    with open(Path(__file__).with_name('methods.csv'), encoding='utf-8', newline='') as file:
        return {row['method']: Entry(**row) for row in csv.DictReader(file)}


def display_name(method: str) -> str:
    """Return a short name: 'ststnet+two_folds' -> 'STSTNet, 2 folds'; what is not known keeps its own words."""
    suffix = SUFFIX.search(method)[0]
    return ', '.join(map(_words, PART.split(method.removesuffix(suffix)))) + suffix


def display_names(methods: Iterable[str]) -> dict[str, str]:
    """Return the short name of each method of a table; where two would share one, both keep their own."""
    names = {method: display_name(method) for method in methods}
    shared = Counter(names.values())
    return {method: method if shared[name] > 1 else name for method, name in names.items()}


def kind_of(method: str) -> str:
    """Return one of KINDS; the full model with a part ablated is an 'ablation', any other form of it 'ours'."""
    base, *parts = PART.split(SUFFIX.sub('', method))
    if base.startswith('timm_'):
        return NETWORK
    kind = registry()[base].kind if base in registry() else OTHER
    return ABLATION if kind == OURS and not ABLATIONS.keys().isdisjoint(parts) else kind


def _words(part: str) -> str:
    if part in registry():
        return registry()[part].name
    if part.startswith('timm_'):
        return f'{part.removeprefix("timm_")} (timm)'
    for pattern, words in OPTIONS if '=' in part else ():
        if re.fullmatch(pattern, part):
            return re.sub(pattern, words, part)
    return ABLATIONS.get(part) or FORMS.get(part, part)


def metafile() -> str:
    """Return configs/baselines/metafile.yml, the methods as OpenMMLab's tools read them; there are no weights."""
    import yaml

    collections, models = [], []
    folder = Path(__file__).parents[1] / '.mim/configs/baselines'
    for entry in registry().values():
        if (folder / f'{entry.method}.py').is_file():
            paper = {'Paper': {'Title': entry.paper, 'URL': entry.url}} if entry.paper else {}
            collections.append({'Name': entry.name, 'Metadata': {'Kind': entry.kind}, **paper})
            config = f'configs/baselines/{entry.method}.py'
            models.append({'Name': entry.method, 'Config': config, 'In Collection': entry.name})
    head = (
        '# From mer_bench/results/methods.csv: python -m mer_bench.results.methods > configs/baselines/metafile.yml\n'
    )
    return head + yaml.safe_dump({'Collections': collections, 'Models': models}, sort_keys=False, width=120)


if __name__ == '__main__':
    print(metafile(), end='')
