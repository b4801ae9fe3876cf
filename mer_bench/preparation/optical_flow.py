"""Optical flow between two frames (OpenCV's methods, RAFT) and optical strain (Shreve et al., FG 2011)."""

from pathlib import Path

import cv2
import numpy as np

from mer_bench.errors import InputError
from mer_bench.preparation.raft import raft_flow, raft_parameters
from mer_bench.preparation.settings import FlowSettings

# TV-L1 (Zach et al., 2007) with OpenCV's defaults but a looser epsilon: a sixth of the time, and an endpoint error of
# 0.03 instead of 0.007 pixels on a shift of 0.7.
TVL1 = {
    'tau': 0.25,
    'lambda_': 0.15,
    'theta': 0.3,
    'nscales': 5,
    'warps': 5,
    'epsilon': 0.05,
    'innnerIterations': 30,  # OpenCV's own spelling
    'outerIterations': 10,
    'scaleStep': 0.8,
    'gamma': 0.0,
    'medianFiltering': 5,
}
# Farneback (SCIA 2003) with the values of OpenCV's own tutorial.
FARNEBACK = {
    'pyr_scale': 0.5,
    'levels': 3,
    'winsize': 15,
    'iterations': 3,
    'poly_n': 5,
    'poly_sigma': 1.2,
    'flags': 0,
}
# DIS (Kroeger et al., ECCV 2016). The fast preset is too coarse for a fraction of a pixel.
DIS = {'preset': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}

FLOW_PARAMETERS = {'tvl1': TVL1, 'farneback': FARNEBACK, 'dis': DIS, 'still': {}}


def flow_parameters(settings: FlowSettings) -> dict:
    """Return the parameters of the settings' method, for store.json; a file that cannot be used is refused here."""
    return raft_parameters(settings.raft_weights) if settings.flow == 'raft' else FLOW_PARAMETERS[settings.flow]


def compute_flow(
    first: np.ndarray, second: np.ndarray, method: str, raft_weights: str | Path | None = None
) -> np.ndarray:
    """Return the motion from `first` to `second`.

    Args:
        first: grey picture, (H, W) uint8.
        second: grey picture of the same size.
        method: `tvl1`, `farneback`, `dis` or `raft`.
        raft_weights: for `raft`, the file of its weights.

    Returns:
        (2, H, W) float32: u to the right and v downwards, in pixels.
    """
    if method == 'raft':
        return raft_flow(first, second, raft_weights)
    if method == 'tvl1':
        flow = tvl1().calc(first, second, None)
    elif method == 'farneback':
        flow = cv2.calcOpticalFlowFarneback(first, second, None, **FARNEBACK)
    elif method == 'dis':
        flow = cv2.DISOpticalFlow_create(**DIS).calc(first, second, None)
    else:
        raise ValueError(f'no optical-flow method {method!r}; choose tvl1, farneback, dis or raft')
    return np.ascontiguousarray(flow.transpose(2, 0, 1))


def tvl1() -> cv2.Algorithm:
    """Return OpenCV's TV-L1, which only opencv-contrib-python holds."""
    if not hasattr(getattr(cv2, 'optflow', None), 'DualTVL1OpticalFlow_create'):
        raise InputError(
            'TV-L1 flow needs opencv-contrib-python, but opencv-python was installed over it; repair it with '
            '`pip install --force-reinstall --no-deps opencv-contrib-python` or choose --flow dis'
        )
    return cv2.optflow.DualTVL1OpticalFlow_create(**TVL1)


def optical_strain(flow: np.ndarray) -> np.ndarray:
    """Return the magnitude of the infinitesimal strain tensor of a flow field.

    e = (grad u + grad u^T) / 2 and the magnitude is sqrt(exx^2 + eyy^2 + 2 exy^2) (Shreve et al., "Macro- and
    micro-expression spotting in long videos using spatio-temporal strain", FG 2011).

    Args:
        flow: (2, H, W) float32 in pixels.

    Returns:
        (H, W) float32, without unit. Derivatives are 3x3 Sobel, half as large on the outermost pixels.
    """
    u, v = flow
    exx, eyy = derivative(u, 1, 0), derivative(v, 0, 1)
    exy = (derivative(u, 0, 1) + derivative(v, 1, 0)) / 2
    return np.sqrt(exx**2 + eyy**2 + 2 * exy**2)


def derivative(field: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Return the derivative per pixel; the 3x3 Sobel weights sum to 8 per pixel of slope."""
    return cv2.Sobel(field, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
