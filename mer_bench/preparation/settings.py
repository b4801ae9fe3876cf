"""The options of preparing clips. Imports neither OpenCV, dlib nor torch, so the command line starts fast."""

from dataclasses import dataclass
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.preparation.flow.optical_flow import flow_names

APEXES = ('annotated', 'middle', 'spotted')
MISSING_APEXES = ('middle', 'spotted')
REFERENCES = ('onset', 'previous')
PICTURES = ('grey', 'change')  # channels that are not flow: the frame, and what changed in it since the onset
FLOW_CHANNELS = ('u', 'v', 'strain', 'magnitude', 'angle')
CHANNELS = (*FLOW_CHANNELS, *PICTURES)
CHANGED_BY_MIRRORING = ('u', 'angle')  # beside moving the pixels; `still` must not keep its picture there
MIN_SIZE = 28
DETECTORS = ('none', 'dlib')
MIN_FACE_SIZE = 64


@dataclass(frozen=True)
class FlowSettings:
    """How clips become arrays (C, clip_len, size, size), C being the number of channels.

    Args:
        flow: the optical-flow method, or `still`: the apex frame alone in the last channel and 0 in the others, a
            control without motion.
        clip_len: sampled frames per clip, T.
        size: height and width of the stored maps in pixels.
        apex: `annotated` takes the apex of the data set where it has one, `middle` and `spotted` choose it for all.
        missing_apex: with `annotated`, how to choose the apex of a clip that has none.
        reference: where the motion starts: `onset` for all sampled frames, or `previous`, the sampled frame before
            (the onset for the first).
        channels: the stored maps in their order.
        raft_weights: for flow `raft`, a file with the state dict of torchvision's raft_small or raft_large.
    """

    flow: str = 'tvl1'
    clip_len: int = 16
    size: int = 112
    apex: str = 'annotated'
    missing_apex: str = 'middle'
    reference: str = 'onset'
    channels: tuple[str, ...] = ('u', 'v', 'strain')
    raft_weights: str | Path | None = None

    def __post_init__(self) -> None:
        check_choice('flow', self.flow, flow_names())
        check_choice('apex', self.apex, APEXES)
        check_choice('missing-apex', self.missing_apex, MISSING_APEXES)
        check_choice('reference', self.reference, REFERENCES)
        if self.clip_len < 1:
            raise InputError(f'clip-len must be at least 1 frame, got {self.clip_len}; 16 is the default')
        if self.size < MIN_SIZE:
            raise InputError(f'size must be at least {MIN_SIZE} pixels, got {self.size}; 112 is the default')
        object.__setattr__(self, 'channels', tuple(self.channels))  # a list from the command line or a JSON file
        self.check_channels()
        if self.flow == 'raft' and not self.raft_weights:
            raise InputError(
                'flow raft needs its weights, which are not part of this package; give --raft-weights FILE, the state '
                "dict of torchvision's raft_small or raft_large"
            )
        if self.flow != 'raft' and self.raft_weights:
            raise InputError(
                f'raft-weights are given, but the flow is {self.flow!r}; choose --flow raft or leave them out'
            )

    def check_channels(self) -> None:
        """Refuse channels that are unknown, repeated, none, or unfit for mirroring."""
        for channel in self.channels:
            check_choice('channel', channel, CHANNELS)
        if not self.channels or len(set(self.channels)) < len(self.channels):
            raise InputError(f'channels: expected one or more, each once, got {list(self.channels)}; correct the list')
        if 'angle' in self.channels and 'magnitude' not in self.channels and not {'u', 'v'} <= set(self.channels):
            raise InputError(
                "channel 'angle' is 0 both where nothing moves and where all moves to the right, which must not be "
                "mirrored alike; add 'magnitude', or both 'u' and 'v'"
            )
        if self.flow == 'still' and {*PICTURES} & {*self.channels}:
            raise InputError(
                'flow still keeps its picture in a channel of flow; leave out the channels grey and change'
            )
        if self.flow == 'still' and self.channels[-1] in CHANGED_BY_MIRRORING:
            raise InputError(
                f'flow still keeps its picture in the last channel, and mirroring changes the values of '
                f'{self.channels[-1]!r}; name another channel last'
            )


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is none of the choices."""
    if value not in choices:
        raise InputError(f'{name} {value!r} is not one of {choices}; choose one of them')


@dataclass(frozen=True)
class FaceSettings:
    """How the face of a clip is cut out of its frames.

    Args:
        detector: `none` takes the frames as they are, `dlib` finds the face and aligns it.
        size: height and width of the aligned crop in pixels.
        stabilise: whether the head's own shift and rotation since the onset are taken out of every frame.
    """

    detector: str = 'none'
    size: int = 224
    stabilise: bool = False

    def __post_init__(self) -> None:
        check_choice('face detector', self.detector, DETECTORS)
        if self.size < MIN_FACE_SIZE:
            raise InputError(
                f'face size: expected at least {MIN_FACE_SIZE} pixels, found {self.size}; 224 is the default'
            )
        if self.stabilise and self.detector == 'none':
            raise InputError(
                "stabilise: expected a face detector to find the nose, found 'none'; choose the detector dlib"
            )
