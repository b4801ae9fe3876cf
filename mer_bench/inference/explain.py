"""What a prediction rests on: where and when the class found its evidence, which scale was fused, how outputs voted.

Evidence is Grad-CAM: Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391, by captum, on all maps that the
backbone gives to the neck, over space and time. Whether such a picture depends on the network at all was asked by
Adebayo et al., NeurIPS 2018, https://arxiv.org/abs/1810.03292; tests/inference/test_explain.py repeats their check.
"""

from dataclasses import dataclass
from textwrap import fill

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mer_bench.errors import InputError, did_you_mean, listed
from mer_bench.evaluation.style import BLUE, GREY, LIGHT, ORANGE, new_figure
from mer_bench.inference.annotate import flow_colours
from mer_bench.inference.clip import ClipInput
from mer_bench.inference.model import TrainedModel
from mer_bench.loading.input_spec import frame_indices
from mer_bench.models.necks.attention_fusion import MultiScaleChannelAttention

COLUMNS = 6  # frames in the picture, at most
HEAT = 'inferno'


@dataclass(frozen=True)
class Explanation:
    """What the score of a class rests on.

    Attributes:
        clip: What was predicted.
        label: The class that is explained.
        scores: {class: probability}.
        evidence: (T, H, W) float32 on the grid that the network sees, from 0 to 1, for `label`; None: the backbone
            gives no maps.
        frames: Which of the clip's sampled frames the network sees, T positions.
        gates: For each fusion of the neck, deep to shallow, (T', H', W'): the share of the shallower scale, from 0 to
            1, the mean over the channels; empty where the neck has no such attention.
        votes: {output: {class: probability}} of networks with several outputs, before the calibration.
        notes: One sentence for each part that the network lacks.
    """

    clip: ClipInput
    label: str
    scores: dict[str, float]
    evidence: np.ndarray | None
    frames: list[int]
    gates: list[np.ndarray]
    votes: dict[str, dict[str, float]]
    notes: list[str]

    @property
    def sentence(self) -> str:
        """What is explained, where the evidence is strongest, and how many outputs agree."""
        text = f'{self.label}, {self.scores[self.label]:.0%}'
        if self.evidence is not None and self.evidence.any():
            time, row, column = self.peak
            across = ('left', 'middle', 'right')[min(int(3 * column), 2)]
            down = ('top', 'middle', 'bottom')[min(int(3 * row), 2)]
            text += f'; strongest evidence at frame {self.clip.taken[self.frames[time]]}, {down} {across}'
        if self.votes:
            agree = sum(max(vote, key=vote.get) == self.label for vote in self.votes.values())
            text += f'; {agree} of {len(self.votes)} outputs vote for it'
        return text

    @property
    def peak(self) -> tuple[int, float, float]:
        """Position of the frame with the strongest evidence, and its row and column, from 0 to 1."""
        time, row, column = np.unravel_index(self.evidence.argmax(), self.evidence.shape)
        _, height, width = self.evidence.shape
        return int(time), (row + 0.5) / height, (column + 0.5) / width

    def to_dict(self) -> dict:
        """Return the numbers without the maps."""
        found = dict(label=self.label, probabilities=self.scores, votes=self.votes, notes=self.notes)
        found['gates'] = [float(gate.mean()) for gate in self.gates]
        if self.evidence is not None:
            found['evidence_over_time'] = {
                str(self.clip.taken[i]): float(part.mean()) for i, part in zip(self.frames, self.evidence, strict=True)
            }
        return found


