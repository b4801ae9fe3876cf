"""Damage to valid files, drawn from a seed: tables, JSON, archives, arrays, pictures, names, and what is no file."""

import ast
import io
import json
import os
import pickle
import random
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np

DEEP = '[' * 100_000
# Texts that a page, a table program, a terminal, a path or a parser would take for more than text.
TEXTS = (
    *('', ' ', '0', '-1', '1.0', '-0.05', '1e308', 'nan', 'NaN', 'inf', '-inf', 'None', 'null', 'true', '?', '-', '*'),
    *(str(2**31), str(2**63), str(2**64), '9' * 400, '9' * 5000, '1e999', '0x10', '١٢', '½', '\uff11\uff12', '1_000'),
    *(
        '<script>alert(1)</script>',
        '<img src=x onerror=alert(1)>',
        '[c](javascript:alert(1))',
        '![p](http://e.org/p.png)',
    ),
    *('x\n# heading', 'x\n\n- item', 'a|b|c', '`code`', '***', '[^1]', '[a]: http://e.org', 'a\\', '&lt;b&gt;', '~~~'),
    *("=cmd|' /C calc'!A0", '@SUM(1+1)', '+1+cmd|', '-2+3', '=HYPERLINK("http://e.org")', '\t=1', '\uff1d1'),
    *('\x1b]0;x\x07', '\x1b[2J', 'a\u202eb', '\u200b', '\ufeff', '\0', 'a\0b', '\x7f', '\r', '\x85', '\u2028'),
    *('..', '../../../../X', '/abs/X', '.', './x', '~', 'a/b/c/d', '//', 'C:\\X', 'CON', 'x' * 300, 'x' * 10_000),
    *(
        'full',
        'smic/s01/x',
        '/',
        '{',
        DEEP[:5000],
        '{"a":' * 5000,
        "'",
        '"',
        '""',
        ',',
        ';',
        '\\input{x}',
        '$x^2$',
        '%',
        '#',
    ),
    *('恐惧', 'é', '\U0001f600', '(', ')', '((,', 'a(,,)-,', '=(,', '[,', '[[', '__import__("os")', 'lambda: 0'),
)
SURROGATE = '\ud800'
VALUES = (
    *(None, True, False, 0, -1, 1.5, -0.0, 2**31, 2**63, 2**64, -(2**63), 10**400, 10**4400, 1e308),
    *(
        float('nan'),
        float('inf'),
        [],
        {},
        [[]],
        [None],
        [1, 2, 3],
        {'a': 1},
        {'': ''},
        'abc',
        SURROGATE,
        f'a{SURROGATE}',
    ),
)

Change = Callable[[bytes, random.Random], bytes]


