"""Three methods or more on the same clips: do they differ at all, and which from which?

Friedman's test over blocks, then Nemenyi's for every pair, with its critical difference of average ranks: Demšar,
Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006,
https://jmlr.org/papers/v7/demsar06a.html. Iman and Davenport's F (1980) of the same ranks is given as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from mer_bench.errors import InputError, listed
from mer_bench.escaping import for_csv
from mer_bench.evaluation.compare import joined, short_names
from mer_bench.evaluation.intervals import MEASURED
from mer_bench.evaluation.metrics import SubjectCounts
from mer_bench.evaluation.style import BLUE, GREY, ORANGE, new_figure, save

LEVEL = 0.05
DATASETS = 5  # fewer data sets are no blocks
NAMED = 4  # methods in a sentence; more are counted
USUAL = 10  # blocks, and 5 methods, above which the distribution of Friedman's statistic is near chi-square (Demšar)


@dataclass(frozen=True)
class Ranking:
    """Methods on the same blocks.

    Attributes:
        scores: (blocks, methods), the higher the better.
        blocks: `subjects` or `data sets`.
        datasets: how many data sets the clips are of.
        clips: how many clips all methods have; `missing` of each method are left out.
    """

    scores: pd.DataFrame
    blocks: str
    datasets: int
    clips: int
    missing: tuple[int, ...]

    @cached_property
    def ranks(self) -> pd.Series:
        """The average rank of each method, 1 the best; equal scores share their ranks."""
        return self.scores.rank(axis=1, ascending=False).mean().sort_values(kind='stable')

    @cached_property
    def friedman(self) -> tuple[float, float]:
        """Friedman's statistic, corrected for ties, and its p; 0 and 1 where all methods are equal in each block."""
        from scipy.stats import friedmanchisquare

        if self.scores.nunique(axis=1).max() == 1:
            return 0.0, 1.0
        found = friedmanchisquare(*self.scores.to_numpy().T)
        return float(found.statistic), float(found.pvalue)

    @cached_property
    def iman_davenport(self) -> tuple[float, float]:
        """Iman and Davenport's F of the same ranks and its p."""
        from scipy.stats import f

        (n, k), statistic = self.scores.shape, self.friedman[0]
        rest = n * (k - 1) - statistic
        value = math.inf if rest <= 0 else (n - 1) * statistic / rest
        return value, float(f.sf(value, k - 1, (k - 1) * (n - 1)))

    @cached_property
    def p_values(self) -> pd.DataFrame:
        """Nemenyi's p of each pair, by names; all 1 where Friedman's test finds no difference."""
        from scikit_posthocs import posthoc_nemenyi_friedman

        names = self.scores.columns
        if self.friedman[1] >= LEVEL:
            return pd.DataFrame(1.0, names, names)
        return pd.DataFrame(posthoc_nemenyi_friedman(self.scores.to_numpy()).to_numpy(), names, names)

    @cached_property
    def critical_difference(self) -> float:
        """The difference of average ranks above which Nemenyi's test tells two methods apart."""
        from scipy.stats import studentized_range

        n, k = self.scores.shape
        return float(studentized_range.ppf(1 - LEVEL, k, np.inf) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n)))

    def worse_than(self, name: str) -> list[str]:
        """Return the methods that a method is better than, best first."""
        return [other for other, rank in self.ranks.items() if rank > self.ranks[name] and self._differ(name, other)]

    def _differ(self, name: str, other: str) -> bool:
        return bool(self.p_values.loc[name, other] < LEVEL)

    @property
    def plain_sentence(self) -> str:
        """The result in one sentence for readers who know no tests."""
        n, k = self.scores.shape
        people = self.blocks == 'subjects'
        where = f'On these {n} people' if people else f'On these {n} data sets'
        if people and n < MEASURED:
            return f'These {n} people are too few to say which of the {k} methods is better for others.'
        like = 'for people like these' if people else 'on data sets like these'
        best, *others = self.ranks.index
        if self.friedman[1] >= LEVEL:
            chance = 'differences this large can arise by chance alone'
            return f'{where}, {chance}, so these data do not show that any of the {k} methods is better than another.'
        worse = self.worse_than(best)
        if not worse:
            return f'{where}, the {k} methods are not all equally good, but these data do not show which is better.'
        chance = 'a difference this large would rarely arise by chance'
        text = f'{where}, {best} did better than {listed(worse)}; {chance}, so these data show that it is better {like}'
        unclear = [name for name in others if name not in worse]
        if not unclear:
            return f'{text}.'
        rest = listed(unclear) if len(unclear) <= NAMED else f'the other {len(unclear)}'
        return f'{text}; they do not show whether it is better than {rest}.'

    def to_frame(self) -> pd.DataFrame:
        """Return one row per method, best first: average rank, mean score, p against each other, then the tests."""
        table = pd.DataFrame({'average_rank': self.ranks, 'mean_score': self.scores.mean()}).loc[self.ranks.index]
        table = table.join(self.p_values.add_prefix('p_to_')).rename_axis('method').reset_index()
        table['method'] = table['method'].map(for_csv)
        (chi, p), (value, p_of_value) = self.friedman, self.iman_davenport
        tests = dict(friedman=chi, friedman_p=p, iman_davenport=value, iman_davenport_p=p_of_value)
        shared = dict(blocks=len(self.scores), kind=self.blocks, critical_difference=self.critical_difference)
        return table.rename(columns=for_csv).assign(**tests, **shared)

    def to_dict(self) -> dict:
        """Return everything as JSON can hold it, the methods best first."""
        means, names = self.scores.mean(), list(self.ranks.index)
        left_out = dict(zip(self.scores, self.missing, strict=True))
        tests = dict(friedman=self.friedman, iman_davenport=self.iman_davenport)
        return dict(
            blocks=self.blocks,
            n_blocks=len(self.scores),
            clips=self.clips,
            methods=[
                dict(
                    method=name,
                    average_rank=rank,
                    mean_score=means[name],
                    better_than=self.worse_than(name),
                    left_out=left_out[name],
                )
                for name, rank in self.ranks.items()
            ],
            pairs=[dict(a=a, b=b, p=self.p_values.loc[a, b]) for a, b in combinations(names, 2)],
            **{name: dict(statistic=statistic, p=p) for name, (statistic, p) in tests.items()},
            critical_difference=self.critical_difference,
            plain_sentence=self.plain_sentence,
        )

    def __str__(self) -> str:
        from tabulate import tabulate

        n, k = self.scores.shape
        means, people = self.scores.mean(), self.blocks == 'subjects'
        rows = [
            [name, f'{rank:.2f}', f'{means[name]:.4f}', ', '.join(self.worse_than(name)) or '-']
            for name, rank in self.ranks.items()
        ]
        score = 'mean accuracy of a subject' if people else 'mean UF1'
        headers = ['', 'average rank', score, 'better than']
        table = tabulate(rows, headers, disable_numparse=True, colalign=('left', 'right', 'right', 'left'))
        (chi, p), (value, p_of_value) = self.friedman, self.iman_davenport
        lines = [f'{self.clips} clips of {n} {self.blocks}, {k} methods.']
        if people:
            lines.append(
                f'Blocks are the subjects, because {self.datasets} data set{"s" * (self.datasets > 1)} would be too '
                f'few ({DATASETS} are needed). The score of a subject is its accuracy, since UF1 is of all classes and '
                'a subject may show one; each subject counts alike, however many clips it has.'
            )
        else:
            lines.append('Blocks are the data sets, each with its UF1; each counts alike, however many clips it has.')
        lines += [
            f"Friedman's test: chi-square {chi:.2f}, {k - 1} degrees of freedom, p = {p:.3g}; Iman and Davenport's "
            f'F {value:.2f}, p = {p_of_value:.3g}.',
            f"Nemenyi's test: two methods differ if their average ranks are more than {self.critical_difference:.2f} "
            f'apart (the critical difference at {LEVEL:.0%}, for all pairs together).',
        ]
        if n <= USUAL or k <= 5:
            lines.append(f'With at most {USUAL} blocks or 5 methods these p are approximate.')
        if any(self.missing):
            left = ', '.join(f'{count} of {name}' for count, name in zip(self.missing, self.scores, strict=True))
            lines.append(f'Left out: clips that not all methods have, {left}.')
        return '\n'.join([table, '', *lines, '', self.plain_sentence])

    def draw(self):
        """Return the critical-difference diagram; a bar joins methods that Nemenyi's test does not tell apart."""
        from scikit_posthocs import critical_difference_diagram

        ranks = self.ranks
        if ranks.nunique() == 1:
            raise InputError('expected methods with different ranks to draw, but all have the same; compare others')
        # names stand outside the axis, which the layout would shrink to nothing for their sake
        width = max(4.0, 6.3 - 0.1 * max(map(len, ranks.index)))
        figure = new_figure(width, 1.1 + 0.22 * math.ceil(len(ranks) / 2), layout='none')
        axis = figure.subplots()
        artists = critical_difference_diagram(
            ranks.to_dict(),
            self.p_values,
            ax=axis,
            label_fmt_left='{label}  {rank:.2f} ',
            label_fmt_right=' {rank:.2f}  {label}',
            label_props=dict(parse_math=False, fontsize=8),
            elbow_props=dict(color=GREY, linewidth=0.8),
            marker_props=dict(color=BLUE, s=14),
            crossbar_props=dict(color=ORANGE, linewidth=2.5, solid_capstyle='butt'),
        )
        for label in artists['labels']:  # in the colour of the lines
            label.set_color('black')
        axis.spines['top'].set_visible(True)
        axis.tick_params(labelsize=8)
        axis.set_title(
            f'average rank on {len(self.scores)} {self.blocks} ({self.clips} clips), 1 is the best\n'
            'a bar joins methods that these data do not tell apart; '
            f'critical difference {self.critical_difference:.2f}',
            fontsize=8,
        )
        return figure

    def plot(self, path: str | Path) -> None:
        """Draw the critical-difference diagram as svg, png or pdf."""
        save(self.draw, path)


