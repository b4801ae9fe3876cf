"""One picture file -> an array. Kind, header and end are checked before decoding, as the file may be hostile."""

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mer_bench.errors import InputError
from mer_bench.files import refuse_special

FORMATS = ('JPEG', 'PNG', 'BMP', 'TIFF', 'WEBP')
MAX_PIXELS = 2**26  # 8192x8192; a frame of SAMM, the largest of the data sets, has 2040x1088
MAX_BYTES = 2**29  # more than such a picture needs in any of the formats
RESTORE = 'restore it'
GREY_MODES = ('1', 'L', 'LA', 'I', 'I;16', 'F')
BITS_PER_SAMPLE = 258  # tag of TIFF
JPEG_MARKER = re.compile(rb'\xff([^\x00\xff])')  # in the coded picture FF is followed by 00, or by a restart
RESTARTS, END_OF_JPEG = range(0xD0, 0xD8), 0xD9
WITHOUT_LENGTH = (0x01, 0xD8, *RESTARTS)


def read_picture(path: Path, colour: bool = False, remedy: str = RESTORE) -> np.ndarray:
    """Read a picture, upright by its EXIF entry; transparency is ignored.

    Args:
        path: a JPEG, PNG, BMP, TIFF or WebP picture, with any suffix; of several in a file the first counts.
        colour: whether colours are wanted.
        remedy: what the user can do about a damaged picture, for the message.

    Returns:
        grey (H, W), uint8 or, where the picture has 16 bits, uint16; with `colour` (H, W, 3) uint8, red, green, blue.

    Raises:
        InputError: the file is no such picture, is damaged, or asks for more than `MAX_PIXELS`.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the errors below are clearer
    content = read_content(path, remedy)
    mode = check_header(path, content, remedy)
    if colour and mode in GREY_MODES:
        raise InputError(f'{path}: expected a picture in red, green and blue, found a grey one; {remedy}')
    flags = cv2.IMREAD_ANYDEPTH | (cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except (cv2.error, MemoryError):
        picture = None
    if picture is None:
        raise InputError(f'{path}: expected a picture, it cannot be read; {remedy}')
    depths = (np.uint8,) if colour else (np.uint8, np.uint16)
    if picture.dtype not in depths:
        wanted = ' or '.join(str(np.dtype(depth)) for depth in depths)
        raise InputError(f'{path}: expected a picture of {wanted} levels, found {picture.dtype}; convert it')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if colour else picture


def digest_picture(path: Path, remedy: str = RESTORE) -> str:
    """Return the SHA-256 of the bytes of a picture."""
    return hashlib.sha256(read_content(path, remedy)).hexdigest()


def is_deep(path: Path) -> bool:
    """Return whether a picture has 16 bits, from its header alone; False where it cannot be read."""
    try:
        refuse_special(path)
        with header_of(path) as image:
            return bits(image) == 16
    except Exception:  # read_picture gives the reason
        return False


@contextmanager
def header_of(file: Path | io.BytesIO) -> Iterator[Image.Image]:
    """Yield a picture of which Pillow has read the header alone; hostile bytes can raise anything."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # on what it can read all the same
        with Image.open(file, formats=FORMATS) as image:
            yield image


def bits(image: Image.Image) -> int:
    """Return the bits per channel by the header."""
    if image.format == 'TIFF':
        return max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))
    return 16 if image.format == 'PNG' and '16' in str(image.tile[0].args) else 8


def read_content(path: Path, remedy: str) -> bytes:
    """Return the bytes of a regular file of a size that a picture may have."""
    refuse_special(path, remedy)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else None
    except (OSError, MemoryError) as error:
        reason = getattr(error, 'strerror', 'too little memory')
        raise InputError(f'{path}: expected a picture, it cannot be read ({reason}); {remedy}') from error
    if content is None:
        raise InputError(f'{path}: expected a picture, found a file of {size >> 20} MiB; {remedy}')
    return content


def check_header(path: Path, content: bytes, remedy: str) -> str:
    """Refuse what is no picture by its header, too large a one, and one whose end is missing; return Pillow's mode."""
    try:
        with header_of(io.BytesIO(content)) as image:
            kind, mode, (width, height) = image.format, image.mode, image.size
            if kind == 'PNG':
                image.verify()  # the sums of its parts; decodes nothing
    except Image.DecompressionBombError as error:
        found = re.search(r'\d+', str(error))  # Pillow gives their number, not the size
        raise InputError(
            f'{path}: expected a picture of at most {MAX_PIXELS} pixels, its header has '
            f'{found[0] if found else "more"}; {remedy}'
        ) from error
    except Exception as error:  # hostile bytes can make Pillow raise anything
        kinds = ', '.join(FORMATS)
        raise InputError(f'{path}: expected a picture, it cannot be read as one of {kinds}; {remedy}') from error
    if width * height > MAX_PIXELS:
        raise InputError(
            f'{path}: expected a picture of at most {MAX_PIXELS} pixels, its header has {width}x{height}; {remedy}'
        )
    if kind in ('JPEG', 'MPO') and not jpeg_ends(content):
        raise InputError(f'{path}: the picture is cut off; {remedy}')
    return mode


def jpeg_ends(content: bytes) -> bool:
    """Return whether a JPEG has its end; what a program wrote behind it does not matter.

    A decoder fills the missing part of a truncated JPEG with grey. A preview in the header has its own end marker, so
    the parts of the header are skipped.
    """
    place = 2
    while match := JPEG_MARKER.search(content, place):
        marker, place = match[1][0], match.end()
        if marker == END_OF_JPEG:
            return True
        if marker not in WITHOUT_LENGTH:
            place += int.from_bytes(content[place : place + 2], 'big')
    return False
