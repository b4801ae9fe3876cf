"""The check of committed results names every fault; collecting runs keeps licensed rows out."""

import json
import random
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.files import digest_of
from mer_bench.results.ablations import subsets_of
from mer_bench.results.check import check_results, missing_combinations
from mer_bench.results.collect import collect
from mer_bench.results.pages import write_pages
from mer_bench.results.record import read_record


@pytest.fixture
def committed(new_run, tmp_path):
    """Two methods with two seeds each and their leaderboards; return a function that checks them."""
    for method, answers in (('full', 'perfect'), ('other', 'one wrong')):
        for seed in (0, 1):
            new_run(f'results/mer_smic/{method}/seed{seed}', answers, seed=seed, method=method, synthetic=True)
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    return lambda: check_results([tmp_path / 'results'], tmp_path / 'leaderboards')


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_the_records_give_has_no_fault(committed):
    assert committed() == []


def test_a_changed_prediction_is_named(committed, tmp_path):
    edit(tmp_path / 'results/mer_smic/other/seed1/predictions.csv', 'surprise,negative', 'surprise,surprise')
    (fault,) = committed()
    assert 'other/seed1/record.json: expected the scores that predictions.csv beside it gives' in fault


def test_every_changed_record_is_named(committed, tmp_path):
    for name in ('full/seed0', 'other/seed0'):
        edit(tmp_path / 'results/mer_smic' / name / 'record.json', '"n": 8', '"n": 9')
    assert [fault.split(': ')[0].split('results/')[1] for fault in committed()] == [
        'mer_smic/full/seed0/record.json',
        'mer_smic/other/seed0/record.json',
    ]


def test_a_changed_table_is_named_with_its_line(committed, tmp_path):
    edit(tmp_path / 'leaderboards/synthetic_smic.md', '0.852', '0.952')
    (fault,) = committed()
    assert 'leaderboards/synthetic_smic.md: expected what the records give, but it differs in line 8' in fault


def test_missing_files_and_a_surplus_one_are_named(committed, tmp_path):
    names = ['README.md', 'synthetic_smic.csv', 'synthetic_smic.tex']
    for name in names:
        (tmp_path / 'leaderboards' / name).unlink()
    (tmp_path / 'leaderboards/old.md').touch()
    *missing, surplus = committed()
    for name, fault in zip(names, missing, strict=True):
        assert f'{name}: expected this file, but it is missing' in fault
    assert 'old.md: expected only what the records give' in surplus


def fail(folder, **changes):
    """Write failure.json into a folder."""
    failure = {
        **{'schema_version': 1, 'method': 'full', 'config': 'mer_smic', 'dataset': 'smic', 'protocol': None, 'seed': 0},
        **{'synthetic': None, 'reason': 'diverged', 'date': '2025-02-01'},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'failure.json').write_text(json.dumps(failure | changes))


def remove(folder):
    for path in folder.iterdir():
        path.unlink()


def test_a_missing_seed_is_named(committed, tmp_path):
    remove(tmp_path / 'results/mer_smic/other/seed0')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    (fault,) = committed()
    assert fault.startswith('synthetic_smic: expected other with the first seed of this table or with all of them, but')


def test_the_first_seed_alone_is_enough(committed, tmp_path):
    remove(tmp_path / 'results/mer_smic/other/seed1')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert committed() == []


def test_a_seed_that_failed_is_not_missing(committed, tmp_path):
    remove(tmp_path / 'results/mer_smic/other/seed0')
    fail(tmp_path / 'results/mer_smic/other/seed0', method='other', seed=0)
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert committed() == []


def test_a_record_with_missing_folds_is_named(committed, tmp_path):
    change(tmp_path / 'results/mer_smic/full/seed0/record.json', 'folds.missing', ['s01'])
    assert 'full/seed0/record.json (full, seed 0: 1 of 4 missing)' in committed()[0]


