"""A trained model as one ONNX or TorchScript file that needs neither mer_bench nor, for ONNX, torch.

Everything between the flow store and the probabilities is inside: what the network sees of a clip, the normalisation,
the network, the decision of its outputs and the temperature. The file describes its input itself, and is compared with
the model before it is written.
"""

import copy
import io
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mer_bench.errors import InputError, in_one_line
from mer_bench.evaluation.calibration import PROBABILITIES, TINY, are_probabilities
from mer_bench.files import write_atomically
from mer_bench.inference.model import WARNING, TrainedModel
from mer_bench.loading.input_spec import CENTRED, FROM_UV, SCALED, InputSpec, cells, frame_indices, needed
from mer_bench.models.backbones.multiscale_resnet3d import OneClipBatchNorm3d
from mer_bench.preparation.flow.clip_flow import CHANNEL_UNITS, STARTS

TOLERANCE = 1e-4  # of a probability: sums in another order differ by some 1e-6
CLIPS = (2, 3)  # batches that are compared with the model
INPUT, OUTPUT = 'flow', 'probabilities'
EXAMPLE = '''"""Print the class probabilities of flow clips by {name}. It needs {needs} and nothing else."""

import json
import sys
from pathlib import Path

import numpy as np
import {library}

file = Path(__file__).with_suffix('')
{load}
print(notes['input'], notes['warning'], sep='\\n')
clips = np.load(sys.argv[1]).astype(np.float32)  # (N, {shape}), such as a store/flow.npy
for row in {run}:
    print({{name: round(float(score), 4) for name, score in zip(json.loads(notes['classes']), row)}})
'''
OF_ONNX = dict(
    needs='numpy and onnxruntime',
    library='onnxruntime',
    load='session = onnxruntime.InferenceSession(file)\nnotes = session.get_modelmeta().custom_metadata_map',
    run="session.run(None, {'flow': clips})[0]",
)
OF_TORCHSCRIPT = dict(
    needs='numpy and torch',
    library='torch',
    load="""notes = {'input': '', 'warning': '', 'classes': ''}
model = torch.jit.load(file, 'cpu', notes)
notes = {key: text.decode() for key, text in notes.items()}""",
    run='model(torch.from_numpy(clips)).detach().numpy()',
)


def export(model: TrainedModel, path: str | Path, kind: str) -> float:
    """Write a model as one file, and beside it FILE.py, a program that runs it.

    Args:
        model: To write.
        path: Of the file.
        kind: 'onnx' or 'torchscript'.

    Returns:
        The largest difference of a probability between the file and the model, on clips drawn at random.

    Raises:
        InputError: The network cannot be written so, or the difference is above :data:`TOLERANCE`; nothing is written.
    """
    path, write, example = Path(path), *KINDS[kind]
    deployed, notes = Deployed(model).eval(), describe(model)
    flow = drawn_clips(model, CLIPS[0])
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')  # on operators that the exporter replaces
            content, run = write(deployed, torch.from_numpy(flow), notes)
            found = max(difference(model, run, drawn_clips(model, n)) for n in CLIPS)
    except InputError:
        raise
    except Exception as error:  # of the exporter, which has many kinds
        reason = in_one_line(error).partition('. ')[0][:200]
        raise InputError(
            f'{model.info["method"]}: this network cannot be written as {kind} ({type(error).__name__}: {reason}); '
            f'try --{next(other for other in KINDS if other != kind)}, or use mer-bench predict'
        ) from error
    if not found <= TOLERANCE:
        raise InputError(
            f'{model.info["method"]} as {kind}: expected the probabilities of the model within {TOLERANCE:g}, found '
            f'{found:.2g} of difference; use mer-bench predict'
        )
    shape = ', '.join(map(str, stored_shape(model)))
    for place, text in ((path, content), (Path(f'{path}.py'), EXAMPLE.format(name=path.name, shape=shape, **example))):
        with write_atomically(place) as temporary:
            temporary.write_bytes(text.encode() if isinstance(text, str) else text)
    return found


def difference(model: TrainedModel, run, flow: np.ndarray) -> float:
    """Return the largest difference of a probability between `run`, of the file, and the model."""
    expected = np.concatenate([model.scores(model.tensor(clip)) for clip in flow])
    return float(np.abs(run(flow) - expected).max())


def drawn_clips(model: TrainedModel, number: int) -> np.ndarray:
    """Draw clips with the mean and deviation of the training, (number, C, T, H, W) float32 as stored."""
    rng, moments = np.random.default_rng(number), {}
    if model.moments:
        mean, std = (np.ravel(part.cpu().numpy()) for part in model.moments)
        moments = {name: pair for name, *pair in zip(model.input.channels, mean, std, strict=True)}
    _, *shape = stored_shape(model)
    parts = [rng.normal(*moments.get(name, (0, 1)), (number, *shape)) for name in model.input.stored]
    return np.stack(parts, axis=1).astype(np.float16).astype(np.float32)


