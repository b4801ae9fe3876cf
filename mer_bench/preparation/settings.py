"""What a user chooses when preparing clips; free of OpenCV, so that the command line starts at once."""

from dataclasses import dataclass

from mer_bench.errors import InputError

FLOWS = ('tvl1', 'farneback', 'dis', 'still')
APEXES = ('middle', 'spotted')
MIN_SIZE = 28


@dataclass(frozen=True)
class FlowSettings:
    """How clips become arrays (3, clip_len, size, size).

    Args:
        flow: the optical-flow method, or `still`: the apex frame alone, a control without motion.
        clip_len: sampled frames per clip, T.
        size: height and width of the stored maps in pixels.
        apex: how to choose the apex of a clip that has no apex label.
    """

    flow: str = 'tvl1'
    clip_len: int = 16
    size: int = 112
    apex: str = 'middle'

    def __post_init__(self) -> None:
        if self.flow not in FLOWS:
            raise InputError(f'flow {self.flow!r} is not one of {FLOWS}; choose one of them')
        if self.apex not in APEXES:
            raise InputError(f'apex {self.apex!r} is not one of {APEXES}; choose one of them')
        if self.clip_len < 1:
            raise InputError(f'clip-len must be at least 1 frame, got {self.clip_len}; 16 is the default')
        if self.size < MIN_SIZE:
            raise InputError(f'size must be at least {MIN_SIZE} pixels, got {self.size}; 112 is the default')
