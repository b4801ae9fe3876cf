import io
import os
import socket
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mer_bench.errors import InputError
from mer_bench.preparation.pictures import digest_picture, is_deep, read_picture

GREY = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
COLOUR = np.dstack([GREY, GREY + 40, GREY[::-1]])


def write(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def png_of(width, height, bit_depth, path):
    """Write a PNG that says it is of this size, with a few bytes of it."""
    header = struct.pack('>IIBBBBB', width, height, bit_depth, 0, 0, 0, 0)
    parts = [(b'IHDR', header), (b'IDAT', zlib.compress(bytes(9))), (b'IEND', b'')]
    chunks = [
        struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body)) for kind, body in parts
    ]
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(chunks))
    return path


@pytest.mark.parametrize(
    ('name', 'mode', 'options'),
    [
        ('cmyk.jpg', 'CMYK', {'quality': 100}),
        ('palette.png', 'P', {}),
        ('one_bit.png', '1', {}),
        ('one_bit.tif', '1', {'compression': 'group4'}),
        ('alpha.png', 'RGBA', {}),
        ('alpha.webp', 'RGBA', {'lossless': True}),
        ('grey_alpha.png', 'LA', {}),
        ('plain.bmp', None, {}),
        ('plain.tiff', None, {'compression': 'tiff_lzw'}),
    ],
)
def test_pictures_of_every_mode_are_read_as_the_grey_that_pillow_sees(tmp_path, name, mode, options):
    path = write(tmp_path / name, COLOUR, mode, **options)
    expected = np.asarray(Image.open(path).convert('L')).astype(int)
    assert np.abs(read_picture(path) - expected).max() <= 2  # rounding of the colours' weights


@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.tif', 'a.webp'])
def test_a_picture_is_upright_by_its_exif_entry(tmp_path, name):
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half
    path = write(tmp_path / name, COLOUR, exif=exif)
    plain = write(tmp_path / f'plain_{name}', COLOUR)
    np.testing.assert_array_equal(read_picture(path), read_picture(plain)[::-1, ::-1])


@pytest.mark.parametrize('name', ['a.png', 'a.tif'])
def test_sixteen_bits_are_kept(tmp_path, name):
    path = tmp_path / name
    cv2.imwrite(str(path), GREY.astype(np.uint16) * 4)
    np.testing.assert_array_equal(read_picture(path), GREY.astype(np.uint16) * 4)
    assert is_deep(path)
    assert not is_deep(write(tmp_path / f'eight_{name}', GREY))


@pytest.mark.parametrize(
    ('width', 'height', 'found'),
    [
        (40_000, 40_000, '1600000000'),
        (30_000, 30_000, '900000000'),
        (2**31 - 1, 1, '2147483647'),
        (8200, 8200, '8200x8200'),
    ],
)
def test_a_huge_picture_is_refused_by_its_header(tmp_path, width, height, found):
    expected = rf'a.png: expected a picture of at most 67108864 pixels, its header has {found}; restore it'
    with pytest.raises(InputError, match=expected):
        read_picture(png_of(width, height, 1, tmp_path / 'a.png'))


def test_what_is_written_behind_a_jpeg_does_not_matter_and_a_missing_end_does(tmp_path):
    path = write(tmp_path / 'a.jpg', COLOUR, progressive=True)
    whole, picture = path.read_bytes(), read_picture(path)
    path.write_bytes(whole + bytes(5000) + whole[:300])
    np.testing.assert_array_equal(read_picture(path), picture)
    path.write_bytes(whole[:-200] + bytes(5000))
    with pytest.raises(InputError, match=r'a.jpg: the picture is cut off; restore it'):
        read_picture(path)


def test_the_end_of_a_preview_in_the_header_is_not_that_of_the_jpeg(tmp_path):
    preview = io.BytesIO()
    Image.fromarray(GREY).save(preview, 'JPEG')
    whole = write(tmp_path / 'a.jpg', COLOUR).read_bytes()
    segment = b'\xff\xe1' + struct.pack('>H', 2 + len(preview.getvalue())) + preview.getvalue()
    (tmp_path / 'a.jpg').write_bytes(whole[:2] + segment + whole[2:-20])
    with pytest.raises(InputError, match='the picture is cut off'):
        read_picture(tmp_path / 'a.jpg')


@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.bmp', 'a.tif', 'a.webp'])
@pytest.mark.parametrize('share', [0.02, 0.5, 0.97])
def test_a_cut_off_picture_of_any_format_is_refused(tmp_path, capfd, name, share):
    path = write(tmp_path / name, np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=rf'{name}: .*; restore it$'):
        read_picture(path)
    assert capfd.readouterr().err == ''


def make_sparse(path):
    with open(path, 'wb') as file:
        file.truncate(2**40)


def make_socket(path):
    socket.socket(socket.AF_UNIX).bind(str(path))


@pytest.mark.parametrize(
    ('make', 'fault'),
    [
        (os.mkfifo, 'expected a file, found a pipe'),
        (make_socket, 'expected a file, found a socket'),
        (os.mkdir, 'expected a file, found a folder'),
        (lambda path: os.symlink('/dev/zero', path), 'expected a file, found a device'),
        (lambda path: os.symlink('nowhere', path), r'cannot be read \(No such file or directory\)'),
        (lambda path: os.symlink(path, path), r'cannot be read \(Too many levels of symbolic links\)'),
        (make_sparse, 'expected a picture, found a file of 1048576 MiB'),
    ],
)
@pytest.mark.parametrize('read', [read_picture, digest_picture])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path, monkeypatch, make, fault, read):
    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    make('frame.jpg')
    with pytest.raises(InputError, match=rf'frame.jpg: .*{fault}.*; restore it$'):
        read(tmp_path / 'frame.jpg')


@pytest.mark.parametrize(
    ('array', 'fault'),
    [
        (GREY, 'in red, green and blue, found a grey one'),
        (np.dstack([GREY.astype(np.uint16)] * 3), 'of uint8 levels, found uint16'),
    ],
)
def test_a_flow_picture_has_three_channels_of_eight_bits(tmp_path, array, fault):
    cv2.imwrite(str(tmp_path / 'a.png'), array)
    with pytest.raises(InputError, match=f'a.png: expected a picture {fault}'):
        read_picture(tmp_path / 'a.png', colour=True)


def test_levels_that_are_no_whole_numbers_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.tif'), GREY.astype(np.float32))
    with pytest.raises(InputError, match=r'a.tif: expected a picture of uint8 or uint16 levels, found float32'):
        read_picture(tmp_path / 'a.tif')