def change(path, key, value):
    """Set a key of record.json, dotted."""
    content = read_record(path)  # without its digest, as a record of an earlier version
    *parts, last = key.split('.')
    place = content
    for part in parts:
        place = place[part]
    place[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('scores.full.f1_per_class.surprise', 0.5, 'expected the scores'),
        ('scores.smic.recall_per_class.negative', 0.5, 'expected the scores'),
        ('scores.smic.n_subjects', 5, 'expected the scores'),
        ('scores.full.uf1', 'high', "expected a valid number for the key 'scores.full.uf1', but got str 'high'"),
        ('scores.full', 3, "expected an object for the key 'scores.full', but got int 3"),
        ('n_subjects', 5, 'expected 5 subjects, as in the record, but the predictions are of 4'),
        ('clips_per_class.negative', 5, 'expected clips_per_class to be'),
        ('subjects_per_class.negative', 3, 'expected subjects_per_class to be'),
        ('folds', {'total': 3, 'done': 3, 'missing': []}, 'of 3 folds, as in the record, but they are of 4'),
        ('seed', 2, 'expected predictions of seed 2 alone, but found 1'),
        ('overrides', [{'name': 'x', 'text': 'lr = 1', 'digest': 'e' * 64}], 'the digest of the override x'),
        ('method', 'a/b', r'expected the folder mer_smic/a_b/seed1, which its own names give'),
    ],
)
def test_a_record_is_compared_with_predictions_text_and_place(committed, tmp_path, key, value, told):
    change(tmp_path / 'results/mer_smic/other/seed1/record.json', key, value)
    faults = committed()
    assert 'other/seed1/record.json: expected' in faults[0]
    assert told in faults[0]


def test_predictions_without_a_record_are_named(committed, tmp_path):
    (tmp_path / 'results/mer_smic/other/seed1/record.json').unlink()
    (fault,) = committed()
    assert 'other/seed1/predictions.csv: expected a record.json beside it' in fault


def test_a_path_that_is_not_there_is_no_fault_of_the_results(tmp_path):
    with pytest.raises(InputError, match='gone: expected results'):
        check_results([tmp_path / 'gone'], tmp_path)


PARTS = ('no_a', 'no_b', 'no_c')


@pytest.fixture
def grid(new_run, tmp_path):
    """Every combination of three ablations but one; return a function that checks them."""

    def check(lacking, failed=False):
        for parts in subsets_of(PARTS):
            names = ['small', *sorted(parts)]
            method = '+'.join(['full', *names])
            folder = f'results/mer_smic/{method}/seed0'
            if parts != frozenset(lacking):
                overrides = [{'name': name, 'text': name, 'digest': digest_of(name)} for name in names]
                new_run(
                    folder,
                    'one wrong',
                    method=method,
                    synthetic=True,
                    overrides=overrides,
                    config={'name': 'mer_smic', 'text': '', 'digest': digest_of(method)},
                )
            elif failed:
                fail(tmp_path / folder, method=method, seed=0)
        write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
        return check_results([tmp_path / 'results'], tmp_path / 'leaderboards')

    return check  # fmt: skip


@pytest.mark.parametrize('lacking', [(), ('no_a',), ('no_a', 'no_c'), PARTS])
def test_a_missing_combination_of_a_grid_is_named(grid, lacking):
    (fault,) = grid(lacking)
    assert f'but {"+".join(["full", "small", *lacking])} is missing' in fault


def test_a_combination_that_failed_is_not_missing(grid):
    assert grid(('no_b',), failed=True) == []


def test_a_whole_grid_and_single_ablations_lack_nothing():
    assert missing_combinations(set(subsets_of(PARTS)) | {frozenset(['no_d'])}) == []
    assert missing_combinations({frozenset(), frozenset('a'), frozenset('b')}) == []


def test_a_method_below_its_bound_needs_a_reason(committed, tmp_path):
    bounds = tmp_path / 'results/sanity_bounds.csv'
    bounds.write_text('table,method,uf1,reason\nsynthetic_smic,*,0.9,\n')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    (fault,) = committed()
    assert 'expected other to reach its sanity bound UF1 0.9000, but it has 0.8519' in fault
    bounds.write_text(bounds.read_text() + 'synthetic_smic,other,,a hard clip\n')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert committed() == []


def test_a_bound_of_a_method_that_is_not_on_the_page_is_named(committed, tmp_path):
    bounds = 'table,method,uf1,reason\nsynthetic_smic,othr,,a typing error\nno_page_yet,x,0.5,\n'
    (tmp_path / 'results/sanity_bounds.csv').write_text(bounds)
    (fault,) = committed()
    assert 'expected a method of the page synthetic_smic, found othr' in fault