def damage(path: Path, content: bytes, rng: random.Random) -> bytes:
    """Return the bytes of a file, changed in one to three places in the way of its kind or as mere bytes."""
    kind = KINDS.get(path.suffix, change_text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = (change_bytes if rng.random() < 0.2 else kind)(content, rng)
    return content


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip, zero, repeat, put in, or put an end to bytes."""
    first, last = sorted((rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)))
    last = min(last, first + rng.choice((1, 4, 64, 4096)))
    part = content[first:last]
    put = rng.choice(
        (b'', b'\0' * len(part), part * 2, rng.randbytes(len(part)), b'\xff\xfe', b'\0', b'\n', b'\xed\xa0\x80')
    )
    return rng.choice(
        (
            content[:first] + put + content[last:],
            content[:first] + put + content[last:],
            content[:first] + put + content[first:],
            content[:first],
            b'',
            content + content,
            rng.randbytes(40),
        )
    )


def draw_text(rng: random.Random) -> str:
    return rng.choice(TEXTS)


def encoded(text: str, rng: random.Random) -> bytes:
    """Return text in UTF-8, seldom in another encoding."""
    if rng.random() < 0.95:
        return text.encode('utf-8', 'surrogatepass')
    return text.encode(rng.choice(('utf-16', 'utf-16-le', 'gb18030', 'latin-1', 'utf-8-sig', 'utf-32')), 'replace')


def change_text(content: bytes, rng: random.Random) -> bytes:
    """Change a text by a word or a line."""
    text = content.decode('utf-8', 'replace')
    lines = text.split('\n')
    place = rng.randrange(len(lines))
    words = lines[place].split(' ')
    words[rng.randrange(len(words))] = draw_text(rng)
    change = rng.randrange(6)
    if change < 3:
        lines[place] = ' '.join(words)
    elif change == 3:
        lines[place] = draw_text(rng)
    elif change == 4:
        lines = lines[:place] + lines[place + 1 :]
    else:
        first = rng.randrange(len(text) + 1)
        return encoded(text[:first] + draw_text(rng) + text[first:], rng)
    return encoded('\n'.join(lines), rng)


def change_table(content: bytes, rng: random.Random) -> bytes:
    """Change a csv by cells, rows, columns, marks or line ends."""
    text = content.decode('utf-8', 'replace')
    mark = max(',;\t', key=text.count)
    rows = [line.split(mark) for line in text.splitlines()] or [['']]
    row = rows[rng.randrange(len(rows))]
    change = rng.randrange(10)
    if change < 5:
        cell = draw_text(rng)
        row[rng.randrange(len(row))] = f'"{cell.replace(chr(34), chr(34) * 2)}"' if rng.random() < 0.5 else cell
    elif change == 5:
        rows.insert(rng.randrange(len(rows) + 1), list(rng.choice(rows)))
    elif change == 6:
        rows.remove(row)
    elif change == 7:
        place = rng.randrange(len(rows[0]))
        rows = [cells[:place] + cells[place + 1 :] for cells in rows]
    elif change == 8:
        mark = rng.choice((',', ';', '\t', '|', ', '))
    else:
        row.extend([draw_text(rng)] * rng.choice((1, 1, 50)))
    return encoded(rng.choice(('\n', '\n', '\n', '\r\n', '\r')).join(mark.join(cells) for cells in rows), rng)


def change_json(content: bytes, rng: random.Random) -> bytes:
    """Change a JSON file by one key or value, somewhere in it."""
    if rng.random() < 0.02:
        return rng.choice((DEEP.encode(), b'{"a":' * 10_000, b'1' * 5000))
    try:
        tree = change_tree(json.loads(content), rng)
        return json.dumps(tree, ensure_ascii=rng.random() < 0.7).encode('utf-8', 'surrogatepass')
    except (
        ValueError,
        RecursionError,
    ):  # damaged before; or a number of thousands of digits, which json does not write
        return rng.choice((change_bytes, change_text))(content, rng)


def change_literal(content: bytes, rng: random.Random) -> bytes:
    """Change what Python prints of dicts and lists by one key or value."""
    try:
        return repr(change_tree(ast.literal_eval(content.decode()), rng)).encode('utf-8', 'surrogatepass')
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return rng.choice((change_bytes, change_text))(content, rng)


def change_tree(tree: object, rng: random.Random) -> object:
    """Return dicts and lists within each other, one key or value of which is another."""
    if rng.random() < 0.05:
        return rng.choice(([], {}, None, 'x', 1, float('nan'), nested(list), nested(dict)))
    node = tree
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        if not keys:
            return draw_text(rng)
        key = rng.choice(keys)
        if isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.7:
            node = node[key]
            continue
        break
    value = rng.choice(VALUES) if rng.random() < 0.6 else draw_text(rng)
    change = rng.randrange(8)
    if change < 5:
        node[key] = value
    elif change == 5:
        del node[key]
    elif isinstance(node, dict):
        node[draw_text(rng)] = node.pop(key) if change == 6 else value
    else:
        node.append(value)
    return tree


def nested(kind: type) -> object:
    """Return 900 lists or dicts within each other."""
    tree = kind()
    for _ in range(900):
        tree = [tree] if kind is list else {'a': tree}
    return tree


def change_workbook(content: bytes, rng: random.Random) -> bytes:
    """Change a part of an xlsx, or what the archive says of its parts."""
    parts = unpack(content)
    if not parts:
        return change_bytes(content, rng)
    name = rng.choice(sorted(parts)) if rng.random() < 0.3 else max(parts, key=lambda part: ('sheet1' in part, part))
    text = parts[name].decode('utf-8', 'replace')
    tags = text.split('<')
    place = rng.randrange(len(tags))
    change = rng.randrange(8)
    if change < 4 and '>' in tags[place]:
        tag, _, inside = tags[place].partition('>')
        shown = draw_text(rng).replace('&', '&amp;').replace('<', '&lt;')
        tags[place] = f'{tag}>{shown if inside or rng.random() < 0.5 else inside}'
        parts[name] = '<'.join(tags).encode('utf-8', 'surrogatepass')
    elif change == 4:
        cell = rng.choice(('XFD1048576', 'XFD1', 'A1048576', 'ZZZZZ9', 'A0', '1', '', 'A99999999999999', 'AMJ200000'))
        parts[name] = text.replace('r="B2"', f'r="{cell}"', 1).encode()
    elif change == 5:
        del parts[name]
    elif change == 6:
        parts[name] = change_bytes(parts[name], rng)
    else:
        parts[draw_text(rng)[:200] or 'x'] = b'x'
    return pack(parts, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


class Call:
    """What runs code where a pickle of it is opened."""

    def __reduce__(self) -> tuple:
        return os._exit, (77,)


def change_checkpoint(content: bytes, rng: random.Random) -> bytes:
    """Change a part of a file of torch.save whose sums are right again, put code into it, or change mere bytes."""
    parts = unpack(content)
    if not parts or rng.random() < 0.3:
        return change_bytes(content, rng)
    name = rng.choice(sorted(parts))
    change = rng.randrange(6)
    if change == 0:
        del parts[name]
    elif change == 1:
        parts['archive/data.pkl'] = parts[next(part for part in parts if part.endswith('data.pkl'))] = pickle.dumps(
            Call()
        )
    else:
        parts[name] = change_bytes(parts[name], rng)
    return pack(parts, zipfile.ZIP_STORED if rng.random() < 0.9 else zipfile.ZIP_DEFLATED)


def unpack(content: bytes) -> dict[str, bytes]:
    """Return the parts of a zip archive by name; none where it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error):
        return {}


