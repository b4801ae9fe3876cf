"""How often do 95 % intervals contain the true score? Simulated people, whose true score is known.

Each person shows an own number of clips and an own mixture of three classes, is easy or hard to judge, and looks more
like one class than like another. Sizes and classes are those of MEGC2019 (See et al., 2019). The true score is that of
the pooled predictions of endlessly many such people, so the bias of few people counts against an interval.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.arguments import add_numbers
from mer_bench.evaluation.intervals import UPPER, degrees_of_freedom, difference_interval, score_interval, subject_error
from mer_bench.evaluation.metrics import METRICS, SubjectCounts
from mer_bench.evaluation.statistics import contrast

HELP = 'how often 95 % intervals contain the true score of simulated people'
# subjects, and clips that are negative, positive, surprise: MEGC2019, https://doi.org/10.1109/FG.2019.8756611
SMIC, CASME2, SAMM = (16, (70, 51, 43)), (24, (88, 32, 25)), (28, (92, 26, 15))
SIZES = {
    '8 people': [(8, (35, 26, 21))],  # half of SMIC
    'SMIC, 16': [SMIC],
    'CASME II, 24': [CASME2],
    'SAMM, 28': [SAMM],
    'composite, 68': [SMIC, CASME2, SAMM],
}
REAL = [*SIZES][1:]
CLIPS_SHAPE = 1.0  # of a gamma distribution: the clips of a person deviate by as much as their mean, as in MEGC2019
MIXTURE = 2.5  # of a Dirichlet distribution: a rare class is shown by less than half of the people
SKILL, LOOKS = 0.8, 0.5  # deviations between people on the logit scale
MIDDLE = np.array([[0.80, 0.12, 0.08], [0.27, 0.63, 0.10], [0.18, 0.10, 0.72]])  # answers to the clips of each class
WEAK = np.array([[0.75, 0.15, 0.10], [0.55, 0.35, 0.10], [0.45, 0.15, 0.40]])
BETTER, STRONG = 0.4, 1.0  # on the logit scale of the right answer
PEOPLE = 200_000  # of each data set, for the true score
OF = {metric.name: metric.of for metric in METRICS}
AT_ONCE = 50  # trials in memory


@dataclass(frozen=True)
class Method:
    """The answers of one training: how often each, (C, C), and what is added to the right one on the logit scale."""

    rates: np.ndarray
    shift: float | np.ndarray = 0.0


@dataclass(frozen=True)
class Case:
    """One question.

    Attributes:
        name: In tables.
        metric: A score.
        methods: One, or two whose difference is asked for.
        seeds: Trainings of the one method; the true score is the mean over endlessly many.
        alike: The part of what is special about a person that the methods share, and of clips with the same luck.
        spread: How much more than usual people differ.
        seed_spread: The deviation between seeds, on the logit scale of the right answer.
    """

    name: str
    metric: str
    methods: tuple[Method, ...]
    seeds: int = 1
    alike: float = 0.5
    spread: float = 1.0
    seed_spread: float = 0.1


CASES = [
    Case('UF1 of one method', 'uf1', (Method(MIDDLE),)),
    Case('UF1 of a weak method', 'uf1', (Method(WEAK),)),
    Case('UF1 of a strong method', 'uf1', (Method(MIDDLE, STRONG),)),
    Case('UAR', 'uar', (Method(MIDDLE),)),
    Case('UAR of a strong method', 'uar', (Method(MIDDLE, STRONG),)),
    Case('accuracy', 'accuracy', (Method(MIDDLE),)),
    Case('accuracy of a strong method', 'accuracy', (Method(MIDDLE, STRONG),)),
    Case('UF1, people who hardly differ', 'uf1', (Method(MIDDLE),), spread=0.25),
    Case('UF1, people who differ twice as much', 'uf1', (Method(MIDDLE),), spread=2),
    Case('difference of two equally good methods', 'uf1', (Method(MIDDLE), Method(MIDDLE))),
    Case('difference to a better method', 'uf1', (Method(MIDDLE, BETTER), Method(MIDDLE))),
    Case('difference of accuracy', 'accuracy', (Method(MIDDLE, BETTER), Method(MIDDLE))),
    Case('mean of three seeds', 'uf1', (Method(MIDDLE),), seeds=3, alike=0.8),
    Case('mean of three seeds that differ much', 'uf1', (Method(MIDDLE),), seeds=3, alike=0.8, seed_spread=0.3),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`measure` reads."""
    add_numbers(
        parser,
        trials=(2000, 1, 'simulated data sets of each size'),
        resamples=(1000, 1, 'of the people, for the intervals that draw them'),
    )


