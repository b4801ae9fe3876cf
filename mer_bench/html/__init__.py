"""Pages as one file: style, scripts, plotly and data are inside, so they open from disk and ask no server for anything.

A page is a template that extends base.html.j2. What a page can use is told in base.html.j2 (views, filters, sortable
tables) and base.js (charts).
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from mer_bench.errors import InputError, visible
from mer_bench.files import write_atomically

HERE = Path(__file__).parent
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; style-src 'unsafe-inline'"


def write_page(
    path: str | Path, template: str, scripts: Sequence[str] = (), data: object = None, **context: object
) -> Path:
    """Write a page.

    Text from anywhere may be in `data` and `context`: it is escaped, its hidden characters are shown, and the browser
    runs no script but ours, whose digests the page names.

    Args:
        path: of the html file, written whole or not at all.
        template: the name of a file in this folder.
        scripts: names of files in this folder, run after plotly and base.js.
        data: what base.js gives to the charts, as JSON.
        **context: the variables of the template.

    Returns:
        The path.

    Raises:
        InputError: plotly or jinja2 is not installed, or the file cannot be written.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup, escape
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise InputError(
            f"a page needs plotly and jinja2, but {error.name} is missing; run `pip install 'mer_bench[html]'`"
        ) from error
    texts = [get_plotlyjs(), *(HERE.joinpath(name).read_text(encoding='utf-8') for name in ('base.js', *scripts))]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters['lines'] = lambda text: Markup('\n').join(escape(visible(line)) for line in text.split('\n'))
    html = environment.get_template(template).render(
        context,
        policy=f'{POLICY}; script-src {" ".join(f"{chr(39)}sha256-{digest}{chr(39)}" for digest in digests)}',
        style=Markup(HERE.joinpath('style.css').read_text(encoding='utf-8')),
        scripts=[Markup(text) for text in texts],
        data=Markup(as_json(data)),
    )
    with write_atomically(path) as temporary:
        temporary.write_bytes(html.encode())
    return Path(path)


def as_json(data: object) -> str:
    """Return JSON that can stand in a script element: without `<`, and without hidden characters in its texts."""
    return json.dumps(_shown(data), ensure_ascii=False, allow_nan=False, separators=(',', ':')).replace('<', '\\u003c')


def _shown(data: object) -> object:
    if isinstance(data, dict):
        return {_shown(key): _shown(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_shown(value) for value in data]
    return visible(data) if isinstance(data, str) else data
