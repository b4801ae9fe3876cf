"""Draw docs/leaderboard.svg, the picture of README.md, from leaderboards/megc2019_flow_3class_loso.csv.

python docs/draw_leaderboard.py
"""

from pathlib import Path

import matplotlib

matplotlib.use('svg')

import matplotlib.pyplot as plt
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    table = pd.read_csv(ROOT / 'leaderboards/megc2019_flow_3class_loso.csv')
    table = table[~table['method'].str.contains('+', regex=False)].sort_values('uf1')  # no variants of a method
    plt.rcParams.update({'svg.fonttype': 'none', 'svg.hashsalt': '', 'font.size': 9, 'font.family': 'sans-serif'})
    figure, axes = plt.subplots(figsize=(7, 3.8), layout='constrained')
    axes.errorbar(
        table['uf1'],
        table['display_name'],
        xerr=[table['uf1'] - table['uf1_low'], table['uf1_high'] - table['uf1']],
        fmt='o',
        color='#4c72b0',
        ecolor='#333333',
        elinewidth=1,
    )
    axes.set_xlim(0, 1)
    axes.grid(axis='x', alpha=0.3)
    axes.set_xlabel(f'UF1 with 95 % interval over {table["subjects"].iloc[0]} subjects')
    axes.set_title(f'{table["clips"].iloc[0]} clips of MEGC2019, leave one subject out, last epoch')
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(ROOT / 'docs/leaderboard.svg', metadata={'Date': None, 'Creator': None})


if __name__ == '__main__':
    main()
