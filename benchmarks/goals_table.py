"""The goals against what kept results tell."""

from pathlib import Path

from benchmarks.formats import format_number, format_value
from benchmarks.goals import GOALS, Goal
from mer_bench.results.blocks import Cell, Link, Table

UNMEASURED = 'unmeasured'


def goals_table(results: dict[str, dict], goals: tuple[Goal, ...] = GOALS) -> Table:
    """One row for each goal and machine that tells it; a goal that no kept result tells is unmeasured.

    Args:
        results: Kept results by the link to their file.
    """
    rows = []
    for goal in goals:
        told = [goal_row(goal, link, result) for link, result in results.items() if tells(goal, result)]
        rows += told or [missing_row(goal)]
    headers = ('measured', 'against', 'goal', 'reached', 'met', 'machine', 'file')
    return Table(headers, tuple(rows), right=('goal', 'reached'))


def tells(goal: Goal, result: dict) -> bool:
    """Say whether a kept result was measured as a goal asks."""
    right = (result['benchmark'], result['machine']['device']) == (goal.benchmark, goal.device)
    same = all(result['settings'].get(key) == value for key, value in goal.settings)
    has_bf16 = result['peak']['matrix'].get('bf16') is not None
    return right and same and (has_bf16 or not goal.bf16) and lookup(result, goal.path) is not None


def lookup(result: dict, path: tuple[str, ...]) -> float | dict | None:
    """Follow keys into a result; None where one is missing."""
    for key in path:
        if not isinstance(result, dict):
            return None
        result = result.get(key)
    return result


def goal_row(goal: Goal, link: str, result: dict) -> tuple[Cell, ...]:
    """What one kept result tells about a goal."""
    value = lookup(result, goal.path)
    middle = value['median'] if isinstance(value, dict) else value
    met = 'yes' if goal.met(middle) else 'no'
    machine, file = result['machine']['name'], Link(Path(link).stem, link)
    return (*first_cells(goal), format_value(value, goal.unit), met, machine, file)


def missing_row(goal: Goal) -> tuple[Cell, ...]:
    """Which machine would have to tell a goal."""
    where = {'cpu': 'CPU', 'cuda': 'GPU'}[goal.device] + ' with bf16 instructions' * goal.bf16
    return (*first_cells(goal), UNMEASURED, '', where, '')


def first_cells(goal: Goal) -> tuple[str, str, str]:
    """What is measured, against what, and the goal."""
    return goal.measured, goal.against, f'{"<=" if goal.at_most else ">="} {format_number(goal.bound, goal.unit)}'
