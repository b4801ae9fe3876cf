"""The one style of all figures, and how they are written as pdf, png or svg.

Colours are those of Okabe and Ito (Color Universal Design, 2008), which colour-blind readers tell apart; markers and
line styles differ as well, so that prints in grey can be read.
"""

from collections.abc import Callable
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.files import write_atomically

FORMATS = ('.svg', '.png', '.pdf')
BLUE, ORANGE, GREY, LIGHT = '#0072B2', '#D55E00', '#595959', '#D9D9D9'
GREEN, PURPLE, YELLOW, SKY = '#009E73', '#CC79A7', '#E69F00', '#56B4E9'
STYLE = {
    'font.size': 9,
    'axes.titlesize': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.linewidth': 0.8,
    'lines.linewidth': 1.2,
    'lines.markersize': 5,
    'legend.frameon': False,
    'legend.fontsize': 8,
    'figure.dpi': 100,
    'savefig.dpi': 300,
    'savefig.bbox': 'tight',
    'pdf.fonttype': 42,  # letters that editors of a journal can change
    'svg.hashsalt': 'mer_bench',  # the same bytes each time
}
WITHOUT_DATE = {'.pdf': {'CreationDate': None}, '.svg': {'Date': None}, '.png': None}


def save(draw: Callable[[], object], *paths: str | Path) -> None:
    """Draw a figure in our style and write it to files, whose endings name the format.

    Raises:
        InputError: An ending is none of `FORMATS`; nothing is drawn.
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        if path.suffix.lower() not in FORMATS:
            raise InputError(f'{path}: expected a figure as {", ".join(FORMATS)}; name it for example figure.pdf')
    from matplotlib import rc_context  # takes half a second to import

    with rc_context(STYLE):
        figure = draw()
        figure.draw_without_rendering()
        figure.set_layout_engine('none')  # laid out once, so that all files show the same
        for path in paths:
            suffix = path.suffix.lower()
            with write_atomically(path) as temporary:
                figure.savefig(temporary, format=suffix[1:], metadata=WITHOUT_DATE[suffix])


def new_figure(width: float, height: float, layout: str = 'constrained'):
    """Return an empty figure, in inches, that no window shows."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)
