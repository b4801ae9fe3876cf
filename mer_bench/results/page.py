"""A page of a leaderboard: its name, its blocks and its files. Every number comes from the rows and the records."""

import io
import re
from dataclasses import dataclass, field
from itertools import combinations

import pandas as pd

from mer_bench.escaping import for_csv
from mer_bench.results.ablations import note_on_power
from mer_bench.results.blocks import Block, Column, Heading, Name, Notes, Paragraph, Table
from mer_bench.results.latex import to_latex
from mer_bench.results.leak_meter import TEST_SELECTED
from mer_bench.results.markdown import to_markdown
from mer_bench.results.record import Failure
from mer_bench.results.rows import REPRODUCED, RESCORED, csv_row, summarise
from mer_bench.results.run import Method, Run
from mer_bench.results.sanity import Bound
from mer_bench.results.sections import Section, make_sections, of_other_data, section_blocks

SYNTHETIC = 'synthetic'
FAILED = [
    Column('method', 'method', lambda content: Name(content['method']), formats=('md',)),
    Column.of('config', formats=('md',)),
    Column.of('seed', align='right', formats=('md',)),
    Column('reason', 'reason', lambda content: ' '.join(content['reason'].split()), formats=('md',)),
    Column.of('date', formats=('md',)),
]


@dataclass(frozen=True)
class Page:
    """The content of one page; synthetic and real data never share one."""

    sections: list[Section]
    rescored: list[dict] = field(default_factory=list)
    rescored_power: str = ''
    published: list[Block] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    synthetic: bool = False

    @property
    def rows(self) -> list[dict]:
        """The rows of the csv: reproduced, then re-scored; published numbers are not included."""
        reproduced = [csv_row(REPRODUCED, row) for section in self.sections for row in section.rows]
        return reproduced + [csv_row(RESCORED, row) for row in self.rescored]

    @property
    def methods(self) -> list[str]:
        """The methods that ran here."""
        return [row['method'] for section in self.sections for row in section.rows]

    @property
    def known_methods(self) -> set[str]:
        """The methods that ran or failed here, by the names in their records."""
        ran = {run.record['method'] for section in self.sections for run in section.runs}
        return ran | {failure.content['method'] for failure in self.failures}

    @property
    def data(self) -> str:
        """The data sets of the page, for a title."""
        named = [row['dataset'] for row in self.rows] + [failure.content['dataset'] for failure in self.failures]
        return ', '.join(dict.fromkeys(named)) + ' (synthetic data)' * self.synthetic


def make_page(
    runs: list[Run],
    failures: list[Failure],
    name: str,
    bounds: dict[tuple[str, str], Bound],
    reference: str | None = None,
) -> Page:
    """Make the page `name` of runs that are all synthetic or all real; `reference`: see `make_sections`."""
    logs = [Method([run]) for run in runs if run.rescored]
    rescored = [summarise(method) for method in logs]
    return Page(
        sections=make_sections([run for run in runs if not run.rescored], name, bounds, reference),
        rescored=sorted(rescored, key=lambda row: (-row['uf1'], row['method'])),
        rescored_power=_power_of_logs(logs),
        failures=failures,
        synthetic=any(run.synthetic for run in runs) or any(failure.content['synthetic'] for failure in failures),
    )


def page_blocks(page: Page) -> list[Block]:
    """Lay out a page: a section per version of the data, then re-scored rows, failed runs and published rows."""
    blocks: list[Block] = [Heading(1, f'Leaderboard: {page.data}')]
    for section in page.sections:
        blocks += section_blocks(section)
    if page.rescored:
        blocks += _rescored(page)
    if page.failures:
        blocks += failure_blocks(page.failures)
    return blocks + page.published


def _power_of_logs(logs: list[Method]) -> str:
    """Return a sentence on the difference that the subjects of published logs can show; empty with a single log."""
    if len(logs) < 2:
        return ''
    if of_other_data([log.runs[0] for log in logs]):
        return 'Power: not known, because these logs are not of the same clips.'
    return note_on_power([*combinations(logs, 2)], 'between two of these methods')


def _rescored(page: Page) -> list[Block]:
    text = (
        'Predictions published by their authors and scored here in the same way as ours: all clips pooled, then scored '
        'once. Training and the version of the data are as the authors state, so these rows are not ranked with the '
        'rows above.'
    )
    protocols = ', '.join(dict.fromkeys(row['protocol'] for row in page.rescored))
    table = Table(RESCORED, page.rescored, 'Re-scored from published predictions')
    blocks = [Heading(2, f'Re-scored{" (synthetic data)" * page.synthetic}, {protocols}'), Paragraph(text), table]
    return [*blocks, Notes((page.rescored_power,))] if page.rescored_power else blocks


def failure_blocks(failures: list[Failure]) -> list[Block]:
    """List the failed runs, each with its reason."""
    contents = sorted((failure.content for failure in failures), key=lambda c: (c['config'], c['method'], c['seed']))
    return [Heading(2, 'Failed runs'), Table(FAILED, contents)]


def page_files(name: str, page: Page) -> dict[str, str]:
    """Return the files of a page, by name: markdown, csv, LaTeX."""
    blocks = page_blocks(page)
    leaks = [{'data': section.title} | row for section in page.sections for row in section.leaks]
    return {
        f'{name}.md': to_markdown(blocks),
        f'{name}.csv': _csv(page.rows),
        f'{name}.tex': to_latex(blocks),
        **({f'{name}_{TEST_SELECTED}.csv': _csv(leaks)} if leaks else {}),
    }


def _csv(rows: list[dict]) -> str:
    text = io.StringIO()
    cells = [{for_csv(name): for_csv(value) for name, value in row.items()} for row in rows]
    pd.DataFrame(cells, dtype=object).to_csv(text, index=False, lineterminator='\n')
    return text.getvalue()


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
    if not scheme.startswith(f'{dataset}_'):  # name data set and classes once: megc2019_flow_3class
        named, _, classes = scheme.partition('_')
        scheme = f'{dataset}_{classes if dataset.startswith(f"{named}_") else scheme}'
    return _slug(f'{scheme}_{folds}')


def page_of_failure(failure: Failure, runs: list[Run]) -> str | None:
    """Return the page of a failed run; if its failure.json lacks the protocol, that of other runs of its config.

    Returns:
        None if no run of the same config finished, or if it could be a run on synthetic or on real data.
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