def rank_methods(sources: Sequence[object], classes: Sequence[str] = (), names: Sequence[str] | None = None) -> Ranking:
    """Rank three methods or more on the clips that all have, joined by sample_id.

    Blocks are the data sets where there are at least five, else the subjects.

    Args:
        sources: as for :func:`load_predictions`: run folders, files, DataFrames, runs.
        classes: names of the labels 0, 1, 2 of a log.
        names: what to call the methods (default: from their paths).

    Raises:
        InputError: There are fewer than three, fewer than two blocks, or the clips or labels differ.
    """
    if len(sources) < 3:
        raise InputError(
            f'expected three methods or more to rank, got {len(sources)}; mer-bench compare A B compares two'
        )
    names = tuple(names or short_names(sources))
    if len({*names}) < len(sources):
        raise InputError(f'expected a name of its own for each of {len(sources)} methods, got {listed(names)}')
    frames, classes, missing = joined(sources, names, classes)
    datasets = frames[0]['dataset'].nunique()
    people = datasets < DATASETS
    columns = {
        name: frame.groupby('subject' if people else 'dataset')[['subject', 'y_true', 'y_pred']].apply(
            lambda part: (
                (part['y_true'] == part['y_pred']).mean()
                if people
                else float(SubjectCounts.of(part, classes).scores['uf1'])
            )
        )
        for name, frame in zip(names, frames, strict=True)
    }
    scores = pd.DataFrame(columns).round(12)  # equal scores from other sums are equal
    if len(scores) < 2:
        raise InputError(f'expected two subjects or more to rank methods, got {len(scores)}; give more data')
    return Ranking(scores, 'subjects' if people else 'data sets', datasets, len(frames[0]), missing)
