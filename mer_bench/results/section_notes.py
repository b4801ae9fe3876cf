"""The notes below a table: how its numbers were made, and from which data."""

from mer_bench.results.rows import distinct
from mer_bench.results.run import Run
from mer_bench.results.sections import Section


def section_notes(section: Section) -> list[str]:
    """Return sentences on scores, intervals, data, epoch rules and software of a section."""
    runs, rows = section.runs, section.rows
    notes = [_note_on_scores(runs[0]), _note_on_intervals(rows), _note_on_data(runs[0])]
    rules = {row['epoch_rule'] for row in rows} - {'last'}
    if rules:
        notes.append(
            f'Epoch rule {", ".join(sorted(rules))}: the epoch was chosen by a score, not fixed beforehand, so these '
            'rows look better than they are; they stand below the others and are not to be compared with them.'
        )
    return [*notes, *section.not_compared, _note_on_software(runs)]


def _note_on_scores(run: Run) -> str:
    return (
        f'Scores: the predictions of all {run.record["folds"]["total"]} folds pooled into one table, then scored once; '
        f'UF1 and UAR are unweighted means over the classes {", ".join(run.record["classes"])}.'
    )


def _note_on_intervals(rows: list[dict]) -> str:
    seeds = ' of the mean over the seeds' if any(row['seeds'] > 1 for row in rows) else ''
    spread = ' After ± stands the standard deviation over the seeds.' if seeds else ''
    return (
        f'Intervals: 95 % percentile intervals of UF1{seeds}, 1000 bootstrap resamples of the '
        f'{rows[0]["subjects"]} subjects.{spread} Overlapping intervals do not settle which of two methods is better: '
        'the rows are on the same clips, which takes a paired test.'
    )


def _note_on_data(run: Run) -> str:
    record, full = run.record, run.scores['full']
    store, digests = record['data']['store'], record['data']
    counts = ', '.join(
        f'{sum(row)} {name}' for name, row in zip(record['classes'], full['confusion_matrix'], strict=True)
    )
    size = ' x '.join(map(str, store.get('size', ['unknown'])))
    kind = 'synthetic, no recorded faces; ' if run.synthetic else ''
    return (
        f'Data: {kind}{full["n"]} clips ({counts}), {full["n_subjects"]} subjects; optical flow '
        f'{store.get("flow", "unknown")}, clip length {store.get("clip_len", "unknown")} of {size} pixels, '
        f'apex {_told(store.get("apex", "unknown"))}, faces {_told(store.get("faces", "unknown"))}; '
        f'digests: annotations {digests["annotations_digest"][:12]}, store {digests["store_digest"][:12]}.'
        + ''.join(f' {note[0].upper()}{note[1:]}.' for note in record.get('notes', []))
    )


def _told(value: object) -> str:
    """Return a value of store.json as text; of how faces were found the detector is enough."""
    if not isinstance(value, dict):
        return str(value)
    if 'detector' in value:
        return value['detector'] + ' stabilised' * bool(value.get('stabilise'))
    return ', '.join(f'{name} {_told(part)}' for name, part in value.items())


def _note_on_software(runs: list[Run]) -> str:
    names = dict.fromkeys(name for run in runs for name in run.record['versions'])
    versions = [f'{name} {distinct(run.record["versions"].get(name) for run in runs)}' for name in names]
    dates = sorted(day for run in runs for day in run.record['date'].split(', '))
    period = dates[0] if dates[0] == dates[-1] else f'{dates[0]} to {dates[-1]}'
    return f'Software: {", ".join(versions)}; runs of {period}.'
