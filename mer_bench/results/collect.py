"""Finished runs copied into the folder of committed results."""

from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.files import write_atomically
from mer_bench.results.failures import Failure, find_runs
from mer_bench.results.record import FAILURE
from mer_bench.results.run import Run, read_runs

FINISHED = ('record.json', 'predictions.csv')


def collect(results: list[str | Path], into: Path, with_predictions: bool = False) -> list[Path]:
    """Check runs and copy them to `into`/<config>/<method>/seed<N>/: record, predictions, and what did not finish.

    Args:
        with_predictions: take runs on real data too, whose predictions.csv holds names and labels of licensed clips.

    Returns:
        The folders that were written.
    """
    records, failures = find_runs(results)
    runs = read_runs(records)
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
    return list(places.values())


def _places(runs: list[Run], failures: list[Failure], into: Path) -> dict[Path, Path]:
    """Return the new folder of every run, by its old one; two runs never share one."""
    places = {run.path.parent: into / _folder(run) for run in runs}
    for failure in failures:
        content = failure.content
        places[failure.path.parent] = into / _path(content['config'], content['method'], content['seed'])
    taken: dict[Path, Path] = {}
    for source, target in places.items():
        if target in taken:
            raise InputError(f'{source} and {taken[target]} would both become {target}; collect one of them only')
        taken[target] = source
    return places


def _folder(run: Run) -> Path:
    if run.rescored:
        return Path('rescored', run.record['dataset'], run.record['method'].replace('/', '_'))
    return _path(run.record['config']['name'], run.record['method'], run.record['seed'])


def _path(config: str, method: str, seed: int) -> Path:
    return Path(config, method.replace('/', '_'), f'seed{seed}')


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    """Copy the named files; what an earlier copy left beside them goes."""
    for name in (*FINISHED, FAILURE):
        if name in names:
            with write_atomically(target / name) as temporary:
                temporary.write_bytes((source / name).read_bytes())
        else:
            (target / name).unlink(missing_ok=True)