def stored_shape(model: TrainedModel) -> tuple[int, ...]:
    """Return (C, T, H, W) of a clip as the flow store of the training holds it."""
    return len(model.input.stored), model.prepare['clip_len'], *model.prepare['size']


def describe(model: TrainedModel) -> dict[str, str]:
    """Return what the file says of itself."""
    prepare, (_, length, height, width) = model.prepare, stored_shape(model)
    values = 'published pictures of flow in levels from 0 to 255'
    if prepare['flow'] != 'published_pictures':
        words = [CHANNEL_UNITS[name] for name in prepare['channels']] + [STARTS[prepare['reference']]]
        values = f'{prepare["flow"]} flow; {"; ".join(words)}'
    text = (
        f'{INPUT}: float32 (N, {len(model.input.stored)}, {length}, {height}, {width}), clips as a flow store holds '
        f'them: channels {", ".join(prepare["channels"])}, {length} frames with the apex in the middle, {height} rows, '
        f'{width} columns, not normalised; {values}'
    )
    known = model.temperature is not None
    return dict(
        input=text,
        output=f'{OUTPUT}: float32 (N, {len(model.classes)}), {"" if known else "not "}calibrated',
        classes=json.dumps(model.classes),
        method=model.info['method'],
        prepare=json.dumps(prepare),
        warning=WARNING,
    )