def measure(args: argparse.Namespace) -> dict:
    """Count how often each interval contains the true score.

    Returns:
        found: one entry per case, size and interval: the true score; coverage, below and above, the shares of intervals
        that contain it or lie on one side of it; the median length; tables: see :func:`tables_of`.
    """
    found = []
    for case, (size, parts) in product(CASES, SIZES.items()):
        rng = np.random.default_rng(0)
        true = truth(parts, case, rng)
        ends = intervals(simulate(parts, case, args.trials, rng), case, args.resamples)
        for kind, (low, high) in ends.items():
            inside = {'coverage': (low <= true) & (true <= high), 'below': high < true, 'above': low > true}
            shares = {name: round(float(np.mean(hit)), 6) for name, hit in inside.items()}
            length = round(float(np.median(high - low)), 6)
            found.append({'case': case.name, 'size': size, 'kind': kind, 'true': round(true, 6)} | shares)
            found[-1]['length'] = length
    return {'seconds': {}, 'ratios': {}, 'found': found, 'tables': tables_of(found, args.trials)}


def people(part: tuple, case: Case, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw people of one data set.

    Returns:
        How many clips each shows, `shape`; the mixture of their classes, (*shape, C); and what adds to the logit of
        each answer of each training: (trainings, *shape, C, C).
    """
    n_people, clips = part
    mean = sum(clips) / n_people
    counts = 1 + rng.poisson((mean - 1) * rng.gamma(CLIPS_SHAPE, 1 / CLIPS_SHAPE, shape))
    mixture = rng.standard_gamma(MIXTURE * np.array(clips) / sum(clips), (*shape, 3))
    shared = rng.normal(size=(*shape, 4))
    effects = []
    for _ in range(len(case.methods) * case.seeds):
        special = np.sqrt(case.alike) * shared + np.sqrt(1 - case.alike) * rng.normal(size=(*shape, 4))
        skill, looks = special[..., 0, None, None] * np.eye(3), special[..., None, 1:]
        effects.append(case.spread * (SKILL * skill + LOOKS * looks))
    return counts, mixture / mixture.sum(-1, keepdims=True), np.array(effects)


def answers(method: Method, effects: np.ndarray) -> np.ndarray:
    """Return the probability of each answer to a clip of each class, as the shape of `effects`, (..., C, C)."""
    shift = np.asarray(method.shift)[..., None, None] * np.eye(3)
    odds = np.exp(np.log(method.rates) + shift + effects)
    return odds / odds.sum(-1, keepdims=True)


def truth(parts: list[tuple], case: Case, rng: np.random.Generator) -> float:
    """Return the score, or the difference, of endlessly many people (and seeds)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(7) if case.seeds > 1 else (np.zeros(1), np.ones(1))
    matrices = np.zeros((len(case.methods), len(nodes), 3, 3))
    for part in parts:
        counts, mixture, effects = people(part, case, (PEOPLE,), rng)
        shown = counts[:, None] * mixture * part[0] / PEOPLE
        for number, method in enumerate(case.methods):
            for at, node in enumerate(nodes):
                moved = Method(method.rates, method.shift + case.seed_spread * node)
                matrices[number, at] += np.einsum('pc,pcd->cd', shown, answers(moved, effects[number]))
    scores = OF[case.metric](matrices) @ weights / weights.sum()
    return float(scores[0] - scores[1] if len(scores) == 2 else scores[0])


def simulate(parts: list[tuple], case: Case, trials: int, rng: np.random.Generator) -> np.ndarray:
    """Return the confusion matrix of each person in each trial and training, (trainings, trials, people, C, C)."""
    trainings = [method for method in case.methods for _ in range(case.seeds)]
    if case.seeds > 1:
        trainings = [
            Method(each.rates, each.shift + case.seed_spread * rng.normal(size=(trials, 1))) for each in trainings
        ]
    matrices = []
    for part in parts:
        shape = trials, part[0]
        counts, mixture, effects = people(part, case, shape, rng)
        person = np.repeat(np.arange(counts.size), counts.ravel())
        label = pick(mixture.reshape(-1, 3)[person], rng.random(len(person)))
        luck, same = rng.random(len(person)), rng.random(len(person)) < case.alike
        of_part = []
        for method, effect in zip(trainings, effects, strict=True):
            chances = answers(method, effect).reshape(-1, 3, 3)[person, label]
            answer = pick(chances, np.where(same, luck, rng.random(len(person))))
            cells = np.bincount((person * 3 + label) * 3 + answer, minlength=counts.size * 9)
            of_part.append(cells.reshape(*shape, 3, 3))
        matrices.append(of_part)
    return np.concatenate(matrices, axis=2).astype(float)


def pick(chances: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Return the class that a uniform number picks, (N, C) and (N,) -> (N,)."""
    return (uniform[:, None] > chances[:, :-1].cumsum(-1)).sum(-1)


@dataclass(frozen=True)
class Sample:
    """Trials of one or two trainings, the second subtracted: matrices (trainings, trials, people, C, C)."""

    matrices: np.ndarray
    metric: str
    resamples: int = 1000

    def of(self, matrices: np.ndarray) -> np.ndarray:
        """Return the score, or the difference, (trainings, ..., C, C) -> (...)."""
        return np.tensordot([1, -1][: len(matrices)], OF[self.metric](matrices), 1)

    @cached_property
    def total(self) -> np.ndarray:
        return self.matrices.sum(2)

    @cached_property
    def value(self) -> np.ndarray:
        return self.of(self.total)

    @cached_property
    def left_out(self) -> np.ndarray:
        """The scores without one of the people, (trials, people)."""
        return self.of(self.total[:, :, None] - self.matrices)

    @cached_property
    def clips(self) -> np.ndarray:
        return self.matrices[0].sum((2, 3))

    @cached_property
    def linear_error(self) -> np.ndarray:
        """The standard error of the linearised score, robust to clusters, (trials,)."""
        n = self.matrices.shape[2]
        influence = np.einsum('ktcd,ktpcd->ktp', gradient(self.metric, self.total), self.matrices)
        return np.sqrt(n / (n - 1) * (self.of_signs(influence) ** 2).sum(-1))

    def of_signs(self, values: np.ndarray) -> np.ndarray:
        return np.tensordot([1, -1][: len(values)], values, 1)

    @cached_property
    def drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """The scores of resamples of the people and their linear errors, (trials, resamples) each."""
        _, trials, n = self.matrices.shape[:3]
        times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=self.resamples).astype(float)
        values, errors = [], []
        for at in range(0, trials, AT_ONCE):
            part = self.matrices[:, at : at + AT_ONCE].reshape(len(self.matrices), -1, n, 9)
            sums = (times @ part).reshape(*part.shape[:2], self.resamples, 3, 3)
            slopes = gradient(self.metric, sums).reshape(*part.shape[:2], self.resamples, 9)
            influence = self.of_signs(np.matmul(slopes, part.swapaxes(-1, -2)))  # (trials, resamples, people)
            values.append(self.of(sums))
            errors.append(np.sqrt(n / (n - 1) * np.einsum('bp,tbp->tb', times, influence**2)))
        return np.concatenate(values), np.concatenate(errors)


def gradient(metric: str, matrices: np.ndarray) -> np.ndarray:
    """Return the derivative of UF1, UAR or accuracy by each cell of confusion matrices, (..., C, C)."""
    eye, true, predicted = np.eye(matrices.shape[-1]), matrices.sum(-1), matrices.sum(-2)
    right = np.diagonal(matrices, axis1=-2, axis2=-1)
    if metric == 'accuracy':
        n = true.sum(-1)[..., None, None]
        return (eye - (right.sum(-1)[..., None, None] / n)) / n
    if metric == 'uar':
        share = inverse(true)
        return share[..., None] * (eye - (right * share)[..., None]) / len(eye)
    share = inverse(true + predicted)
    slope = 2 * right * share**2
    return (2 * eye * share[..., None] - slope[..., None] - slope[..., None, :]) / len(eye)


def inverse(counts: np.ndarray) -> np.ndarray:
    """Return 1 over each count, 0 for 0."""
    return np.divide(1, counts, out=np.zeros_like(counts, dtype=float), where=counts > 0)


Ends = tuple[np.ndarray, np.ndarray]


def percentile(sample: Sample) -> Ends:
    """Efron and Tibshirani, 1993, chapter 13: what the tables of earlier versions show."""
    return tuple(np.quantile(sample.drawn[0], [1 - UPPER, UPPER], axis=1))


def widened(sample: Sample) -> Ends:
    """The percentiles, away from the score by sqrt(n / (n - 1))."""
    factor = np.sqrt(sample.clips.shape[1] / (sample.clips.shape[1] - 1))
    return tuple(sample.value + (end - sample.value) * factor for end in percentile(sample))


def basic(sample: Sample) -> Ends:
    """Davison and Hinkley, Bootstrap Methods, 1997, section 5.2."""
    low, high = percentile(sample)
    return 2 * sample.value - high, 2 * sample.value - low


def bca(sample: Sample) -> Ends:
    """Efron, J. Am. Stat. Assoc. 82(397), 1987, https://doi.org/10.1080/01621459.1987.10478410."""
    drawn, value = sample.drawn[0], sample.value[:, None]
    share = ((drawn < value).mean(1) + (drawn <= value).mean(1)) / 2
    bias = ndtri(np.clip(share, 0.5 / sample.resamples, 1 - 0.5 / sample.resamples))
    pulls = sample.left_out.mean(1, keepdims=True) - sample.left_out
    skew = (pulls**3).sum(1) / np.maximum(6 * (pulls**2).sum(1) ** 1.5, 1e-300)
    ends = []
    for point in (ndtri(1 - UPPER), ndtri(UPPER)):
        at = ndtr(bias + (bias + point) / (1 - skew * (bias + point)))
        ends.append(np.array([np.quantile(row, share) for row, share in zip(drawn, at, strict=True)]))
    return tuple(ends)


def studentised(sample: Sample) -> Ends:
    """Davison and Hinkley, 1997, section 5.2, with the error of the linearised score."""
    drawn, errors = sample.drawn
    ratios = np.divide(drawn - sample.value[:, None], errors, out=np.zeros_like(drawn), where=errors > 1e-9)
    low, high = np.quantile(ratios, [1 - UPPER, UPPER], axis=1)
    return sample.value - high * sample.linear_error, sample.value - low * sample.linear_error


def linear_t(sample: Sample) -> Ends:
    """The linearised score, robust to clusters, with n - 1 degrees of freedom (as in Stata)."""
    return difference_interval(sample.value, sample.linear_error, sample.clips.shape[1] - 1)


def jackknife_t(sample: Sample) -> Ends:
    """The jackknife with n - 1 degrees of freedom."""
    return difference_interval(sample.value, subject_error(sample.left_out), sample.clips.shape[1] - 1)


def jackknife_logit(sample: Sample) -> Ends:
    """The jackknife on the logit scale with n - 1 degrees of freedom."""
    return score_interval(sample.value, subject_error(sample.left_out), sample.clips.shape[1] - 1)


def ours_of_a_difference(sample: Sample) -> Ends:
    """What mer_bench gives for differences."""
    return difference_interval(sample.value, subject_error(sample.left_out), degrees_of_freedom(sample.clips))


def ours_of_a_score(sample: Sample) -> Ends:
    """What mer_bench gives for scores."""
    return score_interval(sample.value, subject_error(sample.left_out), degrees_of_freedom(sample.clips))


IN_FULL = (
    *('UF1 of one method', 'difference of two equally good methods'),
    *('mean of three seeds', 'mean of three seeds that differ much'),
)  # in tables
OURS = 'jackknife, t of effective number'
FOR_BOTH: dict[str, Callable[[Sample], Ends]] = {
    'percentile bootstrap': percentile,
    'percentile bootstrap, widened': widened,
    'basic bootstrap': basic,
    'BCa bootstrap': bca,
    'studentised bootstrap': studentised,
    'linearised, t': linear_t,
    'jackknife, t': jackknife_t,
    OURS: ours_of_a_difference,
}
FOR_SCORES = {'jackknife, t, logit': jackknife_logit, f'{OURS}, logit': ours_of_a_score}


def intervals(matrices: np.ndarray, case: Case, resamples: int) -> dict[str, Ends]:
    """Return the ends of each kind of interval, (trials,) each.

    Args:
        matrices: As :func:`simulate` returns them.
    """
    if case.seeds > 1:
        return seed_intervals(matrices, case.metric)
    sample = Sample(matrices, case.metric, resamples)
    kinds = FOR_BOTH if len(case.methods) == 2 else FOR_BOTH | FOR_SCORES
    return {name: kind(sample) for name, kind in kinds.items()}


def seed_intervals(matrices: np.ndarray, metric: str) -> dict[str, Ends]:
    """Return intervals of the mean over seeds: over the people alone, and over both."""
    people_only, both = [], []
    for trial in range(matrices.shape[1]):
        seeds = [SubjectCounts(counts) for counts in matrices[:, trial]]
        both.append(contrast([seeds], [1], metric)[1:])
        left_out = np.mean([counts.left_out[metric] for counts in seeds], axis=0)
        value = np.mean([counts.scores[metric] for counts in seeds])
        people_only.append(score_interval(value, subject_error(left_out), seeds[0].freedom))
    return {name: tuple(np.array(ends).T) for name, ends in (('people', people_only), ('people and seeds', both))}


def tables_of(found: list[dict], trials: int) -> list[dict]:
    """Return tables of coverage and length, as {text, headers, rows}, and one of the range over the data sets."""
    error = 100 * np.sqrt(0.95 * 0.05 / trials)
    words = (
        f'in % of {trials} simulated data sets of each size (standard error {error:.1f}); in brackets the median length'
    )
    tables = []
    for case in (case for case in CASES if case.name in IN_FULL):
        by_kind = _by(found, 'kind', case=case.name)
        rows = [[f'{kind} (ours)' if kind == ours(case) else kind, *map(_cell, of)] for kind, of in by_kind.items()]
        text = f'{case.name[:1].upper()}{case.name[1:]}: how often the 95 % interval contains the true one, {words}.'
        tables.append({'text': text, 'headers': ['interval', *SIZES], 'rows': rows})
    shown = {'percentile bootstrap': 'percentile bootstrap', 'studentised bootstrap': 'studentised bootstrap'}
    shown |= {'jackknife, t': 'jackknife, t', 'ours': None}
    rows = [
        [case.name, *(_range(found, case=case.name, kind=kind or ours(case)) for kind in shown.values())]
        for case in CASES
        if case.seeds == 1
    ]
    text = (
        'Every score and difference: the lowest and the highest coverage over the four sizes of real data sets, in %.'
    )
    return [*tables, {'text': text, 'headers': ['case', *shown], 'rows': rows}]


def ours(case: Case) -> str:
    """Return the kind of interval that mer_bench gives."""
    if case.seeds > 1:
        return 'people and seeds'
    return OURS if len(case.methods) == 2 else f'{OURS}, logit'


def _by(found: list[dict], key: str, **wanted: str) -> dict[str, list[dict]]:
    kept = [entry for entry in found if wanted.items() <= entry.items()]
    return {name: [entry for entry in kept if entry[key] == name] for name in dict.fromkeys(e[key] for e in kept)}


def _cell(entry: dict) -> str:
    return f'{100 * entry["coverage"]:.1f} ({entry["length"]:.3f})'


def _range(found: list[dict], **wanted: str) -> str:
    shares = [
        100 * entry['coverage']
        for size, entries in _by(found, 'size', **wanted).items()
        for entry in entries
        if size in REAL
    ]
    return f'{min(shares):.1f} to {max(shares):.1f}'