def explain(model: TrainedModel, clip: ClipInput, label: str | None = None) -> Explanation:
    """Explain the prediction of a clip.

    Args:
        model: That predicts.
        clip: As :meth:`TrainedModel.clip` returns it.
        label: The class to explain; None: the likeliest.

    Raises:
        InputError: There is no such class, or captum is missing.
    """
    tensor = model.tensor(clip)
    scores = dict(zip(model.classes, model.scores(tensor)[0].tolist(), strict=True))
    label = label or max(scores, key=scores.get)
    if label not in scores:
        raise InputError(
            f'--label {label}: expected a class of the model{did_you_mean(label, scores)}; give {listed([*scores])}'
        )
    heat, gates = evidence(model, tensor, model.classes.index(label)), []
    hooks = [
        part.register_forward_hook(lambda module, given, gate: gates.append(gate[0].mean(0).cpu().numpy()))
        for part in model.network.modules()
        if isinstance(part, MultiScaleChannelAttention)
    ]
    try:
        with torch.no_grad():
            sample = model.outputs(tensor)[0]
    finally:
        for hook in hooks:
            hook.remove()
    outputs = sample.get('output_scores') or {}
    votes = {name: dict(zip(model.classes, vote.tolist(), strict=True)) for name, vote in outputs.items()}
    spec, length = model.input, len(clip.taken)
    frames = list(range(length)) if spec.frames is None else frame_indices(length, spec.frames)
    notes = [
        text
        for missing, text in (
            (heat is None, 'this backbone gives no maps: there is no place or time to show'),
            (heat is not None and not heat.any(), f'nothing in the maps of the backbone speaks for {label}'),
            (not gates, 'this network has no attention that fuses scales'),
            (not votes, 'this network has one output'),
        )
        if missing
    ]
    return Explanation(clip, label, scores, heat, frames, gates, votes, notes)


def evidence(model: TrainedModel, tensor: torch.Tensor, target: int) -> np.ndarray | None:
    """Return Grad-CAM of one class, (T, H, W) from 0 to 1, on the grid of a normalised clip (1, C, T, H, W).

    Maps of several scales are added, each cell with its share of the input, so that a scale counts by what it gives to
    the score. The score is the logit of the class, the mean of those of several outputs.
    """
    try:
        from captum.attr import LayerGradCam
    except ImportError:
        raise InputError("the explanation needs captum: pip install 'mer_bench[explain]'") from None

    def score(clips: torch.Tensor) -> torch.Tensor:
        kept, head = [], model.network.cls_head
        hook = head.register_forward_hook(lambda module, given, out: kept.append(out))
        try:
            model.outputs(clips)
        finally:
            hook.remove()
        logits = kept[-1]
        if isinstance(logits, dict):
            logits = torch.stack([logits[name] for name in head.classifiers]).mean(0)
        return logits.reshape(len(clips), -1, len(model.classes)).mean(1)

    layer = last_maps(model, tensor)
    if layer is None:
        return None
    found = LayerGradCam(score, layer).attribute(tensor, target, relu_attributions=False)
    heat = 0
    for part in [found] if isinstance(found, torch.Tensor) else found:
        if part.ndim == 4:  # pictures: the frames of one clip, or a clip of one frame
            part = part.transpose(0, 1)[None]
        grown = F.interpolate(part.detach(), tuple(tensor.shape[2:]), mode='trilinear', align_corners=False)
        heat = heat + grown[0, 0] * part[0, 0].numel()
    heat = heat.clamp(min=0).cpu().numpy()
    return heat / (heat.max() or 1)


def last_maps(model: TrainedModel, tensor: torch.Tensor) -> nn.Module | None:
    """Return the backbone if it gives maps over space, else its last part that does; None if none does."""
    backbone, called = model.network.backbone, []

    def note(module: nn.Module, given: object, out: object) -> None:
        maps = out if isinstance(out, tuple) else (out,)
        if all(map(is_map, maps)) and maps[0].shape[-1] > 1:
            called.append(module)

    def is_map(part: object) -> bool:
        if not isinstance(part, torch.Tensor) or part.ndim not in (4, 5):
            return False
        (height, width), (most_height, most_width) = part.shape[-2:], tensor.shape[-2:]
        # of the shape of the picture: a transformer's tokens are none
        return width * most_height == height * most_width and width <= most_width

    hooks = [part.register_forward_hook(note) for part in backbone.modules()]
    try:
        with torch.no_grad():
            model.outputs(tensor)
    finally:
        for hook in hooks:
            hook.remove()
    return backbone if backbone in called else called[-1] if called else None


