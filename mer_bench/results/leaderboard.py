"""Leaderboards made from records only: one page from given results, or a page for every protocol."""

import io
from pathlib import Path

import pandas as pd

from mer_bench.errors import InputError
from mer_bench.files import write_atomically
from mer_bench.results.failures import Failure, find_runs
from mer_bench.results.latex import to_latex
from mer_bench.results.markdown import to_markdown
from mer_bench.results.names import SYNTHETIC
from mer_bench.results.page import Page, page_blocks
from mer_bench.results.run import Run, read_runs
from mer_bench.results.sanity import Bound
from mer_bench.results.sections import make_sections, rescored_rows


def write_leaderboard(results: list[str | Path], out: str | Path) -> str:
    """Make one page of all records in `results`: markdown at `out`, beside it the rows as csv and LaTeX tables.

    Records of different data sets, protocols or data digests go to sections of their own.

    Returns:
        The markdown.
    """
    out = Path(out)
    records, failures = find_runs(results)
    runs = read_runs(records)
    _check_name(out, runs, failures)
    texts = page_files(out.stem, make_page(runs, failures, out.stem, {}))
    for name, text in texts.items():
        write_text(out.with_name(name), text)
    return texts[out.name]


def make_page(runs: list[Run], failures: list[Failure], name: str, bounds: dict[tuple[str, str], Bound]) -> Page:
    """Make the page `name` of runs that are all synthetic or all real."""
    reproduced = [run for run in runs if not run.rescored]
    return Page(
        sections=make_sections(reproduced, name, bounds),
        rescored=rescored_rows([run for run in runs if run.rescored]),
        failures=failures,
        synthetic=any(run.synthetic for run in runs) or any(failure.content['synthetic'] for failure in failures),
    )


def page_files(name: str, page: Page) -> dict[str, str]:
    """Return the files of a page, by name: markdown, csv, LaTeX."""
    blocks = page_blocks(page)
    rows = io.StringIO()
    pd.DataFrame(page.rows, dtype=object).to_csv(rows, index=False, lineterminator='\n')
    return {f'{name}.md': to_markdown(blocks), f'{name}.csv': rows.getvalue(), f'{name}.tex': to_latex(blocks)}


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all, with the same bytes on every system."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(text.encode())


def _check_name(out: Path, runs: list[Run], failures: list[Failure]) -> None:
    """Keep synthetic and real data apart, and the word synthetic in the name of the file."""
    if out.suffix != '.md':
        raise InputError(f'--out {out}: expected a markdown file; name it for example my_tables/smic.md')
    kinds = [(run, run.synthetic) for run in runs] + [(failure, failure.content['synthetic']) for failure in failures]
    synthetic = [run for run, kind in kinds if kind is True]
    real = [run for run, kind in kinds if kind is False]
    if synthetic and real:
        raise InputError(
            f'expected either synthetic or real data, but {synthetic[0].path} is synthetic and {real[0].path} is real; '
            'make one leaderboard of each'
        )
    if synthetic and SYNTHETIC not in out.stem:
        raise InputError(
            f'--out {out}: expected a file name with the word synthetic, because these runs are on synthetic data; '
            f'name it for example {out.with_stem(f"synthetic_{out.stem}")}'
        )