def pack(parts: dict[str, bytes], way: int) -> bytes:
    """Return a zip archive."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, 'w', way) as archive:
        for part, inside in parts.items():
            archive.writestr(part.encode('utf-8', 'replace').decode().replace('\0', '') or 'x', inside)
    return written.getvalue()


def change_array(content: bytes, rng: random.Random) -> bytes:
    """Change the header of a .npy file."""
    if len(content) < 10 or not content.startswith(b'\x93NUMPY'):
        return change_bytes(content, rng)
    end = 10 + struct.unpack('<H', content[8:10])[0]
    header, rest = content[10:end].decode('latin-1'), content[end:]
    old = rng.choice(("'<f2'", 'False', 'shape', 'descr', '(', ',', ')', '2', '3', '}'))
    new = rng.choice(
        ("'|O'", "'<f8'", "'<U9999999'", 'True', '-1', '0', str(2**63), '9' * 5000, '(((((', '', "'<M8'", *TEXTS[:40])
    )
    if rng.random() < 0.3:
        return content[:end] + change_bytes(rest, rng)
    header = header.replace(old, new, 1).encode('utf-8', 'replace')[:60_000]
    version = rng.choice((b'\x01\x00', b'\x01\x00', b'\x02\x00', b'\x09\x00'))
    return b'\x93NUMPY' + version + struct.pack('<H', len(header)) + header + rest


def change_picture(content: bytes, rng: random.Random) -> bytes:
    """Change what the header of a PNG says, with a right checksum, or put another picture there; else mere bytes."""
    if rng.random() < 0.1:
        shape = (rng.choice((1, 2, 7, 24)), rng.choice((1, 3, 16)), *rng.choice(((), (3,), (4,))))
        pixels = np.full(shape, 200, rng.choice((np.uint8, np.uint16)))
        return cv2.imencode(rng.choice(('.png', '.tif')), pixels)[1].tobytes()
    if content[12:16] != b'IHDR':
        return change_bytes(content, rng)
    sizes = (0, 1, 2, 7, 40_000, 30_000, 2**31 - 1, 2**32 - 1)
    depth = bytes((rng.choice((0, 1, 8, 16, 255)), rng.choice((0, 2, 3, 4, 6, 9)), 0, 0, rng.choice((0, 1, 2))))
    header = b'IHDR' + struct.pack('>II', rng.choice(sizes), rng.choice(sizes)) + depth
    return content[:12] + header + struct.pack('>I', zlib.crc32(header)) + content[33:]


def draw_name(name: str, rng: random.Random) -> str:
    """Return another name for a file or folder, one that a file system takes."""
    place = rng.randrange(len(name) + 1)
    text = draw_text(rng).replace('/', '_').replace('\0', '')
    new = rng.choice(
        (text, name[:place] + text, name[:place] + text + name[place:], name.upper(), name[:place], name * 2)
    )
    encoded_name = new.encode('utf-8', 'surrogateescape')[:200].decode('utf-8', 'ignore')
    return encoded_name if encoded_name not in ('', '.', '..') else 'x'


def put_special(path: Path, rng: random.Random) -> None:
    """Put something there that is no file: a folder, a pipe, a socket, a device, links to nothing and to itself."""
    kind = rng.randrange(6)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        with closing(socket.socket(socket.AF_UNIX)) as end, pushed(path.parent):
            end.bind(path.name)  # a socket's path may have 107 bytes
    else:
        path.symlink_to(('/dev/zero', path.name, 'nowhere')[kind - 3])


@contextmanager
def pushed(folder: Path) -> Iterator[None]:
    """Work in a folder (contextlib.chdir would need Python 3.11)."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


KINDS: dict[str, Change] = {
    '.csv': change_table,
    '.json': change_json,
    '.literal': change_literal,
    '.xlsx': change_workbook,
    '.xls': change_bytes,
    '.npy': change_array,
    '.png': change_picture,
    '.jpg': change_picture,
    '.bmp': change_picture,
    '.tif': change_picture,
    '.webp': change_picture,
    '.pth': change_checkpoint,
    '.safetensors': change_bytes,
}
