"""The candidates among which each fold chooses with `--select inner`, opened and checked before the first training.

They are overrides by name, or the list `candidates` of a config or override, whose entries are dotted options or names
of overrides. Without candidates the method itself is the only one: a fold then chooses the epoch of a network, and the
inner folds give the temperature of its class scores.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from mmengine.config import Config

from mer_bench.errors import InputError
from mer_bench.experiment.config_files import configs_read_once, read_override
from mer_bench.experiment.experiment import Candidate, Experiment, RunOptions, open_experiment, open_method
from mer_bench.experiment.method import Method, load_method, with_options
from mer_bench.files import digest_of

RULE, METRIC = 'inner', 'uf1'
SHARED = ('label_scheme', 'folds', 'dataset', 'data_source', 'data_root', 'data_variant', 'action_units')


def has_choice(method: Method) -> bool:
    """Return whether the folds of a method can choose: among candidates, or the epoch of a network."""
    return not method.is_estimator or method.cfg.get('candidates') is not None


def open_candidates(
    options: RunOptions, names: Sequence[str], inner_folds: int, mixed: str | None = None
) -> Experiment:
    """Open all candidates of a run.

    Args:
        options: What the candidates share.
        names: Overrides; none: the list `candidates` of the config, or the method itself.
        inner_folds: Of the training subjects of each fold.
        mixed: As of :func:`open_experiment`.

    Returns:
        The experiment of the run with its candidates. Its method has a name and a digest that stand for all of them and
        is otherwise the first of them.

    Raises:
        InputError: Two candidates are the same, one does not fit the others, or some fold has too few training
            subjects.
    """
    with configs_read_once():
        name, overrides, candidates = _of_names(options, names, mixed) if names else _of_config(options, mixed)
    return join_candidates(name, overrides, candidates, inner_folds)


def join_candidates(name: str, overrides: list[dict], candidates: list[Candidate], inner_folds: int) -> Experiment:
    """Check candidates that are opened, and join them; see :func:`open_candidates`.

    Args:
        name: Of the method.
        overrides: For the record.
        candidates: To choose from.
        inner_folds: Of the training subjects of each fold.
    """
    refuse_unlike(candidates)
    first = candidates[0].experiment
    fewest = min(len(fold.train_subjects) for fold in first.folds)
    if inner_folds > fewest:
        raise InputError(
            f'--inner-folds {inner_folds}: expected at most {fewest}, the training subjects of the smallest fold; take '
            'fewer'
        )
    notes = [candidate.note for candidate in candidates]
    how = dict(rule=RULE, metric=METRIC, inner_folds=inner_folds)
    among = dict(candidates=digest_of(notes)) if len(notes) > 1 else {}  # one alone is the method itself
    cfg = Config(first.method.cfg.to_dict() | dict(selection=how | among))
    method = replace(first.method, name=f'{name}+{RULE}', cfg=cfg, overrides=overrides)
    texts = [note | dict(config=each.experiment.method.text) for note, each in zip(notes, candidates, strict=True)]
    return replace(first, method=method, candidates=candidates, selection=how | dict(candidates=texts))


def _of_config(options: RunOptions, mixed: str | None) -> tuple[str, list[dict], list[Candidate]]:
    """Open the list `candidates` of a config or override: options, or names of overrides.

    Returns:
        The name of the method, its overrides for the record, and the candidates.
    """
    base = load_method(options.config, options.overrides, options.cfg_options)
    entries = base.cfg.get('candidates')
    if entries is None:
        return base.name, base.overrides, [Candidate(base.name, '{}', open_method(base, options, mixed))]
    if isinstance(entries, list) and entries and all(isinstance(entry, str) for entry in entries):
        return _of_names(options, entries, mixed, listed=True)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry for entry in entries):
        raise InputError(
            "candidates: expected a list of options such as {'model.steps.1.C': 0.1}, or of names of overrides, got "
            f'{entries!r:.100}; correct it'
        )
    plain = base.cfg.to_dict()
    entries, base = plain.pop('candidates'), replace(base, cfg=Config(plain))
    candidates = []
    for name, entry in zip(names_of(entries), entries, strict=True):
        if fixed := next((key for key in entry if key.partition('.')[0] in SHARED), None):
            raise InputError(
                f'candidates: expected the same {fixed} in all, found it among the options; set it in the config'
            )
        method = replace(with_options(base, entry, f'candidates: {name}'), name=f'{base.name}, {name}')
        candidates.append(Candidate(name, json.dumps(entry, default=str), open_method(method, options, mixed)))
    return base.name, base.overrides, candidates


def names_of(entries: Sequence[dict]) -> list[str]:
    """Return a name for each entry: 'size=10, C=0.1', or the whole keys if these tell apart what their ends do not."""
    whole = [', '.join(f'{key}={value}' for key, value in entry.items()) for entry in entries]
    ends = [
        ', '.join(dict.fromkeys(f'{key.rpartition(".")[2]}={value}' for key, value in entry.items()))
        for entry in entries
    ]
    return ends if len({*ends}) == len({*whole}) else whole


def _of_names(
    options: RunOptions, names: Sequence[str], mixed: str | None, listed: bool = False
) -> tuple[str, list[dict], list[Candidate]]:
    """Open overrides as candidates, before the other overrides if they replace the model and behind them if not.

    Args:
        options: What the candidates share.
        names: The overrides.
        mixed: As of :func:`open_experiment`.
        listed: Whether they are listed in one of the overrides of `options`, which then names the method.

    Returns:
        As :func:`_of_config`.
    """
    read = {word: read_override(word) for word in (*names, *options.overrides)}
    lists = [word for word in options.overrides if listed and 'candidates' in read[word].change]
    others = [word for word in options.overrides if word not in lists]
    candidates = []
    for word in names:
        words = [word, *others] if read[word].replaces_model else [*others, word]
        opened = open_experiment(replace(options, overrides=words), mixed)
        candidates.append(Candidate(read[word].name, read[word].text, opened))
    shared = candidates[0].experiment.method.overrides
    overrides = [dict(name=read[word].name, text=read[word].text, digest=digest_of(read[word].text)) for word in lists]
    overrides += [note for note in shared if note['name'] != candidates[0].name]
    parts = [note['name'] for note in overrides]
    if not all(read[word].replaces_model for word in names):
        parts.insert(0, load_method(options.config).name)
    if not listed:
        parts.append(','.join(candidate.name for candidate in candidates))
    return '+'.join(parts), overrides, candidates


def refuse_unlike(candidates: Sequence[Candidate]) -> None:
    """Refuse candidates that are none, the same twice, or not on the same clips and folds."""
    if not candidates:
        raise InputError('candidates: expected at least one, got an empty list; name some, or leave the list out')
    first, seen, names = candidates[0], {}, set()
    for candidate in candidates:
        method, known = candidate.experiment.method, first.experiment.method
        if twin := seen.get(method.digest):
            raise InputError(f'candidates: expected different ones, but {twin} and {candidate.name} are the same')
        seen[method.digest] = candidate.name
        if candidate.name in names:
            raise InputError(f'candidates: expected a name for each, but two are called {candidate.name}; rename one')
        names.add(candidate.name)
        if method.is_estimator != known.is_estimator:
            raise InputError(
                f'candidates: expected networks alone or methods of scikit-learn alone, got {first.name} and '
                f'{candidate.name}; choose among those of one kind'
            )
        for key in SHARED:
            if method.cfg.get(key) != known.cfg.get(key):
                raise InputError(
                    f'candidates: expected the same {key} in all, but {first.name} and {candidate.name} differ; set it '
                    'in the config'
                )
