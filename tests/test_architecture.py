"""The rules of docs/architecture.md on imports and folders."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.conftest import ROOT

FLOORS = [
    {'cli'},
    {'sweeps', 'inference'},
    {'runs'},
    {'training'},
    {'experiment'},
    {'loading', 'results'},
    {'preparation', 'evaluation'},
    {'protocols'},
    {'datasets'},
]
DOORS = {'mer_bench', 'mer_bench.registry'}  # one imports lazily, the other registers what is above it
BESIDE = {'models'}  # tensors and arrays only
MODULES = {
    '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path
    for path in (ROOT / 'mer_bench').rglob('*.py')
}


def imports(module: str) -> set[str]:
    """Return the modules of the package that a module imports, at its top or in a function."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f'{node.module}.{alias.name}' for alias in node.names]
            found.update(name if name in MODULES else node.module for name in names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.split('.')[0] in ('mer_bench', 'benchmarks', 'tools')} - {module}


GRAPH = {module: imports(module) for module in MODULES}


def room(module: str) -> str | None:
    """Return the folder of a module; None for a file at the top of the package."""
    path = MODULES[module].relative_to(ROOT / 'mer_bench')
    return path.parts[0] if len(path.parts) > 1 else None


def floor(name: str | None) -> int:
    """Return the height of a folder: the higher, the more it may import; files at the top of the package are lowest."""
    return next((len(FLOORS) - i for i, names in enumerate(FLOORS) if name in names), 0)


def test_every_folder_has_its_floor():
    rooms = {room(module) for module in MODULES} - {None}
    assert rooms == set().union(*FLOORS, BESIDE)


def test_imports_point_down():
    up = [
        (module, other)
        for module, others in GRAPH.items()
        for other in others
        if module not in DOORS
        and other not in DOORS
        and (floor(room(other)) > floor(room(module)) or other.split('.')[0] != 'mer_bench')
    ]
    assert up == []


def test_models_know_tensors_only():
    models = [module for module in MODULES if room(module) == 'models']
    assert {other for module in models for other in GRAPH[module] if room(other) not in (None, 'models')} == set()


def test_imports_make_no_circle():
    try:
        TopologicalSorter({module: others - DOORS for module, others in GRAPH.items()}).prepare()
    except CycleError as error:
        pytest.fail(f'a circle: {" -> ".join(error.args[1])}')


def test_a_folder_has_at_most_twenty_files():
    folders = {path.parent for path in MODULES.values()}
    counts = {folder.name: len([*folder.glob('*.py')]) - 1 for folder in folders}
    assert {name: count for name, count in counts.items() if count > 20} == {}


def test_argparse_ends_in_the_command_line():
    knowing = {module for module, path in MODULES.items() if 'import argparse' in path.read_text(encoding='utf-8')}
    assert {module for module in knowing if room(module) != 'cli'} == set()
