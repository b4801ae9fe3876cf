"""Smooth textures that move by a known shift."""

from pathlib import Path

import cv2
import numpy as np
import pytest


def shifted_texture(dx: float, dy: float, shape=(64, 72), seed=0) -> np.ndarray:
    """Return a periodic band-limited texture moved right by `dx` and down by `dy` pixels, exactly (Fourier shift)."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None]
    spectrum = np.fft.fft2(np.random.default_rng(seed).normal(size=shape)) * (np.hypot(fx, fy) < 0.12)
    texture = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (fx * dx + fy * dy))).real
    return np.clip(127 + 50 * texture / texture.std(), 0, 255).round().astype(np.uint8)


def write_clip_of_shifts(folder: Path, shifts: list[float], first: int = 100, seed: int = 0, shape=(64, 72)) -> None:
    """Write frames reg_image<first>.bmp, ... whose texture has moved right by `shifts` pixels."""
    folder.mkdir(parents=True)
    for number, shift in enumerate(shifts, start=first):
        cv2.imwrite(str(folder / f'reg_image{number}.bmp'), shifted_texture(shift, 0, shape, seed))


@pytest.fixture
def smic_raw(tmp_path) -> Path:
    """SMIC-HS of 2 subjects and 4 clips of 5 frames, largest motion in the fourth."""
    raw = tmp_path / 'raw'
    clips = ('s1/micro/negative/s1_ne_01', 's1/micro/positive/s1_po_01')
    clips += ('s2/micro/negative/s2_ne_01', 's2/micro/surprise/s2_sur_01')
    for seed, clip in enumerate(clips):
        write_clip_of_shifts(raw / 'SMIC_all_cropped' / 'HS' / clip, [0, 0.2, 0.4, 0.8, 0.3], first=98, seed=seed)
    return raw
