"""Two sets of predictions on the same clips: which is better, by how much, and how certain is it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

import numpy as np
import pandas as pd

from mer_bench.errors import InputError, visible
from mer_bench.escaping import for_csv
from mer_bench.evaluation.intervals import MEASURED
from mer_bench.evaluation.labels import name_labels
from mer_bench.evaluation.metrics import METRICS, SubjectCounts
from mer_bench.evaluation.predictions import classes_of, in_order, load_predictions
from mer_bench.evaluation.statistics import Estimate, contrast, mcnemar, signed
from mer_bench.evaluation.style import BLUE, GREY, ORANGE, new_figure, save


@dataclass(frozen=True)
class Comparison:
    """Two sets of predictions, a and b, on the clips that both have.

    Attributes:
        names: of a and b.
        scores: metric -> its values for a and b.
        differences: metric -> a minus b, with the paired 95 % interval over the subjects.
        mcnemar: `only_first` and `only_second`, the clips that a or b alone predicts correctly, and the exact `p`.
        subjects: one row per subject, by name: clips, correct_a, correct_b.
        missing: how many clips of a are missing in b, and of b in a; they are left out.
    """

    names: tuple[str, str]
    scores: dict[str, tuple[float, float]]
    differences: dict[str, Estimate]
    mcnemar: dict
    subjects: pd.DataFrame
    missing: tuple[int, int]

    @property
    def n_clips(self) -> int:
        return int(self.subjects['clips'].sum())

    @property
    def wins(self) -> tuple[int, int, int]:
        """The numbers of subjects for whom a is correct more often, for whom b is, and for whom both are equal."""
        difference = self.subjects['correct_a'] - self.subjects['correct_b']
        return int((difference > 0).sum()), int((difference < 0).sum()), int((difference == 0).sum())

    @property
    def sentence(self) -> str:
        """The result in one sentence, by UF1."""
        (a, b), change = self.scores['uf1'], self.differences['uf1']
        better, worse = self.names if change.value >= 0 else self.names[::-1]
        if change.value == 0:
            lead = f'{self.names[0]} and {self.names[1]} have the same UF1 ({a:.4f})'
        else:
            lead = f'{better} has the higher UF1: {max(a, b):.4f} against {min(a, b):.4f} of {worse}'
        if change.low is None:
            return f'{lead}; one subject only gives no interval, so this does not show which of the two is better.'
        low, high = (change.low, change.high) if change.value >= 0 else (-change.high, -change.low)
        interval = f'the 95 % interval of the difference, {low:+.4f} to {high:+.4f},'
        if change.low > 0 or change.high < 0:
            return f'{lead}; {interval} excludes 0, so the lead is unlikely to be due to the choice of these subjects.'
        return f'{lead}; {interval} contains 0, so these subjects do not show which of the two is better.'

    @property
    def plain_sentence(self) -> str:
        """The result in one sentence for readers who know no scores: by clips, and by UF1 where that differs."""
        (a, b), n, people = self.names, self.n_clips, len(self.subjects)
        right_a, right_b = (int(self.subjects[f'correct_{side}'].sum()) for side in 'ab')
        better = a if right_a >= right_b else b
        if right_a != right_b:
            more, other = abs(right_a - right_b), b if better == a else a
            lead = f'{better} was right on {more} more of the {n} clips than {other}'
        elif sum(self.mcnemar[side] for side in ('only_first', 'only_second')):
            lead = f'{a} and {b} were each right on {right_a} of the {n} clips, though not on the same ones'
        else:
            lead = f'{a} and {b} were right on the same {right_a} of the {n} clips'
        if people < MEASURED:
            few = f'these {people} people' if people > 1 else 'this one person'
            return f'On {few}, {lead}; too few people to say which is better for others.'
        by_clips, by_uf1 = (_direction(self.differences[score]) for score in ('accuracy', 'uf1'))
        if right_a == right_b:
            text = f'{lead}, so these data do not show that one of them is better'
        elif by_clips:
            chance = 'a difference this large would rarely arise by chance'
            text = f'{lead}; {chance}, so these data show that {better} is better for people like these'
        else:
            chance = 'a difference this large can arise by chance alone'
            text = f'{lead}; {chance}, so these data do not show that {better} is better'
        if by_uf1 != by_clips:
            which = {0: 'they do not show which is better', 1: f'they show that {a} is better'}
            found = which.get(by_uf1, f'they show that {b} is better')
            text += f'; if every class counts alike (UF1), however, {found}'
        return f'On these {people} people, {text}.'

    def to_frame(self) -> pd.DataFrame:
        """Return one row per metric: a, b, the difference and its interval, then what all rows share."""
        rows = [
            (name, *pair, *change)
            for (name, pair), change in zip(self.scores.items(), self.differences.values(), strict=True)
        ]
        a_better, b_better, equal = self.wins
        shared = {
            'name_a': for_csv(self.names[0]),
            'name_b': for_csv(self.names[1]),
            'clips': self.n_clips,
            'subjects': len(self.subjects),
            'missing_in_b': self.missing[0],
            'missing_in_a': self.missing[1],
            'only_a_correct': self.mcnemar['only_first'],
            'only_b_correct': self.mcnemar['only_second'],
            'mcnemar_p': self.mcnemar['p'],
            'subjects_a_better': a_better,
            'subjects_b_better': b_better,
            'subjects_equal': equal,
        }
        return pd.DataFrame(rows, columns=['metric', 'a', 'b', 'difference', 'low', 'high']).assign(**shared)

    def to_dict(self) -> dict:
        """Return everything as JSON can hold it; a difference is a minus b."""
        rows = self.to_frame()[['metric', 'a', 'b', 'difference', 'low', 'high']]
        a_better, b_better, equal = self.wins
        return dict(
            a=self.names[0],
            b=self.names[1],
            clips=self.n_clips,
            left_out=dict(a=self.missing[0], b=self.missing[1]),
            metrics=rows.to_dict('records'),
            mcnemar=self.mcnemar,
            subjects=dict(a_better=a_better, b_better=b_better, equal=equal),
            sentence=self.sentence,
            plain_sentence=self.plain_sentence,
        )

    def __str__(self) -> str:
        from tabulate import tabulate

        rows = [
            [
                metric.header,
                *(f'{value:.4f}' for value in self.scores[metric.name]),
                signed(change.value),
                change.interval,
            ]
            for metric, change in zip(METRICS, self.differences.values(), strict=True)
        ]
        headers = ['', *self.names, 'difference', '95 % interval']
        table = tabulate(rows, headers, disable_numparse=True, colalign=('left', *['right'] * 3, 'left'))
        a_better, b_better, equal = self.wins
        test, (a, b), n = self.mcnemar, self.names, len(self.subjects)
        lines = [
            self.sentence,
            f'{self.n_clips} clips of {n} subject{"s" * (n > 1)}.',
            f'Subjects: {a} predicts more clips correctly for {a_better}, {b} for {b_better}; equal for {equal}.',
            f'Clips predicted correctly by {a} alone: {test["only_first"]}, by {b} alone: {test["only_second"]}; '
            f"McNemar's exact test p = {test['p']:.3g}. It assumes independent clips, so rely on the interval first.",
        ]
        if n > 1:
            lines[1] += (
                ' Intervals: over the subjects, each left out once of both; they do not cover differences between '
                'trainings.'
            )
        if 1 < n < MEASURED:
            lines.append(f'With fewer than {MEASURED} subjects it is not known how often such intervals are right.')
        if any(self.missing):
            lines.append(
                f'Left out: clips that only one of the two has, {self.missing[0]} of {a}, {self.missing[1]} of {b}.'
            )
        return '\n'.join([table, '', *lines, '', self.plain_sentence])

    def plot(self, path: str | Path) -> None:
        """Draw the differences with their intervals, and the difference of each subject, as svg, png or pdf."""
        save(lambda: _draw(self), path)


def _direction(change: Estimate) -> int:
    """Return 1 or -1 where the interval shows a difference above or below 0, else 0."""
    return 0 if change.low is None else int(change.low > 0) - int(change.high < 0)


def compare(a: object, b: object, classes: Sequence[str] = (), names: tuple[str, str] | None = None) -> Comparison:
    """Compare two sets of predictions clip by clip, joined by sample_id.

    Args:
        a: predictions as for :func:`load_predictions`: a run folder, a file, a DataFrame, a run.
        b: the same.
        classes: names of the labels 0, 1, 2 of a log; by default those of the other side, where it has names.
        names: what to call the two (default: from their paths).

    Raises:
        InputError: No clip is in both, or a clip has another subject or label in b than in a.
    """
    names = names or names_of((a, b))
    frames, classes, missing = joined((a, b), names, classes)
    counts = [SubjectCounts.of(frame, classes) for frame in frames]
    correct = [(frame['y_true'] == frame['y_pred']).groupby(frame['subject']).sum() for frame in frames]
    clips = frames[0].groupby('subject').size()
    return Comparison(
        names,
        {metric.name: tuple(float(each.scores[metric.name]) for each in counts) for metric in METRICS},
        {metric.name: contrast([[each] for each in counts], [1, -1], metric.name) for metric in METRICS},
        mcnemar(*frames),
        pd.DataFrame({'clips': clips, 'correct_a': correct[0], 'correct_b': correct[1]}),
        missing,
    )


def joined(
    sources: Sequence[object], names: Sequence[str], classes: Sequence[str] = ()
) -> tuple[list[pd.DataFrame], list[str], tuple[int, ...]]:
    """Read predictions and keep the clips that all have.

    Args:
        sources, names, classes: as for :func:`compare`.

    Returns:
        A table for each, all of the same clips in the same order; the classes; how many clips of each were left out.
    """
    classes, frames = [*map(str, classes)], [load_predictions(source) for source in sources]
    if classes := classes or scored_classes(frames):
        frames = [name_labels(frame, classes, name) for frame, name in zip(frames, names, strict=True)]
    frames, missing = _common([frame.astype({'y_true': str, 'y_pred': str}) for frame in frames], names)
    found = {label for frame in frames for key in ('y_true', 'y_pred') for label in frame[key]}
    return frames, classes or in_order(found), missing


def scored_classes(frames: Sequence[pd.DataFrame]) -> list[str]:
    """Return the classes of the first table that names them by columns of scores."""
    named = (classes_of(frame) for frame in frames if any(name.startswith('score_') for name in frame))
    return next(named, [])


def _common(frames: list[pd.DataFrame], names: Sequence[str]) -> tuple[list[pd.DataFrame], tuple[int, ...]]:
    """Return the clips that all tables have, in the same order, and how many of each are left out."""
    tables = [frame.set_index('sample_id', drop=False).rename_axis(None) for frame in frames]
    shared = tables[0].index
    for table, name in zip(tables, names, strict=True):
        if (both := shared.intersection(table.index)).empty:
            raise InputError(
                f'expected predictions of the same clips, but of {len(shared)} of {names[0]} and {len(table)} of '
                f'{name} none has the same sample_id ({shared[0]}, {table.index[0]}); give predictions on the same '
                'data, with a sample_id <dataset>/<subject>/<clip>'
            )
        shared = both
    shared = shared.sort_values()
    missing = tuple(len(table) - len(shared) for table in tables)
    a, *others = tables = [table.loc[shared] for table in tables]
    for b, name in zip(others, names[1:], strict=True):
        for key, word in (('y_true', 'label'), ('subject', 'subject')):
            if (differ := a[key] != b[key]).any():
                clip = shared[int(np.argmax(differ))]
                raise InputError(
                    f'expected the same {word} of each clip, but {int(differ.sum())} of {len(shared)} clips differ, '
                    f'such as {clip}: {a[key][clip]!r} in {names[0]}, {b[key][clip]!r} in {name}; compare predictions '
                    'on the same labels, or give --classes in the order of the labels 0, 1, 2'
                )
    return tables, missing


def names_of(sources: Sequence[object]) -> tuple[str, ...]:
    """Name predictions by the shortest ends of their paths that differ."""
    sources = [getattr(source, 'folder', source) for source in sources]  # of a run
    paths = [Path(source) if isinstance(source, str | Path) else None for source in sources]
    if len(paths) > 2 and (twice := [path for path in paths if path and paths.count(path) > 1]):
        raise InputError(f'{twice[0]}: given twice; name each run once')
    if None in paths or len({path.absolute() for path in paths}) < len(paths):
        return tuple(ascii_uppercase[: len(paths)]) if len(paths) <= 26 else tuple(map(str, range(1, len(paths) + 1)))
    parts = [
        (path.parent if path.name in ('predictions.csv', 'record.json') else path).absolute().parts for path in paths
    ]
    n = next((n for n in range(1, 20) if len({part[-n:] for part in parts}) == len(parts)), 20)
    elsewhere = len({part[:-1] for part in parts}) > 1  # where a seed alone names no method
    lengths = [max(n, 1 + (elsewhere and part[-1].startswith('seed'))) for part in parts]
    return tuple(visible('/'.join(part[-n:])) for n, part in zip(lengths, parts, strict=True))


def short_names(sources: Sequence[object]) -> tuple[str, ...]:
    """Name predictions likewise, without a seed that all share."""
    names = names_of(sources)
    shared = names[0].rpartition('/')[2]
    if '/' in names[0] and shared.startswith('seed') and all(name.endswith(f'/{shared}') for name in names):
        return tuple(name.removesuffix(f'/{shared}') for name in names)
    return names


def _draw(comparison: Comparison):
    """Return the figure: above the metrics with their intervals, below one bar per subject."""
    figure = new_figure(6.3, 5)
    above, below = figure.subplots(2, 1, height_ratios=[1, 1.4])
    for row, metric in enumerate(METRICS[::-1]):
        change = comparison.differences[metric.name]
        if change.low is not None:
            above.plot([change.low, change.high], [row, row], color=GREY)
        above.plot(change.value, row, 'o', color=BLUE)
    above.axvline(0, color=GREY, linewidth=0.8, linestyle=':')
    above.set_yticks(range(len(METRICS)), [metric.header for metric in METRICS[::-1]])
    above.set_title(f'{comparison.names[0]} minus {comparison.names[1]}, 95 % intervals', parse_math=False)
    above.margins(y=0.15)
    table = comparison.subjects
    share = ((table['correct_a'] - table['correct_b']) / table['clips']).sort_values()
    below.bar(range(len(share)), share, color=np.where(share < 0, ORANGE, BLUE))
    below.axhline(0, color=GREY, linewidth=0.8)
    below.set_ylabel('difference of accuracy')
    named = [*share.index] if len(share) <= 40 else []
    below.set_xticks(range(len(named)), named, rotation=90, fontsize='x-small', parse_math=False)
    below.set_xlabel(f'{len(share)} subjects, {comparison.n_clips} clips')
    return figure
