"""Ablations and main effects as blocks, with what may be read from them."""

from mer_bench.results.ablations import find_grids, main_effects, mean_uf1
from mer_bench.results.blocks import Block, Heading, Notes, Paragraph
from mer_bench.results.columns import Column, make_tables
from mer_bench.results.families import Family


def _signed(number: float) -> str:
    """-0.04 -> '-0.0400'; no minus before a zero."""
    return f'{round(number, 4) + 0.0:+.4f}'


def _change(row: dict) -> str:
    return _signed(row['change'])


def _interval(row: dict) -> str:
    return (
        'one subject' if row['change_low'] is None else f'[{_signed(row["change_low"])}, {_signed(row["change_high"])}]'
    )


def _probability(p: float) -> str:
    return '< 0.001' if p < 0.001 else f'{p:.3f}'


ABLATIONS = [
    Column('ablation', 'ablation', lambda row: row['ablation']),
    Column('uf1', 'UF1', lambda row: f'{row["uf1"]:.4f}'),
    Column('change', 'change of UF1', _change, 'right'),
    Column('interval', '95 % interval', _interval),
    Column('only_full', 'only full right', lambda row: str(row['only_full']), 'right'),
    Column('only_ablation', 'only ablation right', lambda row: str(row['only_ablation']), 'right'),
    Column('p', 'McNemar p', lambda row: _probability(row['mcnemar_p']), 'right'),
    Column('p_holm', 'p, Holm', lambda row: _probability(row['mcnemar_p_holm']), 'right'),
]
EFFECTS = [
    Column('effect', 'effect', lambda row: ' x '.join(row['effect'])),
    Column('change', 'change of UF1', _change, 'right'),
    Column('interval', '95 % interval', _interval),
]


def ablation_blocks(family: Family, rows: list[dict]) -> list[Block]:
    """Lay out the ablations of one full model, then the main effects of every full grid among them."""
    full = family.runs[()]
    uf1 = mean_uf1(full)
    blocks: list[Block] = [
        Heading(3, f'Ablations of {family.full}'),
        Paragraph(
            f'Change of UF1 against the full model (UF1 {uf1:.4f}) on the same {full[0].record["n_clips"]} clips:'
        ),
        *make_tables(ABLATIONS, rows, f'Change against the full model (UF1 {uf1:.4f})'),
        Notes(tuple(_notes(family, rows))),
    ]
    for parts in find_grids(family):
        blocks += _effect_blocks(family, parts)
    return blocks


def _notes(family: Family, rows: list[dict]) -> list[str]:
    n_subjects = family.runs[()][0].record['n_subjects']
    notes = [
        f'Intervals: paired over the {n_subjects} subjects; 1000 resamples, in each the same subjects for both '
        f'methods. {_on_chance(family)} An interval that holds 0 leaves open whether the part helps.',
        f'McNemar: exact, on the clips that one of the two alone answers rightly{_of_seed(rows)}. It takes the clips '
        'as independent; those of one subject are alike, so p is rather too small than too large.',
    ]
    if len(rows) > 1:
        notes.append(
            f'Multiple comparisons: these are {len(rows)}, and of intervals at 95 % one in twenty misses the truth by '
            f'chance. The last column corrects p for all {len(rows)} (Holm); the intervals are not corrected.'
        )
    return notes


def _on_chance(family: Family) -> str:
    if all(len(runs) == 1 for runs in family.runs.values()):
        return (
            'Each method was trained once: the chance of a training (initial weights, order of clips) is not in them.'
        )
    return (
        'They are of the mean over the seeds; how trainings differ is not in them, but after the ± of the main table.'
    )


def _of_seed(rows: list[dict]) -> str:
    if all(row['seeds'] == 1 for row in rows):
        return ''
    return ' (where there are several seeds, of the first that both have)'


def _effect_blocks(family: Family, parts: tuple[str, ...]) -> list[Block]:
    size = ' x '.join(['2'] * len(parts))
    title = f'Main effects over the {size} grid of {", ".join(parts)}'
    note = (
        f'A main effect is the change that one ablation makes, averaged over the {2 ** (len(parts) - 1)} combinations '
        'of the others. An interaction (a x b) is the mean change by a where b is ablated as well, less that where b '
        'is kept. Intervals are paired over subjects as above, not corrected for their number.'
    )
    rows = main_effects(family, parts)
    return [Heading(4, title), *make_tables(EFFECTS, rows, 'Main effects and interactions'), Notes((note,))]
