"""Finished runs copied into the folder of committed results."""

from dataclasses import dataclass
from pathlib import Path

from mer_bench.errors import InputError, listed
from mer_bench.escaping import inside, without_paths
from mer_bench.evaluation.epoch_audit import AUDIT, CANDIDATES
from mer_bench.files import write_atomically, write_json
from mer_bench.results.record import FAILURE, RECORD, Failure, read_failure, read_record
from mer_bench.results.run import Run, describe_unfinished, find_runs, read_runs
from mer_bench.results.sums import write_sums

AUDITS = (AUDIT, CANDIDATES)  # only where they were asked for
FINISHED = (RECORD, 'predictions.csv', *AUDITS)
COMMITTED = (*FINISHED, FAILURE)


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
    names = tuple(name for name in names if name not in AUDITS or (source / name).exists())
    for name in {*COMMITTED} - {*names}:
        (target / name).unlink(missing_ok=True)
    for name in names:
        if name == FAILURE:
            content = read_failure(source / name).content
            write_json(target / name, content | {'reason': without_paths(content['reason'])})
        else:
            with write_atomically(target / name) as temporary:
                temporary.write_bytes((source / name).read_bytes())
