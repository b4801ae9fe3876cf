"""The outcome of a run on the screen."""

from pathlib import Path

from mer_bench.evaluation.report import format_action_units, format_scores


def format_summary(record: dict, work_dir: Path) -> str:
    """Return method, scores and places of a finished run, or what is still missing."""
    folds = record['folds']
    if not record['complete']:
        return f'{folds["done"]} of {folds["total"]} folds are finished in {work_dir}; scores come with the last one'
    data = f'{record["dataset"]}, synthetic data' if record['synthetic'] else record['dataset']
    head = f'{record["method"]} on {data}: {record["protocol"]}, seed {record["seed"]}, {record["epoch_rule"]} epoch'
    lines = ['', head, format_scores(record['scores'])]
    if 'action_units' in record:
        lines += ['', format_action_units(record['action_units'])]
    return '\n'.join([*lines, f'{work_dir}/record.json, {work_dir}/predictions.csv'])