def draw(found: Explanation):
    """Return the figure: frames, flow and evidence above, the probabilities, the votes and the fusion below."""
    places = np.unique(np.linspace(0, len(found.frames) - 1, min(COLUMNS, len(found.frames))).round().astype(int))
    rows, width = ['face', 'flow'] + ['evidence'] * (found.evidence is not None), 6.3
    across = len(places) == 1  # a single frame: its pictures stand side by side
    side = min(width / ((len(rows) if across else len(places)) + 0.6), 1.8)
    height = side * (1 if across else len(rows)) + 0.45
    below = 1.25 + 0.17 * len(found.scores) * max(len(found.votes), 1) / 1.5
    figure = new_figure(width, height + below + 0.25)
    above, under = figure.subfigures(2, 1, height_ratios=[height, below])
    figure.suptitle(fill(f'{found.clip.path.name}: {found.sentence}', 100), fontsize=9, parse_math=False)
    shape = (1, len(rows)) if across else (len(rows), len(places))
    axes = above.subplots(*shape, squeeze=False).reshape(len(rows), len(places))
    colours = flow_colours(found.clip)
    moments = {found.clip.onset: ', onset', found.clip.offset: ', offset', found.clip.apex: ', apex'}
    for column, place in zip(axes.T, places, strict=True):
        index = found.frames[place]
        frame, number = found.clip.frames[index], found.clip.taken[index]
        column[0].set_title(f'{number}{moments.get(number, "")}', fontsize=8)
        column[0].imshow(frame, cmap='gray', vmin=0, vmax=255)
        column[1].imshow(colours[index])
        if found.evidence is not None:
            sides = (-0.5, frame.shape[1] - 0.5, frame.shape[0] - 0.5, -0.5)
            column[2].imshow(frame, cmap='gray', vmin=0, vmax=255)
            look = dict(cmap=HEAT, vmin=0, vmax=1, alpha=0.65, interpolation='bilinear')
            heat = column[2].imshow(found.evidence[place], extent=sides, **look)
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis, name in zip(axes[:, 0], rows, strict=True):
        axis.set_xlabel(name, fontsize=8) if across else axis.set_ylabel(name, fontsize=8)
    if found.evidence is not None:
        bar = above.colorbar(heat, ax=axes[2].tolist(), fraction=0.04, pad=0.01, ticks=(0, 1))
        bar.solids.set_alpha(1)
        bar.set_ticklabels(('none', 'most'), fontsize=7)
    panels = under.subplots(1, 1 + bool(found.gates), squeeze=False)[0]
    draw_votes(panels[0], found)
    if found.gates:
        draw_gates(panels[1], found)
    return figure


def draw_votes(axis, found: Explanation) -> None:
    """Draw the probabilities of the classes, and below each those by every output."""
    names = [*found.scores][::-1]
    looks = [('all', found.scores), *found.votes.items()]
    step = 0.8 / len(looks)
    for i, (output, scores) in enumerate(looks):
        places = np.arange(len(names)) + 0.4 - step * (i + 0.5)
        colour = BLUE if i == 0 else LIGHT
        axis.barh(places, [scores[name] for name in names], step * 0.9, color=colour, edgecolor=GREY, linewidth=0.4)
        for place, name in zip(places, names, strict=True):
            first = max(scores, key=scores.get) == name
            text = f'{scores[name]:.2f}' + (f'  {output}' if found.votes else '') + ('  \u25c0' if first else '')
            axis.text(scores[name] + 0.01, place, text, va='center', fontsize=6.5, color=ORANGE if first else 'black')
    axis.set_yticks(range(len(names)), names, parse_math=False)
    axis.set_xlim(0, 1.25)
    axis.set_xticks((0, 0.5, 1))
    axis.set_xlabel('probability' + (', and the vote of each output' if found.votes else ''))


def draw_gates(axis, found: Explanation) -> None:
    """Draw how much of the shallower scale each fusion took, and how that differs over the picture."""
    names = [f'scale{len(found.gates) - 1 - i}' for i in range(len(found.gates))]
    parts = [gate.ravel() for gate in found.gates]
    for place, part in enumerate(parts[::-1]):
        axis.plot([part.min(), part.max()], [place, place], color=GREY)
        axis.plot(part.mean(), place, 'o', color=BLUE)
        axis.text(part.mean(), place + 0.15, f'{part.mean():.2f}', ha='center', fontsize=7)
    axis.axvline(0.5, color=GREY, linewidth=0.8, linestyle=':')
    axis.set_yticks(range(len(names)), names[::-1])
    axis.set(xlim=(0, 1), ylim=(-0.5, len(names) - 0.3))
    axis.set_xlabel('share of this scale in its fusion with the deeper\n(mean and range over places and times)')
