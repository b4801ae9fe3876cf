"""SHA256SUMS in a folder of committed results: the digest of every file that `--collect` copied, for `--check`.

`sha256sum -c SHA256SUMS` compares them as well. A changed score digit or letter of an audit changes no score of the
record, so nothing else would find it.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from mer_bench.errors import InputError, visible
from mer_bench.files import digest_file, refuse_special, write_atomically

SUMS = 'SHA256SUMS'
LINE = re.compile(r'([0-9a-f]{64})  (\S.*)')


def write_sums(folder: Path, copied: Iterable[Path], names: Iterable[str]) -> None:
    """Note the digests of copied files in `folder`/SHA256SUMS, or of all files where there is none yet.

    Args:
        copied: the folders below `folder` whose files are new.
        names: of the files that count.
    """
    known = read_sums(folder / SUMS) if (folder / SUMS).exists() else {}
    copied = {path.relative_to(folder).as_posix() for path in copied}
    kept = {name: digest for name, digest in known.items() if name.rpartition('/')[0] not in copied}
    added = {
        name: digest_file(path)
        for name, path in _files(folder, names).items()
        if not known or name.rpartition('/')[0] in copied
    }
    lines = [f'{digest}  {name}\n' for name, digest in sorted((kept | added).items())]
    with write_atomically(folder / SUMS) as temporary:
        temporary.write_bytes(''.join(lines).encode())


def read_sums(path: Path) -> dict[str, str]:
    """Return the digest of each file by its path below the folder of SHA256SUMS."""
    refuse_special(path)
    text = path.read_bytes().decode('utf-8', 'replace')
    matches = [LINE.fullmatch(line) for line in text.removesuffix('\n').split('\n')]
    if not all(matches):
        raise InputError(
            f'{path}: expected lines as sha256sum writes them, but line {matches.index(None) + 1} is another; '
            'put the file back, or remove it and collect the runs again'
        )
    return {match[2]: match[1] for match in matches}


def sum_faults(folder: Path, names: Iterable[str]) -> list[str]:
    """Name every file below `folder` that a SHA256SUMS there does not list, or lists with another digest."""
    faults = []
    for sums in sorted(folder.rglob(SUMS)):
        try:
            listed, present = read_sums(sums), _files(sums.parent, names)
            changed = [name for name in sorted({*listed} & {*present}) if digest_file(present[name]) != listed[name]]
        except InputError as error:
            faults.append(str(error))
            continue
        for found, fault in (
            (changed, 'expected the file that was collected, but its bytes differ'),
            (sorted({*listed} - {*present}), 'expected the file that was collected, but it is missing'),
            (sorted({*present} - {*listed}), f'expected a file that {SUMS} lists, but it does not'),
        ):
            faults += [
                f'{sums.parent / visible(name)}: {fault}; put it back or collect the run again' for name in found
            ]
    return faults


def _files(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for name in names for path in folder.rglob(name)}
