"""What a whole sweep costs, from measured seconds: trainings, core-hours or GPU-hours, wall time, money."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from tabulate import tabulate

from mer_bench.sweeps.estimate import TimeEstimate
from mer_bench.sweeps.plan import PlannedRun
from mer_bench.sweeps.report import by_method, format_duration


@dataclass(frozen=True)
class MethodPrice:
    """The trainings of a method on a config, over all seeds.

    Attributes:
        method: Its name.
        config: The name of the config.
        trainings: Folds of all seeds, also those that are finished.
        seconds: Of all trainings on one worker; None where nothing was measured.
        longest: Of the longest one.
        measured: Where, and on what.
    """

    method: str
    config: str
    trainings: int
    seconds: float | None
    longest: float | None
    measured: tuple[str, ...]


@dataclass(frozen=True)
class SweepPrice:
    """The whole sweep.

    Attributes:
        methods: In the order of the sweep, without those that cannot be opened.
        workers: Trainings at a time.
        unit: `core` or `GPU`.
        share: Cores, or the share of a GPU, of one worker.
        price: Of an hour of a core or GPU; None: not asked.
    """

    methods: tuple[MethodPrice, ...]
    workers: int
    unit: str
    share: float
    price: float | None = None

    @property
    def known(self) -> list[MethodPrice]:
        """The methods that were measured."""
        return [method for method in self.methods if method.seconds is not None]

    @property
    def unknown(self) -> list[MethodPrice]:
        """The others: what they cost is in no sum."""
        return [method for method in self.methods if method.seconds is None]

    @property
    def hours(self) -> float:
        """Hours of cores or GPUs of all that is known."""
        return sum(self.hours_of(method) for method in self.known)

    @property
    def wall_seconds(self) -> float:
        """Seconds until the last training is done, if no worker is ever without one; at least those of the longest."""
        seconds = sum(method.seconds for method in self.known) / self.workers
        return max([seconds, *(method.longest for method in self.known)])

    def hours_of(self, method: MethodPrice) -> float:
        """Hours of cores or GPUs of a method."""
        return method.seconds * self.share / 3600

    def as_json(self) -> dict:
        """All numbers: trainings, those that are not known, hours, wall_seconds, cost, and the same of each method."""
        return dict(
            unit=f'{self.unit}-hours',
            workers=self.workers,
            price=self.price,
            trainings=sum(method.trainings for method in self.methods),
            not_measured=sum(method.trainings for method in self.unknown),
            hours=self.hours,
            wall_seconds=self.wall_seconds,
            cost=None if self.price is None else self.hours * self.price,
            methods=[asdict(method) for method in self.methods],
        )


def price_sweep(
    runs: Sequence[PlannedRun], estimate: TimeEstimate, workers: int, unit: str, share: float, price: float | None
) -> SweepPrice:
    """Price all trainings of a sweep; arguments as for :class:`SweepPrice`."""
    groups = [seeds for seeds in by_method(runs) if not seeds[0].fault]
    return SweepPrice(tuple(price_method(seeds, estimate) for seeds in groups), workers, unit, share, price)


def price_method(seeds: Sequence[PlannedRun], estimate: TimeEstimate) -> MethodPrice:
    """Price the runs of a method on a config, which differ in their seed alone."""
    run = seeds[0]
    clips = [n_train for _, n_train in run.folds]
    rate = estimate.rate(run)
    seconds = longest = None
    if rate is not None:
        seconds = rate * run.max_epochs * sum(clips) * len(seeds)
        longest = rate * run.max_epochs * max(clips)
    where = tuple(dict.fromkeys(f'{part.device}, {part.processor}'.strip(', ') for part in estimate.measured(run)))
    return MethodPrice(run.method, run.config_name, len(clips) * len(seeds), seconds, longest, where)


def same_device(unit: str, threads: int) -> Callable[[str], bool]:
    """Return what tells whether a measured device is of the kind to come: cores with as many threads, or GPUs.

    `cpu` alone is that of scikit-learn, which runs there also beside trainings on a GPU.
    """
    if unit == 'core':
        return lambda device: device in ('', 'cpu') or device.startswith(f'cpu, {threads} thread')
    return lambda device: device == 'cpu' or not device.startswith('cpu')


def format_price(price: SweepPrice) -> str:
    """Return a row for each method, the most expensive first, and the sums in sentences."""
    ranked = sorted(price.known, key=lambda method: -method.seconds) + price.unknown
    rows = [[method.method, method.config, method.trainings, *_numbers(price, method)] for method in ranked]
    headers = ['method', 'config', 'trainings', 'seconds each', f'{price.unit}-hours']
    table = tabulate(rows, headers, disable_numparse=True, colalign=('left', 'left', 'right', 'right', 'right'))
    return '\n'.join([table, '', *_sums(price)])


def _numbers(price: SweepPrice, method: MethodPrice) -> tuple[str, str]:
    if method.seconds is None:
        return 'unknown', 'unknown'
    return f'{method.seconds / method.trainings:.3g}', f'{price.hours_of(method):.3f}'


def _sums(price: SweepPrice) -> list[str]:
    trainings = sum(method.trainings for method in price.known)
    lines = []
    if price.known:
        cost = '' if price.price is None else f', which cost {price.hours * price.price:.2f} at {price.price:g} an hour'
        lines.append(f'{trainings} trainings: {price.hours:.2f} {price.unit}-hours{cost}')
        lines.append(
            f'wall time with {price.workers} worker{"s" * (price.workers > 1)}: {format_duration(price.wall_seconds)}, '
            'without the start of processes'
        )
        places = dict.fromkeys(place for method in price.known for place in method.measured)
        lines.append(f'measured on: {"; ".join(places)}')
    if price.unknown:
        left_out = sum(method.trainings for method in price.unknown)
        names = ', '.join(f'{method.method} on {method.config}' for method in price.unknown)
        lines.append(f'not measured, and in no sum: {left_out} trainings of {names}')
    return lines
