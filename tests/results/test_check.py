"""The check of committed results names every fault; collecting runs keeps licensed rows out."""

import json

import pytest

from mer_bench.errors import InputError
from mer_bench.results.check import check_results
from mer_bench.results.collect import collect
from mer_bench.results.pages import write_pages


@pytest.fixture
def committed(new_run, tmp_path):
    """Two methods with two seeds each and their leaderboards; return a function that checks them."""
    for method, answers in (('full', 'perfect'), ('other', 'one wrong')):
        for seed in (0, 1):
            new_run(f'results/{method}/seed{seed}', answers, seed=seed, method=method, synthetic=True)
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    return lambda: check_results([tmp_path / 'results'], tmp_path / 'leaderboards')


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_the_records_give_has_no_fault(committed):
    assert committed() == []


def test_a_changed_prediction_is_named(committed, tmp_path):
    edit(tmp_path / 'results/other/seed1/predictions.csv', 'surprise,negative', 'surprise,surprise')
    (fault,) = committed()
    assert 'other/seed1/record.json: expected the scores that predictions.csv beside it gives' in fault


def test_every_changed_record_is_named(committed, tmp_path):
    for name in ('full/seed0', 'other/seed0'):
        edit(tmp_path / 'results' / name / 'record.json', '"n": 8', '"n": 9')
    assert [fault.split(': ')[0].split('results/')[1] for fault in committed()] == [
        'full/seed0/record.json',
        'other/seed0/record.json',
    ]


def test_a_changed_table_is_named_with_its_line(committed, tmp_path):
    edit(tmp_path / 'leaderboards/synthetic_smic.md', '0.8519', '0.9519')
    (fault,) = committed()
    assert 'leaderboards/synthetic_smic.md: expected what the records give, but it differs in line 8' in fault


@pytest.mark.parametrize('name', ['synthetic_smic.csv', 'synthetic_smic.tex', 'README.md'])
def test_a_missing_file_is_named(committed, tmp_path, name):
    (tmp_path / 'leaderboards' / name).unlink()
    (fault,) = committed()
    assert f'{name}: expected this file, but it is missing' in fault


def test_a_surplus_file_is_named(committed, tmp_path):
    (tmp_path / 'leaderboards/old.md').touch()
    (fault,) = committed()
    assert 'old.md: expected only what the records give' in fault


def remove(folder):
    for path in folder.iterdir():
        path.unlink()


def test_a_missing_seed_is_named(committed, tmp_path):
    remove(tmp_path / 'results/other/seed1')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    (fault,) = committed()
    assert fault.startswith('synthetic_smic: expected other with the seeds of the other methods, but seed 1 is missing')


def test_a_seed_that_failed_is_not_missing(committed, tmp_path):
    remove(tmp_path / 'results/other/seed1')
    failure = {
        **{
            'schema_version': 1,
            'method': 'other',
            'config': 'mer_smic',
            'dataset': 'smic',
            'protocol': None,
            'seed': 1,
        },
        **{'synthetic': None, 'reason': 'diverged', 'date': '2025-02-01'},
    }
    (tmp_path / 'results/other/seed1/failure.json').write_text(json.dumps(failure))
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert committed() == []


def test_a_record_with_missing_folds_is_named(committed, tmp_path):
    edit(tmp_path / 'results/full/seed0/record.json', '"missing": []', '"missing": ["s01"]')
    assert 'full/seed0/record.json (full, seed 0: 1 of 4 missing)' in committed()[0]


def test_a_method_below_its_bound_needs_a_reason(committed, tmp_path):
    bounds = tmp_path / 'results/sanity_bounds.csv'
    bounds.write_text('table,method,uf1,reason\nsynthetic_smic,*,0.9,\n')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    (fault,) = committed()
    assert 'expected other to reach its sanity bound UF1 0.9000, but it has 0.8519' in fault
    bounds.write_text(bounds.read_text() + 'synthetic_smic,other,,a hard clip\n')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert committed() == []


def test_collected_runs_are_copied_by_config_method_and_seed(new_run, tmp_path):
    run = new_run('runs/x', seed=3, method='full+a', synthetic=True)
    (run / 'checkpoint.pth').touch()
    (folder,) = collect([tmp_path / 'runs'], tmp_path / 'results')
    assert folder == tmp_path / 'results/mer_smic/full+a/seed3'
    assert sorted(path.name for path in folder.iterdir()) == ['predictions.csv', 'record.json']
    assert (folder / 'record.json').read_bytes() == (run / 'record.json').read_bytes()


def test_real_runs_are_collected_only_when_asked_for(new_run, tmp_path):
    new_run('runs/x')
    with pytest.raises(InputError, match=r'run on real data.*--with-predictions'):
        collect([tmp_path / 'runs'], tmp_path / 'results')
    assert not (tmp_path / 'results').exists()
    assert len(collect([tmp_path / 'runs'], tmp_path / 'results', with_predictions=True)) == 1


def test_a_failure_is_collected_and_gives_way_to_the_finished_run(new_run, tmp_path):
    failure = {
        **{'schema_version': 1, 'method': 'full', 'config': 'mer_smic', 'dataset': 'smic', 'protocol': None, 'seed': 0},
        **{'synthetic': True, 'reason': 'diverged', 'date': '2025-02-01'},
    }
    (tmp_path / 'first').mkdir()
    (tmp_path / 'first/failure.json').write_text(json.dumps(failure))
    (folder,) = collect([tmp_path / 'first'], tmp_path / 'results')
    assert [path.name for path in folder.iterdir()] == ['failure.json']
    assert collect([new_run('second', synthetic=True)], tmp_path / 'results') == [folder]
    assert sorted(path.name for path in folder.iterdir()) == ['predictions.csv', 'record.json']


def test_two_runs_for_one_place_are_refused(new_run, tmp_path):
    new_run('runs/a', synthetic=True)
    new_run('runs/b', synthetic=True)
    with pytest.raises(InputError, match='would both become'):
        collect([tmp_path / 'runs'], tmp_path / 'results')