def test_a_reason_with_a_path_of_a_machine_is_named(committed, tmp_path):
    fail(tmp_path / 'results/mer_smic/x/seed0', method='x', reason='no such file /home/me/data/smic/a.npy')
    assert 'failure.json: expected a reason without paths of a machine' in committed()[0]


@pytest.fixture
def collected(new_run, tmp_path):
    """A run with an audit, collected and shown; return its folder and a function that checks it."""
    run = new_run('runs/x', 'one wrong', synthetic=True)
    table = pd.read_csv(run / 'predictions.csv')
    last = table['y_pred'].map(dict(negative='a', positive='b', surprise='c'))
    columns = ['sample_id', 'dataset', 'subject', 'fold', 'seed', 'y_true', 'predicted']
    table.assign(predicted='c' + last)[columns].to_csv(run / 'audit.csv', index=False)
    (folder,) = collect([run], tmp_path / 'results/x').folders
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    return folder, lambda: check_results([tmp_path / 'results'], tmp_path / 'leaderboards')


@pytest.mark.parametrize('name', ['predictions.csv', 'audit.csv', 'record.json'])
def test_one_changed_byte_of_a_committed_file_is_one_sentence_with_its_name(collected, name):
    folder, check = collected
    assert check() == []
    whole = (folder / name).read_bytes()
    draw = random.Random(0)
    places = [draw.randrange(len(whole)) for _ in range(10)]
    changes = [(place, bytes([whole[place] ^ 1 << draw.randrange(8)])) for place in places]
    known = dict(label=b'surprise', digit=b'1.0', sample_id=b'clip3', newline=b'\n', letter=b',ca')
    changes += [(whole.index(text) + len(text) - 1, b'0') for text in known.values() if text in whole]
    for place, byte in changes:
        (folder / name).write_bytes(whole[:place] + byte + whole[place + 1 :])
        told = f'{folder / name}: expected the file that was collected, but its bytes differ'
        assert [fault.partition(';')[0] for fault in check()] == [told] * (whole[place : place + 1] != byte)
    (folder / name).write_bytes(whole)
    assert check() == []


def test_files_that_went_or_came_since_are_named_and_collecting_lists_the_new_ones(
    collected, new_run, tmp_path, monkeypatch
):
    folder, check = collected
    (folder / 'audit.csv').rename(folder / 'candidates.csv')
    gone, new = check()
    assert f'{folder}/audit.csv: expected the file that was collected, but it is missing' in gone
    assert f'{folder}/candidates.csv: expected a file that SHA256SUMS lists, but it does not' in new
    new_run('runs/y', method='other', synthetic=True)
    collect([tmp_path / 'runs/y'], tmp_path / 'results/x')
    assert len(check()) == 2  # damage of other runs stays in sight
    collect([tmp_path / 'runs/x'], tmp_path / 'results/x')
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert check() == []
    collect([tmp_path / 'runs/y'], tmp_path / 'results/y')
    (tmp_path / 'results/x/SHA256SUMS').rename(tmp_path / 'SHA256SUMS')
    assert 'results/x: expected a SHA256SUMS, as other results have, but there is none' in check()[0]
    (tmp_path / 'results/x/SHA256SUMS').write_text('../../etc/passwd\n')
    assert 'SHA256SUMS: expected lines as sha256sum writes them, but line 1 is another' in check()[0]
    monkeypatch.setattr('mer_bench.results.collect.LARGEST_SUMS', 10)
    assert 'SHA256SUMS: expected 0 MiB at most, found more' in check()[0]


def test_unfinished_runs_are_named_and_left_out(new_run, tmp_path):
    folds = {'total': 4, 'done': 1, 'missing': ['s2', 's3', 's4']}
    new_run('runs/x', synthetic=True, complete=False, scores=None, folds=folds)
    with pytest.raises(InputError, match=r'expected a finished run, but there are only .*3 of 4 missing'):
        collect([tmp_path / 'runs'], tmp_path / 'results')
    new_run('runs/y', synthetic=True, method='y')
    collected = collect([tmp_path / 'runs'], tmp_path / 'results')
    assert collected.folders == [tmp_path / 'results/mer_smic/y/seed0']
    assert [told.split('runs/')[1] for told in collected.left_out] == ['x/record.json (full, seed 0: 3 of 4 missing)']


