"""The files of a run beside predictions.csv: record.json, or failure.json if the run failed.

Both may come from anyone. The models below are the only schema: all code that reads or writes these files uses them and
gets plain dicts. Unknown keys are allowed and ignored.

A record of source `rescored` is made from published predictions (results/rescored.py). We do not know how they were
made, so it has different keys.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, from_json

from mer_bench.errors import InputError, visible
from mer_bench.escaping import folder_name
from mer_bench.evaluation.calibration import COLDEST, HOTTEST
from mer_bench.evaluation.curves import CURVES, read_curves
from mer_bench.evaluation.epoch_audit import AUDIT, CANDIDATES
from mer_bench.evaluation.metrics import MAX_CLASSES
from mer_bench.files import digest_file, digest_of, is_changed, read_json, sealed, write_json

RECORD, FAILURE = 'record.json', 'failure.json'
PREDICTIONS, INNER_SCORES = 'predictions.csv', 'inner_scores.csv'
WITH_DIGEST = (PREDICTIONS, AUDIT, CANDIDATES, INNER_SCORES, CURVES)  # in the record beside them
HONEST = ('last', 'inner')  # epoch rules by which no test subject chooses an epoch
VERDICTS = LEAK, UNTOLD, PASSED = 'LEAK', 'cannot be told', 'passed'  # of a leak audit, worst first
SCHEMA_VERSION = 2
RESCORED = 'rescored'
CONTROL = re.compile(r'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')
AGAIN = 'write the record again'
SWEEP_AGAIN = 'run the sweep again'
OTHER_VERSION = 'read it with the version of mer_bench that wrote it'


def _one_line(text: str) -> str:
    if visible(text) != text:
        raise PydanticCustomError('line', 'Input should be text on one line without hidden characters')
    return text


def _lines(text: str) -> str:
    if CONTROL.search(text):
        raise PydanticCustomError('text', 'Input should be text without control characters')
    return text


# A line for a cell or a heading; a name, which must not be empty; a text of several lines.
Line = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_one_line)]
Name = Annotated[Line, StringConstraints(min_length=1)]
Text = Annotated[str, StringConstraints(max_length=200_000), AfterValidator(_lines)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Number = Annotated[float, Field(ge=-1e30, le=1e30)]
Duration = Annotated[float, Field(ge=0, le=1e30)]  # seconds
Score = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]


class Part(BaseModel):
    """A part of a record: text is never read as a number, and unknown keys are allowed."""

    model_config = ConfigDict(strict=True, extra='allow', allow_inf_nan=False)


class Source(Part):
    """The name of a file and the digest of its content."""

    name: Name
    digest: Name


class SourceText(Source):
    """A config or an override: the file itself."""

    text: Text


class View(Part):
    """What a method sees of a stored clip."""

    channels: list[Name] | None = None
    frames: Count | Literal['apex'] | None = None
    size: Count | None = None
    normalise: bool = True
    centre: bool = False
    scale: Literal['rms'] | None = None
    resize: Literal['area'] | None = None
    mirror_train: bool = False
    mirror_test: bool = False


class Config(SourceText):
    """The merged config, and the parts of it that tables and continued runs read."""

    folds: dict | None = None
    input: View | None = None
    data_variant: dict | None = None
    action_units: list[Count] | None = None


class Faces(Part):
    """How faces were found."""

    detector: Line
    stabilise: bool | Count = False  # the version of how, or false


class Store(Part):
    """From store.json; with several data sets, `stores` has all of them, and apex and faces one entry per data set."""

    dataset: Line | None = None
    flow: Line = 'unknown'
    flow_parameters: dict | None = None
    reference: Line | None = None
    sampling: Line | None = None
    clip_len: Count | Line = 'unknown'
    size: list[Count | Line] = ['unknown']
    apex: Line | dict[Line, Count | Line | dict[Line, Count | Line] | None] | None = None
    faces: Line | Faces | dict[Line, Faces | Line | None] | None = None
    channels: list[Name] | None = None
    synthetic: bool = False
    frames_digest: Name | None = None
    stores: list['Store'] | None = None


class Data(Part):
    """The data of a run, by the digests of annotations.csv, of its clips wherever their frames lie, and of flow.npy."""

    annotations_digest: Name
    clips_digest: Name | None = None
    store_digest: Name
    store: Store


class Folds(Part):
    """How many folds a run has, and which are missing."""

    total: Count
    done: Count
    missing: list[Line]


class Scores(Part):
    """The scores of one table."""

    n: Count
    n_subjects: Count
    accuracy: Score
    uf1: Score
    uar: Score
    macro_precision: Score
    weighted_f1: Score | None = None  # not in version 1
    f1_per_class: dict[Line, Score]
    recall_per_class: dict[Line, Score]
    confusion_matrix: list[list[Count]]
    intervals: dict[Line, list[Number] | None] | None = None
    interval_kind: Line | None = None  # without it, percentiles of 1000 resamples of the subjects


class Seconds(Part):
    """How long a run took; None where a continued fold did not record it."""

    prepare: Duration | None = None
    train: Duration | None = None
    test: Duration | None = None
    choice: Duration | None = None


class Precision(Part):
    """What was decided about mixed precision."""

    asked: Literal['fp32', 'bf16', 'fp16']
    used: Literal['fp32', 'bf16', 'fp16']
    fp32_layers: list[Line]
    agreement: Number | None = None
    seconds: Number | None = None
    why: Line = ''
    decision: Line = ''


class SmallerBatch(Part):
    """A batch that did not fit on the GPU: its clips, how many were computed at a time, more than one number where the
    folds differ, and whether batch norm saw these."""

    size: Count
    computed: list[Count]
    batch_norm: bool


class StackNote(Part):
    """How folds were trained together."""

    way: Line
    folds: Count
    asked: Count | Line
    seconds: dict[Line, Number]
    why: Line
    trained: Line = ''


class CandidateNote(SourceText):
    """A candidate: its override or options, the merged config, which an older record lacks, and of a network the number
    of epochs, of which each can be chosen."""

    config: Text | None = None
    epochs: Count | None = None


class Temperature(Part):
    """What divides the class scores of a fold, or the logarithms of its probabilities, before a softmax."""

    value: Annotated[float, Field(ge=COLDEST, le=HOTTEST)]
    of: Literal['probabilities', 'scores']


class Choice(Part):
    """What a fold chose, its inner UF1, and the temperature of its inner scores, which an older record lacks."""

    candidate: Line
    epoch: Count | None = None
    uf1: Score
    temperature: Temperature | None = None


class Selection(Part):
    """How each fold chose its settings by scores on its training subjects; `chosen` by the names of the folds."""

    rule: Literal['inner']
    metric: Line
    inner_folds: Count
    candidates: list[CandidateNote]
    chosen: dict[Line, Choice] = {}


class LeakCheck(Part):
    """One check of a leak audit."""

    name: Line
    status: Line
    detail: Line


class LeakAudit(Part):
    """What `mer-bench audit` found of the method and the data of a run, see :mod:`mer_bench.runs.leak_audit`."""

    verdict: Literal['passed', 'LEAK', 'cannot be told']
    checks: list[LeakCheck]
    folds: list[Line]
    epochs: Count | None
    seed: Seed
    commit: Line | None
    date: Line


class AnyRecord(Part):
    """What every record has.

    Of later ones also `files`, the SHA-256 of the files beside it that were made with it, and `digest`, that of all
    other keys as JSON with sorted keys; a record as :func:`read_record` returns it has no `digest`.
    """

    schema_version: Literal[2]
    method: Name
    protocol: Name
    dataset: Name
    classes: Annotated[list[Name], Field(min_length=1, max_length=MAX_CLASSES)]
    n_clips: Count
    n_subjects: Count
    complete: bool
    scores: dict[Name, Scores] | None
    date: Line
    source: Line
    synthetic: bool
    epoch_rule: Line
    files: dict[Name, Line] = {}
    digest: Line | None = None


class Record(AnyRecord):
    """A run of ours; `command` trains it from the start (None: of an older version, or no command line can say it)."""

    command: Line | None = None
    config: Config
    overrides: list[SourceText]
    pretrained: Source | None = None
    label_scheme: Source
    seed: Seed
    data: Data
    notes: list[Text] = []
    note_on_model: Text | None = None
    clips_per_class: dict[Name, Count]
    subjects_per_class: dict[Name, Count]
    folds: Folds
    parameters: Count | None
    flops: Number | None
    seconds: Seconds
    device: Line
    versions: dict[Line, Line | None]
    commit: Line | None
    precision: Precision | None = None
    stack: StackNote | None = None
    batch: SmallerBatch | None = None
    selection: Selection | None = None
    leak_audit: LeakAudit | None = None


class RescoredRecord(AnyRecord):
    """Predictions that others published."""

    source: Literal['rescored']
    url: Line
    log: Source


class FailureNote(Part):
    """Why a run of a sweep did not finish; null where it was not known yet."""

    schema_version: Literal[1]
    method: Name
    config: Name
    dataset: Name
    protocol: Name | None
    seed: Seed
    synthetic: bool | None
    reason: Text
    date: Line
    digest: Line | None = None


def json_schema() -> str:
    """Return the JSON schema of record.json that docs/record.schema.json publishes.

    It describes keys, types and bounds. What it cannot say is left to :func:`read_record`, such as text on one line.
    """
    about = {
        '$schema': 'https://json-schema.org/draft/2020-12/schema',
        'title': 'record.json of mer_bench',
        'description': 'A run, or published predictions scored again (source "rescored").',
    }
    return json.dumps(about | TypeAdapter(RescoredRecord | Record).json_schema(), indent=2) + '\n'


def write_record(path: str | Path, record: dict) -> None:
    """Check a record and write it atomically."""
    try:
        written = from_json(json.dumps(record), allow_inf_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f'{path}: expected a record that JSON can hold, but {error}; {AGAIN}') from None
    _check_record(path, written)
    write_json(path, sealed(written))


def read_record(path: str | Path) -> dict:
    """Read a record.json, and check it against the schema and against its digest of itself, where it has one."""
    record = read_json(path, 'give the record.json of a run')
    if isinstance(record, dict) and record.get('schema_version') == 1:
        record = _from_version_1(record)
    _check_record(path, record)
    if is_changed(record):
        raise InputError(f'{path}: expected the record that was written, but it was changed; {AGAIN}')
    record.pop('digest', None)
    return record


def refuse_changed_files(path: Path, record: dict, names: Iterable[str]) -> None:
    """Refuse files beside a record, those of `names` that are there, that are not those made with it."""
    for name in names:
        file, digest = path.with_name(name), record.get('files', {}).get(name)
        if digest and file.exists() and digest_file(file) != digest:
            raise InputError(f'{file}: expected the file that was written with {path}, but it was changed; {AGAIN}')


def curves_beside(path: Path, record: dict) -> pd.DataFrame | None:
    """Read the learning curves that were made with a record; None where it names none, whatever lies beside it."""
    if CURVES not in record.get('files', {}) or not path.with_name(CURVES).exists():
        return None
    refuse_changed_files(path, record, (CURVES,))
    return read_curves(path.with_name(CURVES))


def _from_version_1(record: dict) -> dict:
    """Return a record of version 1 as one of today: its classes stand for the label scheme, which came later."""
    name = str(record.get('protocol', '')).partition(', ')[2]  # of 'LOSO, 3 classes'
    scheme = {'name': name, 'digest': digest_of(record.get('classes'))}
    return {**record, 'schema_version': SCHEMA_VERSION, 'label_scheme': scheme}


def _check_record(path: str | Path, record: object) -> None:
    if not isinstance(record, dict):
        raise InputError(f'{path}: expected a record, but got {type(record).__name__}; {AGAIN}')
    version = record.get('schema_version', SCHEMA_VERSION)
    if version != SCHEMA_VERSION:  # first, because other versions have other keys
        raise InputError(f'{path}: expected schema_version {SCHEMA_VERSION}, but got {version!r:.40}; {OTHER_VERSION}')
    check_schema(path, record, RescoredRecord if record.get('source') == RESCORED else Record, AGAIN)


def check_schema(path: str | Path, content: object, model: type[Part], advice: str) -> None:
    """Check the content of a file against a model.

    Raises:
        InputError: It does not fit; the message names the first wrong key, with dots.
    """
    try:
        model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = _dotted(first['loc'], content, first['type'] == 'missing')
        shown = f'{first["input"]!r:.40}'
        if first['type'] == 'missing':
            fault = f'expected the key {key!r:.100}, but it is missing'
        else:
            expected = _in_words(first['msg'])
            fault = f'expected {expected} for the key {key!r:.100}, but got {type(first["input"]).__name__} {shown}'
        raise InputError(f'{path}: {fault}; {advice}') from None


def _in_words(message: str) -> str:
    """'Input should be a valid integer' -> 'a valid integer'."""
    words = re.sub(r'^\w+ should (be|have) | after validation, not \d+$| or instance of .*', '', message)
    words = words.replace('a valid dictionary', 'an object').replace('a valid string', 'text')
    return f'a number {words}' if words.startswith(('less', 'greater')) else words


def _dotted(place: tuple[str | int, ...], content: object, missing: bool) -> str:
    """('data', 'store', 'apex', <a type of several>, 'smic') -> 'data.store.apex.smic'."""
    keys = []
    for part in place:
        if (isinstance(content, dict) and part in content) or (isinstance(content, list) and isinstance(part, int)):
            content = content[part]
            keys.append(str(part))
    return '.'.join([*keys, str(place[-1])] if missing else keys) or 'record'


def describe_batch(batch: dict) -> str:
    """Describe a :class:`SmallerBatch`."""
    computed, norm = ' or '.join(map(str, batch['computed'])), ', as batch norm saw them' * batch['batch_norm']
    return f'batches of {batch["size"]} clips computed {computed} at a time{norm}'


def looks_of(selection: dict) -> list[dict]:
    """Return what a fold can choose, in the order of its inner scores.

    Args:
        selection: Of a record.

    Returns:
        For each candidate a dict of `candidate`, its name; of a network one for each `epoch`, counted from 1.
    """
    looks = []
    for candidate in selection['candidates']:
        look = dict(candidate=candidate['name'])
        epochs = candidate.get('epochs')
        looks += [look] if epochs is None else [look | dict(epoch=epoch) for epoch in range(1, epochs + 1)]
    return looks


def temperatures_of(record: dict) -> dict[str, dict] | None:
    """Return the temperature of each fold; None where not every fold has one."""
    chosen = (record.get('selection') or {}).get('chosen', {})
    found = {fold: choice.get('temperature') for fold, choice in chosen.items()}
    return found if found and all(found.values()) else None


def record_of(path: str | Path) -> dict | None:
    """Return the record of predictions: of a run folder, its predictions.csv or its record; None of other files.

    Raises:
        InputError: It is no record, or the predictions are not those that were written with it.
    """
    path = Path(path)
    file = path / RECORD if path.is_dir() else path.with_name(RECORD)
    if not file.is_file() or not (path.is_dir() or path.name in (RECORD, PREDICTIONS)):
        return None
    record = read_record(file)
    refuse_changed_files(file, record, (PREDICTIONS,))
    return record


def place_of(config: str, method: str, seed: int) -> Path:
    """Return the folder of a method with one seed: <config>/<method>/seed<N>.

    Raises:
        InputError: a name cannot name a folder.
    """
    return Path(folder_name(config, 'a config'), folder_name(method, 'a method'), f'seed{seed}')


@dataclass(frozen=True)
class Failure:
    """One method with one seed that did not finish."""

    path: Path
    content: dict

    @property
    def place(self) -> Path:
        """Its folder below that of the results it is committed with."""
        return place_of(self.content['config'], self.content['method'], self.content['seed'])


def read_failure(path: Path) -> Failure:
    """Read a failure.json and check it against the schema."""
    content = read_json(path, SWEEP_AGAIN)
    check_schema(path, content, FailureNote, SWEEP_AGAIN)
    if is_changed(content):
        raise InputError(f'{path}: expected what was written, but it was changed; {SWEEP_AGAIN}')
    content.pop('digest', None)
    return Failure(path, content)


if __name__ == '__main__':  # python -m mer_bench.results.record > docs/record.schema.json
    print(json_schema(), end='')


def count_looks(selection: dict) -> int:
    """Return the length of :func:`looks_of`, which in a stranger's record may be too long to be made."""
    epochs = [candidate.get('epochs') for candidate in selection['candidates']]
    return sum(1 if number is None else number for number in epochs)
