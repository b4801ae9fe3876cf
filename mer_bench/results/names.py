"""The names of the pages: which run belongs on which."""

import re

from mer_bench.results.record import Failure
from mer_bench.results.run import Run

SYNTHETIC = 'synthetic'


def page_of(run: Run) -> str:
    """Return the name of the page of a run."""
    return page_name(run.record['dataset'], run.record['protocol'], run.synthetic)


def page_name(dataset: str, protocol: str, synthetic: bool) -> str:
    """Return 'megc2019_3class_loso' or, for drawn data, 'synthetic_smic'.

    Real data have a page for each data set and protocol; the data set is named where the label scheme does not name it.
    Synthetic data have one page for each data set that they imitate.

    Args:
        protocol: folds and label scheme, as a record names them: 'LOSO, smic_3class'.
    """
    if synthetic:
        return f'{SYNTHETIC}_{_slug(dataset)}'
    folds, _, scheme = protocol.partition(', ')
    scheme = scheme.partition(', ')[0]
    return _slug(f'{_with_dataset(scheme, dataset)}_{folds}')


def _with_dataset(scheme: str, dataset: str) -> str:
    """Name data set and classes once: smic_3class, megc2019_flow_3class, casme2_megc2019_3class."""
    if scheme.startswith(f'{dataset}_'):
        return scheme
    named, _, classes = scheme.partition('_')
    return f'{dataset}_{classes}' if dataset.startswith(f'{named}_') else f'{dataset}_{scheme}'


def page_of_failure(failure: Failure, runs: list[Run]) -> str | None:
    """Return the name of the page of a run that did not finish; what it does not know is that of its config's others.

    Returns:
        None where no run of the same config finished, or synthetic and real data are there and it may be of both.
    """
    content = failure.content
    if content['protocol'] is not None and content['synthetic'] is not None:
        return page_name(content['dataset'], content['protocol'], content['synthetic'])
    if content['synthetic']:
        return page_name(content['dataset'], '', True)
    known = [run for run in runs if not run.rescored and run.record['dataset'] == content['dataset']]
    if content['synthetic'] is None and len({run.synthetic for run in known}) > 1:
        return None
    pages = [page_of(run) for run in known if run.record['config']['name'] == content['config']]
    return next(iter(pages), None)


def _slug(text: str) -> str:
    return re.sub('[^a-z0-9]+', '_', text.lower()).strip('_')
