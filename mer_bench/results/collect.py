"""Finished runs copied into the folder of committed results, with a SHA256SUMS that lists every file of them.

`sha256sum -c SHA256SUMS` compares the files, and `--check` does: a changed score digit, or letter of an audit,
changes no score of the record, so nothing else would find it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mer_bench.errors import InputError, listed, visible
from mer_bench.escaping import inside, without_paths
from mer_bench.evaluation.curves import CURVES
from mer_bench.evaluation.epoch_audit import AUDIT, CANDIDATES
from mer_bench.files import digest_file, refuse_special, write_atomically, write_json
from mer_bench.results.record import FAILURE, RECORD, Failure, read_failure, read_record
from mer_bench.results.run import Run, describe_unfinished, find_runs, read_runs

WHERE_MADE = (AUDIT, CANDIDATES, CURVES)  # which not every run has
FINISHED = (RECORD, 'predictions.csv', *WHERE_MADE)
COMMITTED = (*FINISHED, FAILURE)
SUMS = 'SHA256SUMS'
LARGEST_SUMS = 64 << 20  # bytes; a line has some two hundred
LINE = re.compile(r'([0-9a-f]{64})  (\S.*)')


@dataclass(frozen=True)
class Collected:
    """The folders that were written, and a sentence for each unfinished run."""

    folders: list[Path]
    left_out: list[str]


def collect(results: list[str | Path], into: Path, with_predictions: bool = False) -> Collected:
    """Check runs and copy them to `into`/<config>/<method>/seed<N>/: record and predictions, or failure.json.

    Unfinished runs without a failure.json are left out. The reason of a failure loses the paths of this machine.

    Args:
        with_predictions: also copy runs on real data, whose predictions.csv holds names and labels of licensed clips.
    """
    records, failures = find_runs(results)
    unfinished = {path: text for path in records if (text := describe_unfinished(path, read_record(path)))}
    runs = read_runs([path for path in records if path not in unfinished])
    if not runs and not failures:
        raise InputError(
            f'expected a finished run, but there are only {listed([*unfinished.values()])}; run the same '
            'mer-bench train or mer-bench sweep command again'
        )
    real = [run for run in runs if not run.synthetic]
    if real and not with_predictions:
        raise InputError(
            f'{real[0].path} is a run on real data, and predictions.csv beside it holds the names and labels of its '
            'clips; if the licence of the data lets you publish them, give --with-predictions'
        )
    places = _places(runs, failures, into)
    failed = {failure.path.parent for failure in failures}
    for source, target in places.items():
        _copy(source, target, (FAILURE,) if source in failed else FINISHED)
    write_sums(into, places.values(), COMMITTED)
    return Collected(list(places.values()), list(unfinished.values()))


def _places(runs: list[Run], failures: list[Failure], into: Path) -> dict[Path, Path]:
    """Return the new folder of every run, by its old one; all are below `into`, and two runs never share one."""
    places: dict[Path, Path] = {}
    for found in (*runs, *failures):
        try:
            target = inside(into, found.place)
        except InputError as error:
            raise InputError(f'{found.path}: {error}') from None
        if twin := next((source for source, taken in places.items() if taken == target), None):
            raise InputError(f'{found.path.parent} and {twin} would both become {target}; collect one of them only')
        places[found.path.parent] = target
    return places


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    """Copy the named files, and delete the others that an earlier copy left."""
    names = tuple(name for name in names if name not in WHERE_MADE or (source / name).exists())
    for name in {*COMMITTED} - {*names}:
        (target / name).unlink(missing_ok=True)
    for name in names:
        if name == FAILURE:
            content = read_failure(source / name).content
            write_json(target / name, content | {'reason': without_paths(content['reason'])})
        else:
            refuse_special(source / name, 'restore it, or remove it')
            with write_atomically(target / name) as temporary:
                temporary.write_bytes((source / name).read_bytes())


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
    with open(path, 'rb') as file:
        content = file.read(LARGEST_SUMS + 1)
    if len(content) > LARGEST_SUMS:
        raise InputError(
            f'{path}: expected {LARGEST_SUMS >> 20} MiB at most, found more; remove it and collect the runs again'
        )
    text = content.decode('utf-8', 'replace')
    matches = [LINE.fullmatch(line) for line in text.removesuffix('\n').split('\n')]
    if not all(matches):
        raise InputError(
            f'{path}: expected lines as sha256sum writes them, but line {matches.index(None) + 1} is another; '
            'put the file back, or remove it and collect the runs again'
        )
    return {match[2]: match[1] for match in matches}


def sum_faults(folder: Path, names: Iterable[str]) -> list[str]:
    """Name every file below `folder` that a SHA256SUMS there does not list, or lists with another digest.

    Where some results have a SHA256SUMS, those without one are named too.
    """
    faults, found = [], sorted(folder.rglob(SUMS))
    known = {sums.parent for sums in found}
    if found:
        bare = {Path(name).parts[0] for name, path in _files(folder, names).items() if known.isdisjoint(path.parents)}
        faults += [
            f'{folder / visible(name)}: expected a {SUMS}, as other results have, but there is none; put it back or '
            'collect the runs again'
            for name in sorted(bare)
        ]
    for sums in found:
        try:
            listed, present = read_sums(sums), _files(sums.parent, names)
            changed = [name for name in sorted({*listed} & {*present}) if digest_file(present[name]) != listed[name]]
        except InputError as error:
            faults.append(str(error))
            continue
        for wrong, fault in (
            (changed, 'expected the file that was collected, but its bytes differ'),
            (sorted({*listed} - {*present}), 'expected the file that was collected, but it is missing'),
            (sorted({*present} - {*listed}), f'expected a file that {SUMS} lists, but it does not'),
        ):
            faults += [
                f'{sums.parent / visible(name)}: {fault}; put it back or collect the run again' for name in wrong
            ]
    return faults


def _files(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for name in names for path in folder.rglob(name)}