def test_collected_runs_are_copied_by_config_method_and_seed(new_run, tmp_path):
    run = new_run('runs/x', seed=3, method='full+a', synthetic=True)
    (run / 'checkpoint.pth').touch()
    (folder,) = collect([tmp_path / 'runs'], tmp_path / 'results').folders
    assert folder == tmp_path / 'results/mer_smic/full+a/seed3'
    assert sorted(path.name for path in folder.iterdir()) == ['predictions.csv', 'record.json']
    assert (folder / 'record.json').read_bytes() == (run / 'record.json').read_bytes()


def test_real_runs_are_collected_only_when_asked_for(new_run, tmp_path):
    new_run('runs/x')
    with pytest.raises(InputError, match=r'run on real data.*--with-predictions'):
        collect([tmp_path / 'runs'], tmp_path / 'results')
    assert not (tmp_path / 'results').exists()
    assert len(collect([tmp_path / 'runs'], tmp_path / 'results', with_predictions=True).folders) == 1


def test_a_failure_is_collected_and_gives_way_to_the_finished_run(new_run, tmp_path):
    fail(tmp_path / 'first', synthetic=True, reason='no /home/me/data/smic here')
    (folder,) = collect([tmp_path / 'first'], tmp_path / 'results').folders
    assert [path.name for path in folder.iterdir()] == ['failure.json']
    assert json.loads((folder / 'failure.json').read_text())['reason'] == 'no smic here'
    assert collect([new_run('second', synthetic=True)], tmp_path / 'results').folders == [folder]
    assert sorted(path.name for path in folder.iterdir()) == ['predictions.csv', 'record.json']


def test_two_runs_for_one_place_are_refused(new_run, tmp_path):
    new_run('runs/a', synthetic=True)
    new_run('runs/b', synthetic=True)
    with pytest.raises(InputError, match='would both become'):
        collect([tmp_path / 'runs'], tmp_path / 'results')


OUTSIDE = [
    dict(config={'name': '../../../../X', 'text': '', 'digest': 'c'}),
    dict(config={'name': '/abs/X', 'text': '', 'digest': 'c'}),
    dict(method='..'),
    dict(method='.'),
]


@pytest.mark.parametrize('changes', OUTSIDE)
def test_a_name_leads_nowhere_outside_the_collected_results(new_run, tmp_path, changes):
    (tmp_path / 'a/b/c').mkdir(parents=True)
    new_run('runs/x', synthetic=True, **changes)
    before = sorted(tmp_path.rglob('*'))
    with suppress(InputError):
        collect([tmp_path / 'runs'], tmp_path / 'a/b/c/into')
    new = set(tmp_path.rglob('*')) - {*before}
    assert all(path.is_relative_to(tmp_path / 'a/b/c/into') for path in new)
    assert not Path('/abs').exists()


@pytest.mark.parametrize('changes', OUTSIDE)
def test_a_name_that_leads_elsewhere_is_a_fault_of_its_file(new_run, tmp_path, changes):
    record = new_run('results/x', synthetic=True, **changes)
    (tmp_path / 'boards').mkdir()
    faults = check_results([tmp_path / 'results'], tmp_path / 'boards')
    assert len(faults) == 1
    assert faults[0].startswith(str(record))


def test_a_failure_deletes_nothing_outside_the_collected_results(tmp_path):
    fail(tmp_path / 'runs/x', config='..', method='..', synthetic=True)
    (tmp_path / 'record.json').touch()
    with pytest.raises(
        InputError, match=r"runs/x/failure.json: expected a config that can name a folder, found '\.\.'"
    ):
        collect([tmp_path / 'runs'], tmp_path / 'a/into')
    assert (tmp_path / 'record.json').exists()


def test_a_link_in_the_collected_results_is_not_followed_outside(new_run, tmp_path):
    run = new_run('runs/x', synthetic=True)
    (tmp_path / 'into').mkdir()
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'into/mer_smic').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(InputError, match='mer_smic/full/seed0: expected a place below'):
        collect([run], tmp_path / 'into')
    assert not list((tmp_path / 'elsewhere').iterdir())
