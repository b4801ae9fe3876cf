"""What the site needs beyond mkdocs.yml: the README as its first page, notebooks, the API, links, and lists.

The pages are written for GitHub. MkDocs reads them with Python-Markdown, which wants an empty line before a list and
four spaces where GitHub takes two, and it refuses links to files outside docs/.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import mer_bench

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r'\[([^\[\]]+)\]\(([^()\s#]+)(#[^()\s]*)?\)')
ITEM = re.compile(r'([-*]|\d+\.) ')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made: the README, the API, and a page for each notebook."""
    pages = {'index.md': (ROOT / 'README.md').read_text(encoding='utf-8'), 'api.md': api_page()}
    for notebook in [file for file in files if file.src_uri.endswith('.ipynb')]:
        pages[notebook.src_uri.replace('.ipynb', '.md')] = notebook_page(Path(notebook.abs_src_path))
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mend links and lists, outside blocks of code."""
    folder = PurePosixPath('' if page.file.src_uri == 'index.md' else 'docs', page.file.src_uri).parent
    parts = re.split(r'(^ *```.*?^ *```$)', markdown, flags=re.S | re.M)
    for i, part in enumerate(parts[::2]):
        linked = LINK.sub(lambda link: mended(link, folder, page.file.src_uri, config.repo_url, files), part)
        parts[2 * i] = '\n'.join(with_wide_lists(linked.split('\n')))
    return ''.join(parts)


def on_page_content(html: str, **_: object) -> str:
    """Drop the Sphinx roles that docstrings have before names in backticks."""
    return re.sub(r':(func|class|data|mod|meth):(<code>~?)', r'\2', html)


def api_page() -> str:
    """Return a page with the signature and docstring of each public name."""
    lines = ['# API', '', 'The public names of `mer_bench`. [Python](python.md) shows how they are used.', '']
    for name in mer_bench.__all__:
        place = f'{mer_bench.MODULES.get(name, "mer_bench")}.{name}'
        lines += [f'::: {place}', '    options:', f'      heading: mer_bench.{name}', f'      toc_label: {name}', '']
    return '\n'.join(lines)


def notebook_page(path: Path) -> str:
    """Return a notebook as a page: its text, and its code as blocks. The committed notebooks have no outputs."""
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    blocks = [''.join(cell['source']) for cell in cells]
    kinds = [cell['cell_type'] for cell in cells]
    blocks = [f'```python\n{text}\n```' if kind == 'code' else text for kind, text in zip(kinds, blocks, strict=True)]
    note = f'!!! note "A notebook"\n    To run it, open [`docs/notebooks/{path.name}`]({path.name}) in Jupyter.'
    return '\n\n'.join([blocks[0], note, *blocks[1:]])


def mended(link: re.Match, folder: PurePosixPath, page: str, repository: str | None, files: Files) -> str:
    """Lead a link to the page of the site, or to the file in the repository, or name the file if its URL is unknown.

    A link to a file that is not there stays as it is, so that a strict build fails.
    """
    text, target, anchor = link[1], link[2], link[3] or ''
    path = normpath(f'{folder}/{target}')
    if '://' in target or not (ROOT / path).exists():
        return link[0]
    uri = 'index.md' if path == 'README.md' else path.removeprefix('docs/')
    if uri != path and files.get_file_from_path(uri):
        return f'[{text}]({relpath(uri, PurePosixPath(page).parent)}{anchor})'
    if repository:
        return f'[{text}]({repository.rstrip("/")}/blob/HEAD/{path}{anchor})'
    return text if text.strip('`') == path else f'{text} (`{path}`)'


def with_wide_lists(lines: list[str]) -> Iterator[str]:
    """Yield the lines with an empty one before each list, and with twice the indentation inside lists."""
    inside, before = False, ''
    for line in lines:
        item = ITEM.match(line)
        if item and not inside and before.strip():
            yield ''
        inside = bool(item) or (inside and (not line.strip() or line.startswith(' ')))
        indent = len(line) - len(line.lstrip(' '))
        yield ' ' * indent + line if inside else line
        before = line
