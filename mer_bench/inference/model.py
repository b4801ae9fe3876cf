"""A trained model: one folder with weights, settings and a card, opened without running anything in it.

`model.json` has all settings and the digests of itself and of `model.safetensors`. The config in it is read as data, as
that of a record is (experiment/recorded.py). The card, README.md, is for people and may be edited.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from pydantic import Field

import mer_bench.registry  # noqa: F401
from mer_bench.errors import InputError, in_one_line, listed
from mer_bench.evaluation.calibration import are_probabilities, heated, scaled_by
from mer_bench.experiment.method import check_values, weights_places
from mer_bench.experiment.recorded import read_text
from mer_bench.files import digest_file, is_changed, read_json
from mer_bench.inference.clip import ClipInput, make_clip
from mer_bench.loading.augmentation import make_batch, mirror_values
from mer_bench.loading.input_spec import InputSpec, make_spec
from mer_bench.models.backbones.pretrained import read_weights
from mer_bench.results.record import (
    Count,
    Duration,
    Line,
    Name,
    Number,
    Part,
    Scores,
    Seed,
    Source,
    SourceText,
    Temperature,
    check_schema,
)

MODEL, WEIGHTS, CARD = 'model.json', 'model.safetensors', 'README.md'
SCHEMA_VERSION = 1
REMEDY = 'fetch the folder again, or make it with mer-bench fit'
WARNING = (
    'A micro-expression is no lie detector: it says nothing about truth, guilt or intent. Do not use this to judge or '
    'monitor people.'
)
UNSURE = 'unsure: no class is likelier than all others together'

Positive = Annotated[float, Field(gt=0, le=1e30)]


class Prepare(Part):
    """How the clips of the training were prepared, from store.json, see :mod:`mer_bench.inference.clip`."""

    dataset: Line
    flow: Line
    flow_parameters: dict
    reference: Line
    channels: list[Name]
    clip_len: Annotated[int, Field(gt=0, le=4096)]
    size: Annotated[list[Annotated[int, Field(gt=0, le=4096)]], Field(min_length=2, max_length=2)]
    apex: dict[Line, Count | dict[Line, Count]] | Line | None
    faces: dict | Line | None
    sampling: Line
    opencv: Line


class Calibration(Temperature):
    """The temperature of the scores: the median of those of so many folds of the record."""

    folds: Count


class RecordNote(Part):
    """The record that this model belongs to, of the same method on the same data."""

    method: Name
    protocol: Name
    seed: Seed
    n_clips: Count
    n_subjects: Count
    epoch_rule: Line
    date: Line
    command: Line | None
    digest: Line
    scores: dict[Name, Scores]


class ModelInfo(Part):
    """The content of model.json."""

    schema_version: Literal[1]
    method: Name
    config: SourceText
    classes: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    label_scheme: Source
    dataset: Name
    synthetic: bool
    n_clips: Count
    n_subjects: Count
    clips_per_class: dict[Name, Count]
    seed: Seed
    epochs: Count
    epochs_chosen: bool
    prepare: Prepare
    mean: list[Number] | None
    std: list[Positive] | None
    asked: dict[Name, Line | Count | None]
    pretrained: Source | None
    calibration: Calibration | None
    record: RecordNote | None
    parameters: Count | None
    flops: Number | None
    train_seconds: Duration | None
    device: Line
    versions: dict[Line, Line | None]
    commit: Line | None
    date: Line
    files: dict[Name, Line]
    digest: Line


class Span(NamedTuple):
    """A clip to predict: a video or a folder of frames, with what is known of it."""

    path: str | Path
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None


@dataclass(frozen=True)
class Prediction:
    """What a model says of a clip.

    Attributes:
        path: The video or the folder of frames.
        label: The class with the highest probability.
        probabilities: Of each class; they add to 1.
        calibrated: Whether they were calibrated, by the temperature of the record of the model.
        onset, apex, offset: Numbers of frames.
        face: Left, top, right and bottom of the face in pixels of the frame; None where frames are used as they are.
        notes: One sentence for each thing that a reader should know.
        clip: What was predicted; None where it is not kept.
    """

    path: Path
    label: str
    probabilities: dict[str, float]
    calibrated: bool
    onset: int
    apex: int
    offset: int
    face: tuple[int, int, int, int] | None
    notes: list[str]
    clip: ClipInput | None = field(repr=False)

    @property
    def confidence(self) -> float:
        """How sure the model is: the probability of `label`."""
        return self.probabilities[self.label]

    def to_dict(self) -> dict:
        """Return everything but the clip, as JSON can hold it."""
        keys = ('calibrated', 'onset', 'apex', 'offset', 'face', 'notes')
        start = {'path': str(self.path), 'class': self.label, 'confidence': self.confidence}
        return start | {'probabilities': self.probabilities} | {key: getattr(self, key) for key in keys}


@dataclass(frozen=True)
class TrainedModel:
    """A network that was trained on all subjects, with everything that a prediction needs.

    Attributes:
        folder: That it was read from.
        network: MMAction2's recogniser in eval mode, fp32, on the CPU. `network.data_preprocessor` normalises.
        classes: Names of the classes.
        prepare: How frames become flow: the keys of store.json in :data:`mer_bench.inference.clip.PREPARED`.
        input: What the network sees of that flow.
        info: The content of model.json.
        raft_weights: For flow by RAFT, the file of its weights.
    """

    folder: Path
    network: BaseModel = field(repr=False)
    classes: list[str]
    prepare: dict
    input: InputSpec
    info: dict = field(repr=False)
    raft_weights: Path | None = None

    @property
    def temperature(self) -> float | None:
        """What calibrates the probabilities; None: unknown, they are as the network gives them."""
        return self.info['calibration'] and self.info['calibration']['value']

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, T, H, W) of a clip as the network sees it."""
        prepare = self.prepare
        return self.input.shape_of((len(prepare['channels']), prepare['clip_len'], *prepare['size']))

    def clip(
        self, path: str | Path, onset: int | None = None, apex: int | None = None, offset: int | None = None
    ) -> ClipInput:
        """Compute the flow of a video or a folder of frames, see :func:`mer_bench.inference.clip.make_clip`."""
        return make_clip(path, self.prepare, onset, apex, offset, self.raft_weights)

    def tensor(self, clip: ClipInput | np.ndarray) -> torch.Tensor:
        """Return what the network sees of a clip, normalised as in the training, (1, C, T, H, W) float32.

        Args:
            clip: A clip, or its flow as the store holds it, (C, T, H, W).
        """
        flow = clip.flow if isinstance(clip, ClipInput) else clip
        seen = self.input(flow if self.input.keeps_values else flow.astype(np.float32))
        values = torch.from_numpy(np.ascontiguousarray(seen)).float()[None]
        return make_batch([values.to(self.device)], None, self.input.channels, self.moments)[:, 0]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def moments(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Mean and deviation of the channels in the training, each (C, 1, 1, 1); None: nothing is normalised."""
        preprocessor = self.network.data_preprocessor
        return (preprocessor.mean, preprocessor.std) if self.input.normalise else None

    def outputs(self, tensor: torch.Tensor) -> list:
        """Return the data samples that the network predicts, one for each of (N, C, T, H, W) normalised clips.

        A data sample has `pred_score`, (classes,) probabilities before the calibration, and of networks with several
        outputs `output_scores`, {output: (classes,) probabilities}. Gradients flow if they are enabled.
        """
        from mmaction.structures import ActionDataSample

        inputs = self.network.data_preprocessor.arrange(tensor[:, None])
        return self.network(inputs, [ActionDataSample() for _ in tensor], mode='predict')

    @torch.no_grad()
    def scores(self, tensor: torch.Tensor) -> np.ndarray:
        """Return the probabilities of (N, C, T, H, W) normalised clips, (N, classes) float64, calibrated if possible.

        They are averaged over the clip and its mirrored copy where the model was trained to be used so.
        """
        views = [tensor, self.mirrored(tensor)] if self.input.mirror_test else [tensor]
        scores = [torch.stack([sample.pred_score for sample in self.outputs(view)]) for view in views]
        scores = torch.stack(scores).mean(0).double().cpu().numpy()
        if not np.isfinite(scores).all():
            raise InputError(f'{self.folder / WEIGHTS}: expected finite scores, the network gives others; {REMEDY}')
        if calibration := self.info['calibration']:
            return scaled_by(scores, calibration)
        return scores if are_probabilities(scores) else heated(scores, 1.0)  # of a head that gives logits

    def mirrored(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return normalised clips mirrored left to right."""
        mean, std = self.moments or (0, 1)
        copies = (tensor * std + mean).flip(-1)
        mirror_values(copies, self.input.channels)
        return (copies - mean) / std

    def predict(
        self,
        clips: str | Path | Span | Sequence[str | Path | Span],
        onset: int | None = None,
        apex: int | None = None,
        offset: int | None = None,
    ) -> list[Prediction]:
        """Predict clips: videos, or folders of frames.

        Args:
            clips: One or several; a :class:`Span` has its own onset, apex and offset.
            onset, apex, offset: Of all others, see :meth:`clip`.

        Raises:
            InputError: A clip cannot be read, or shows no face.
        """
        found = []
        for span in [clips] if isinstance(clips, (str, Path, Span)) else clips:
            path, *numbers = span if isinstance(span, Span) else (span, onset, apex, offset)
            clip = self.clip(path, *numbers)
            scores = dict(zip(self.classes, self.scores(self.tensor(clip))[0].tolist(), strict=True))
            face = clip.faces and (clip.faces.left, clip.faces.top, clip.faces.right, clip.faces.bottom)
            label, known = max(scores, key=scores.get), self.temperature is not None
            notes = clip.notes + [UNSURE] * (scores[label] < 0.5)
            span = clip.onset, clip.apex, clip.offset
            found.append(Prediction(clip.path, label, scores, known, *span, face, notes, clip))
        return found


def load_model(folder: str | Path, raft_weights: str | Path | None = None) -> TrainedModel:
    """Open the folder that `mer-bench fit` wrote. Nothing in it is run, whoever made it.

    Args:
        folder: With model.json and model.safetensors.
        raft_weights: For flow by RAFT, the file of its weights, which the folder lacks.

    Raises:
        InputError: A part is missing, damaged or changed, or this version cannot build the network.
    """
    folder = Path(folder)
    info = read_info(folder)
    path = folder / WEIGHTS
    if not path.is_file() or digest_file(path) != info['files'].get(WEIGHTS):
        fault = 'another file' if path.exists() else 'none'
        raise InputError(f'{path}: expected the weights that {MODEL} names, found {fault}; {REMEDY}')
    cfg = read_text(info['config']['text'], f'{folder / MODEL}: config.text')
    try:
        network, view = build(cfg, info)
    except InputError as error:
        raise InputError(f'{folder / MODEL}: {error}') from None
    except Exception as error:  # of a stranger, or of another version
        raise InputError(
            f'{folder / MODEL}: the network cannot be built: {type(error).__name__}: {in_one_line(error)}; take the '
            f'version of mer_bench that made it, {info["versions"].get("mer_bench")}'
        ) from None
    try:
        network.load_state_dict(read_weights(path))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise InputError(f'{path} does not fit the network of {MODEL} ({first}); {REMEDY}') from None
    weights = raft_weights and Path(raft_weights)
    return TrainedModel(folder, network.eval(), info['classes'], info['prepare'], view, info, weights)


def read_info(folder: Path) -> dict:
    """Return the content of model.json, checked."""
    path = folder / MODEL
    if not path.is_file():
        raise InputError(f'{folder}: expected a model, a folder with {MODEL} as mer-bench fit writes it, found none')
    info = read_json(path, REMEDY)
    check_schema(path, info, ModelInfo, REMEDY)
    if is_changed(info):
        raise InputError(f'{path}: expected the settings that were written, but they were changed; {REMEDY}')
    return info


def build(cfg: Config, info: dict) -> tuple[BaseModel, InputSpec]:
    """Build the network of a config with the normalisation of its training, and what it sees of a clip."""
    from mmaction.registry import MODELS

    check_values(cfg)
    for part, key in weights_places(cfg):
        part[key] = None  # all weights are in the folder
    prepare = info['prepare']
    view = make_spec(cfg.get('input'), prepare, (len(prepare['channels']), prepare['clip_len'], *prepare['size']))
    if cfg.get('classes') != info['classes']:
        raise InputError(f'expected the classes of its config, found {listed(info["classes"])}; {REMEDY}')
    if cfg.model.data_preprocessor.type != 'FlowDataPreprocessor':
        raise InputError(f'expected the data preprocessor FlowDataPreprocessor, found another; {REMEDY}')
    moments = {name: info[name] for name in ('mean', 'std')}
    for name, values in moments.items():
        if (values is None or len(values) != len(view.channels)) if view.normalise else values is not None:
            number = len(view.channels) if view.normalise else 'no'
            raise InputError(f'expected {number} numbers of {name}, one a channel, found others; {REMEDY}')
    cfg.model.data_preprocessor.update(moments, channels=list(view.channels))
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(copy.deepcopy(cfg.model)), view