class Seen(nn.Module):
    """What a network sees of stored clips: :class:`~mer_bench.loading.input_spec.InputSpec` in torch."""

    def __init__(self, spec: InputSpec, length: int, height: int, width: int) -> None:
        super().__init__()
        self.spec, self.frames = spec, None
        if spec.frames is not None:
            self.frames = frame_indices(length, spec.frames)
        if spec.size is not None:
            # resizing is linear in rows and columns, so that it is two matrices: what becomes of single rows, columns
            plain = replace(spec, scale='rms')  # which takes lengths as they are
            lines = (np.eye(n, dtype=np.float32) for n in (height, width))
            rows, columns = (np.repeat(line[:, :, None], m, 2) for line, m in zip(lines, (width, height), strict=True))
            self.register_buffer('rows', torch.from_numpy(plain.resized('', rows)[:, :, 0].T.copy()))
            columns = plain.resized('', columns.transpose(0, 2, 1))[:, 0]
            self.register_buffer('columns', torch.from_numpy(columns.copy()))
            self.factors = {} if spec.scale else dict(u=spec.size / width, v=spec.size / height)

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """Flow: (N, C, T, H, W) as stored. Out: (N, C', T', H', W')."""
        spec, maps = self.spec, {}
        for name in needed(spec.stored, spec.channels):
            part = self.even_out(name, flow[:, spec.stored.index(name)])
            if self.frames is not None:
                part = part[:, self.frames]
            if spec.size is not None:
                part = (self.rows @ part @ self.columns) * self.factors.get(name, 1)
            maps[name] = part
        if 'u' in maps and 'v' in maps:
            maps.setdefault('magnitude', torch.sqrt(maps['u'] ** 2 + maps['v'] ** 2))
            maps.setdefault('angle', torch.atan2(maps['v'], maps['u']))
        return torch.stack([maps[name] for name in spec.channels], dim=1)

    def even_out(self, name: str, part: torch.Tensor) -> torch.Tensor:
        """Centre and scale a channel, (N, T, H, W)."""
        if self.spec.centre and name in CENTRED:
            ordered = part.flatten(2).sort(dim=2).values
            middle = ordered.shape[2] - 1
            part = part - (ordered[:, :, middle // 2] + ordered[:, :, -(-middle // 2)])[:, :, None, None] / 2
        if self.spec.scale and name in SCALED:
            power = part.square().mean(dim=(1, 2, 3), keepdim=True)
            part = part / torch.where(power > 0, power, 1).sqrt()
        return part


class Deployed(nn.Module):
    """Stored flow -> probabilities, as :meth:`TrainedModel.scores` of :meth:`TrainedModel.tensor`.

    Args:
        model: Its network is copied, because its batch norms are replaced by plain ones, which are the same in eval
            mode; ours look at the layout of a tensor, which an exporter would fix for the size of one batch.

    Raises:
        InputError: The model sees something that only :class:`InputSpec` can compute.
    """

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        _, *shape = stored_shape(model)
        if {*FROM_UV} & {*needed(model.input.stored, model.input.channels)} and model.input.size is not None:
            raise InputError(
                f'{model.info["method"]}: expected u and v in the flow store, from which a smaller magnitude and angle '
                'are computed, found these alone; use mer-bench predict'
            )
        self.seen, self.network = Seen(model.input, *shape), copy.deepcopy(model.network).cpu()
        for module in self.network.modules():
            if isinstance(module, OneClipBatchNorm3d):
                module.__class__ = nn.BatchNorm3d
        self.mirrored = model.mirrored if model.input.mirror_test else None
        mean, std = model.moments or (torch.zeros(1), torch.ones(1))
        self.register_buffer('mean', mean.clone())
        self.register_buffer('std', std.clone())
        with torch.no_grad():  # what depends on the head, once
            first = torch.from_numpy(drawn_clips(model, 2))
            logits = self.logits((self.seen(first) - self.mean) / self.std)
            self.segments = len(next(iter(logits.values())) if isinstance(logits, dict) else logits) // 2
            scores = self.decide((self.seen(first) - self.mean) / self.std)
        calibration = model.info['calibration'] or {}
        are = are_probabilities(scores.numpy())
        self.temperature = calibration.get('value', None if are else 1.0)
        self.of = calibration.get('of')

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """Flow: (N, C, T, H, W) as stored. Out: (N, classes)."""
        clips = (self.seen(flow) - self.mean) / self.std
        scores = self.decide(clips)
        if self.mirrored:
            scores = (scores + self.decide(self.mirrored(clips))) / 2
        if self.temperature is None:
            return scores
        logits = scores.clamp(min=TINY).log() if self.of == PROBABILITIES else scores
        return (logits / self.temperature).softmax(dim=1)

    def logits(self, clips: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return what the head gives for normalised clips."""
        inputs = self.network.data_preprocessor.arrange(clips[:, None])
        feats, known = self.network.extract_feat(inputs, test_mode=True)
        return self.network.cls_head(feats, **known)

    def decide(self, clips: torch.Tensor) -> torch.Tensor:
        """Return the scores of normalised clips, (N, classes), without data samples, whose number would be fixed."""
        head, logits = self.network.cls_head, self.logits(clips)
        if not isinstance(logits, dict):
            return head.average_clip(logits, self.segments)
        return head.decide(torch.stack([head.average_clip(logits[name], self.segments) for name in head.classifiers]))


def pooled(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Adaptive average pooling by matrices: torch cannot write it as ONNX where the grids do not divide."""
    for axis, number in zip(range(-len(size), 0), size, strict=True):
        length = x.shape[axis]
        first, count = cells(length, number)
        places = np.arange(length)[:, None]
        shares = ((places >= first) & (places < first + count)) / count
        x = (x.movedim(axis, -1) @ torch.tensor(shares, dtype=x.dtype)).movedim(-1, axis)
    return x


def to_onnx(deployed: Deployed, flow: torch.Tensor, notes: dict[str, str]) -> tuple[bytes, object]:
    """Return the content of an ONNX file, and what runs it in onnxruntime."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (of torch.onnx)
    except ImportError as error:
        raise InputError(f"--onnx needs {error.name}: pip install 'mer_bench[export]'") from None
    for name in ('torch.onnx', 'onnxscript', 'onnx_ir'):
        logging.getLogger(name).setLevel(logging.ERROR)
    program = torch.export.export(deployed, (flow,), dynamic_shapes=[{0: torch.export.Dim('batch')}])
    aten = torch.ops.aten
    poolings = (
        aten.adaptive_avg_pool2d,
        aten._adaptive_avg_pool2d,
        aten.adaptive_avg_pool3d,
        aten._adaptive_avg_pool3d,
    )
    program = program.run_decompositions({pooling.default: pooled for pooling in poolings})
    names = dict(input_names=[INPUT], output_names=[OUTPUT])
    program = torch.onnx.export(program, dynamo=True, verbose=False, **names)
    content = program.model_proto
    for key, value in notes.items():
        content.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    content = content.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
    return content, lambda clips: session.run(None, {INPUT: clips})[0]


def to_torchscript(deployed: Deployed, flow: torch.Tensor, notes: dict[str, str]) -> tuple[bytes, object]:
    """Return the content of a TorchScript file, and what runs it."""
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(deployed, flow, check_trace=False), file, _extra_files=notes)
    again = torch.jit.load(io.BytesIO(file.getvalue()))
    return file.getvalue(), lambda clips: again(torch.from_numpy(clips)).numpy()


KINDS = {'onnx': (to_onnx, OF_ONNX), 'torchscript': (to_torchscript, OF_TORCHSCRIPT)}
