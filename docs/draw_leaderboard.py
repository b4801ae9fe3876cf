"""Draw docs/leaderboard.svg, the picture of README.md, from leaderboards/synthetic_smic.csv.

python docs/draw_leaderboard.py
"""

from pathlib import Path

import matplotlib

matplotlib.use('svg')

import matplotlib.pyplot as plt
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
FULL = 'multiscale_resnet3d50'
SHOWN = (FULL, 'no_multiscale', 'no_attention', 'single_head', 'uniformer_s', 'dual_inception', 'rcn_s', 'linear_svm')
SHOWN += ('off_apexnet', 'htnet', 'ststnet', 'i3d_r50', 'mdmo', 'lbp_top', 'hoof', 'majority')
SIZES = {path.stem for path in (ROOT / 'configs/reduced').glob('*.py')}


def short_name(method: str) -> str:
    """Return the name of a method without the overrides that make it small."""
    parts = [part for part in method.split('+') if part not in SIZES]
    return '+'.join(parts[1:]) if parts[0] == FULL and len(parts) > 1 else '+'.join(parts)


def main() -> None:
    table = pd.read_csv(ROOT / 'leaderboards/synthetic_smic.csv')
    table = table[table['clips'] == table['clips'].min()]  # the table with all methods
    table = table.assign(name=table['method'].map(short_name))
    table = table[table['name'].isin(SHOWN)].sort_values('uf1')
    plt.rcParams.update({'svg.fonttype': 'none', 'svg.hashsalt': '', 'font.size': 9, 'font.family': 'sans-serif'})
    figure, axes = plt.subplots(figsize=(7, 3.8), layout='constrained')
    colours = ['#c44e52' if name == FULL else '#4c72b0' for name in table['name']]
    axes.barh(table['name'], table['uf1'], color=colours, height=0.7)
    axes.errorbar(
        table['uf1'],
        table['name'],
        xerr=[table['uf1'] - table['uf1_low'], table['uf1_high'] - table['uf1']],
        fmt='none',
        ecolor='#333333',
        elinewidth=1,
    )
    axes.set_xlim(0, 1)
    axes.set_xlabel(f'UF1 with 95 % interval over {table["subjects"].iloc[0]} subjects')
    axes.set_title(f'Drawn faces, {table["clips"].iloc[0]} clips, networks in a reduced size')
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(ROOT / 'docs/leaderboard.svg', metadata={'Date': None, 'Creator': None})


if __name__ == '__main__':
    main()
