"""A page of a leaderboard as blocks. Every number comes from the rows and the records."""

from dataclasses import dataclass, field

from mer_bench.results.ablation_blocks import ablation_blocks
from mer_bench.results.blocks import Block, Heading, Notes, Paragraph, Table
from mer_bench.results.columns import REPRODUCED, RESCORED, csv_row, make_tables, score_cell
from mer_bench.results.record import Failure
from mer_bench.results.rows import slices_of
from mer_bench.results.run import Run
from mer_bench.results.section_notes import section_notes
from mer_bench.results.sections import Section


@dataclass(frozen=True)
class Page:
    """All that stands on one page; synthetic and real data never share one."""

    sections: list[Section]
    rescored: list[dict] = field(default_factory=list)
    published: list[Block] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    synthetic: bool = False

    @property
    def rows(self) -> list[dict]:
        """The rows of the csv: reproduced, then re-scored; what was only published is not among them."""
        reproduced = [csv_row(REPRODUCED, row) for section in self.sections for row in section.rows]
        return reproduced + [csv_row(RESCORED, row) for row in self.rescored]

    @property
    def datasets(self) -> list[str]:
        named = [row['dataset'] for row in self.rows] + [failure.content['dataset'] for failure in self.failures]
        return list(dict.fromkeys(named))


def page_blocks(page: Page) -> list[Block]:
    """Lay out a page: a section per data digest, then re-scored rows, published rows, and what did not finish."""
    blocks: list[Block] = [Heading(1, f'Leaderboard: {", ".join(page.datasets)}{_told(page.synthetic)}')]
    for section in page.sections:
        blocks += _section(section, page.synthetic)
    if page.rescored:
        blocks += _rescored(page.rescored, page.synthetic)
    if page.failures:
        blocks += failure_blocks(page.failures)
    return blocks + page.published


def _told(synthetic: bool) -> str:
    return ' (synthetic data)' if synthetic else ''


def _section(section: Section, synthetic: bool) -> list[Block]:
    first, runs = section.rows[0], section.runs
    heading = f'{first["dataset"]}{_told(synthetic)}, {first["protocol"]}, data {first["store_digest"][:8]}'
    blocks: list[Block] = [Heading(2, heading), *make_tables(REPRODUCED, section.rows, 'Reproduced here')]
    if slices_of(runs[0]):
        blocks += _slices(runs[0], section.rows)
    if any('au_f1' in row for row in section.rows):
        blocks += _action_units(runs[0], section.rows)
    blocks.append(Notes(tuple(section_notes(section))))
    for family, rows in section.ablations:
        blocks += ablation_blocks(family, rows)
    return [*blocks, Heading(3, 'How each row was made'), _making(section.rows)]


def _slices(run: Run, rows: list[dict]) -> list[Block]:
    datasets = slices_of(run)
    clips = ', '.join(f'{name} {run.scores[name]["n"]}' for name in datasets)
    columns = [(name, score) for name in datasets for score in ('UF1', 'UAR')]
    headers = ('method', *(f'{name} {score}' for name, score in columns))
    cells = [(row['method'], *(score_cell(row, f'{name}_{score.lower()}') for name, score in columns)) for row in rows]
    caption = 'The same predictions per data set'
    return [Paragraph(f'{caption} (clips: {clips}):'), Table(headers, tuple(cells), caption=caption)]


def _action_units(run: Run, rows: list[dict]) -> list[Block]:
    columns = {'mean F1': 'au_f1'}
    if slices_of(run):
        columns |= {'mean of data sets': 'au_f1_mean', **{name: f'{name}_au_f1' for name in slices_of(run)}}
    cells = [(row['method'], *(score_cell(row, key) for key in columns.values())) for row in rows]
    caption = 'Action units: the mean over the units of their F1 at threshold 0.5, pooled'
    caption += ', and of each data set' if slices_of(run) else ''
    return [Paragraph(f'{caption}:'), Table(('method', *columns), tuple(cells), caption=caption)]


def _making(rows: list[dict]) -> Table:
    headers = ('method', 'config', 'overrides', 'seed', 'settings digest', 'commit', 'device')
    cells = [
        (
            row['method'],
            row['config'],
            row['overrides'] or 'none',
            row['seed_list'],
            row['settings_digest'][:12],
            row['commit'] or 'unknown',
            row['device'],
        )
        for row in rows
    ]
    return Table(headers, tuple(cells), formats=('md',))


def _rescored(rows: list[dict], synthetic: bool) -> list[Block]:
    text = (
        'Predictions that their authors published, scored here as ours are: clip by clip, pooled, then scored once. '
        'How they were trained, and on which version of the data, is as the authors say; they are not ranked among '
        'the rows above.'
    )
    protocols = ', '.join(dict.fromkeys(row['protocol'] for row in rows))
    tables = make_tables(RESCORED, rows, 'Re-scored from published predictions')
    return [Heading(2, f'Re-scored{_told(synthetic)}, {protocols}'), Paragraph(text), *tables]


def failure_blocks(failures: list[Failure]) -> list[Block]:
    """List runs that did not finish, each with its reason."""
    contents = sorted((failure.content for failure in failures), key=lambda c: (c['config'], c['method'], c['seed']))
    headers = ('method', 'config', 'seed', 'reason', 'date')
    cells = tuple(
        (
            content['method'],
            content['config'],
            str(content['seed']),
            ' '.join(content['reason'].split()),
            content['date'],
        )
        for content in contents
    )
    return [Heading(2, 'Did not finish'), Table(headers, cells, right=('seed',), formats=('md',))]
