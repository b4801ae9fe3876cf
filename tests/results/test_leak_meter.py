"""The leak meter has a table of its own, and no other table takes its numbers."""

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.results.check import check_results
from mer_bench.results.collect import collect
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.pages import write_pages
from mer_bench.results.record import read_record, write_record
from tests.results.conftest import SUBJECTS, TRUTH

LETTERS = dict(negative='a', positive='b', surprise='c')
MANY = dict(name='a', text='{}', digest='c' * 64, epochs=10**12)  # a stranger's candidate, with too many epochs to list


def add_audit(run, last):
    """Write an audit of two epochs: everything right in the first, `last` in the second."""
    table = pd.read_csv(run / 'predictions.csv')
    table['predicted'] = [LETTERS[first] + LETTERS[second] for first, second in zip(TRUTH, last, strict=True)]
    columns = ['sample_id', 'dataset', 'subject', 'fold', 'seed', 'y_true', 'predicted']
    table[columns].to_csv(run / 'audit.csv', index=False)


@pytest.fixture
def audited(new_run):
    run = new_run('runs/full', 'one wrong', method='full', synthetic=True)
    add_audit(run, (*TRUTH[:7], 'negative'))
    return run


def test_a_page_shows_last_common_and_best_per_subject(audited, new_run, tmp_path):
    new_run('runs/other', 'perfect', method='other', synthetic=True)  # without an audit
    page = write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')
    _, _, meter = page.partition('### Leak meter')
    row = next(line for line in meter.splitlines() if line.startswith('| full'))
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    # 7 of 8 right: F1 of negative 8/9, of positive 1, of surprise 2/3
    assert cells[2].startswith('0.852')
    assert cells[3].startswith('1.000')
    assert cells[4] == '1'
    assert cells[5].startswith('1.000')
    assert cells[6] == '+0.148'
    csv = pd.read_csv(tmp_path / 'synthetic_test_selected.csv')
    assert csv['epoch_rule'].tolist() == ['test_selected']
    main = pd.read_csv(tmp_path / 'synthetic.csv')
    assert main.set_index('method')['uf1'].round(4).to_dict() == {'full': 0.8519, 'other': 1.0}


def test_the_last_epoch_of_several_seeds_has_the_interval_of_the_main_table(new_run, tmp_path):
    last = {'perfect': TRUTH, 'one wrong': (*TRUTH[:7], 'negative'), 'always negative': ('negative',) * 8}
    for seed, answers in enumerate(last):
        add_audit(new_run(f'runs/{seed}', answers, seed=seed, synthetic=True), last[answers])
    write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')
    main, meter = (pd.read_csv(tmp_path / f'synthetic{name}.csv').iloc[0] for name in ('', '_test_selected'))
    assert meter[['last', 'last_low', 'last_high']].tolist() == main[['uf1', 'uf1_low', 'uf1_high']].tolist()
    assert (meter['seeds'], meter['common_epochs']) == (3, '1, 1, 1')


def test_a_method_keeps_its_row_beside_one_of_its_name_with_another_epoch_rule(audited, new_run, tmp_path):
    new_run('runs/other', 'perfect', method='full', synthetic=True, epoch_rule='inner')
    write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')
    assert pd.read_csv(tmp_path / 'synthetic_test_selected.csv')['last'].round(4).tolist() == [0.8519]


def test_the_main_table_refuses_a_record_whose_epoch_the_test_chose(new_run, tmp_path):
    new_run('runs/full', synthetic=True, epoch_rule='test_selected')
    with pytest.raises(InputError, match='chosen on the test subjects'):
        write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')


def test_an_audit_of_other_predictions_is_refused(audited, tmp_path):
    add_audit(audited, TRUTH)
    with pytest.raises(InputError, match='expected the last epoch to be that of predictions'):
        write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')


@pytest.fixture
def chosen(new_run):
    """A run whose folds chose the second of two candidates, which is wrong in one clip; the first is never."""
    folds = [f'smic/{subject}' for subject in SUBJECTS]
    candidates = [dict(name=f'C={C}', text='{}', digest='c' * 64) for C in (1, 2)]
    selection = dict(rule='inner', metric='uf1', inner_folds=5, candidates=candidates)
    selection['chosen'] = {fold: dict(candidate='C=2', uf1=0.5) for fold in folds}
    run = new_run('runs/grid', 'one wrong', method='grid+inner', synthetic=True, selection=selection)
    add_audit(run, (*TRUTH[:7], 'negative'))
    (run / 'audit.csv').rename(run / 'candidates.csv')
    return run


def test_a_choice_has_a_leak_meter_of_its_candidates(chosen, audited, tmp_path):
    page = write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')
    _, _, meter = page.partition('### Leak meter: candidate chosen on the test subjects')
    row = next(line for line in meter.splitlines() if line.startswith('| grid'))
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert (cells[1], cells[2][:6], cells[3][:6], cells[4], cells[5][:6]) == ('2', '0.852 ', '1.000 ', 'C=1', '1.000 ')
    assert 'inner choice of 2 in 5 folds' in meter
    csv = pd.read_csv(tmp_path / 'synthetic_test_selected.csv', keep_default_na=False)
    assert csv[['method', 'of', 'added']].round(4).to_numpy().tolist() == [
        ['full', '', 0.1481],
        ['grid+inner', 'candidates', 0.1481],
    ]


def test_each_epoch_of_a_network_that_could_be_chosen_is_in_the_leak_meter(chosen, tmp_path):
    record = read_record(chosen / 'record.json')
    selection = record['selection']
    selection['candidates'] = [dict(selection['candidates'][0], epochs=2)]
    selection['chosen'] = {fold: dict(candidate='C=1', epoch=2, uf1=0.5) for fold in selection['chosen']}
    write_record(chosen / 'record.json', record | dict(epoch_rule='inner'))
    page = write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')
    assert ' C=1, epoch 1 |' in page
    assert 'inner choice of the epoch in 5 folds' in page


def test_candidates_of_other_predictions_are_refused(chosen, tmp_path):
    path = chosen / 'candidates.csv'
    path.write_text(path.read_text().replace(',ca', ',cc'))
    with pytest.raises(InputError, match='expected what the folds chose to be that of predictions'):
        write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')
    record = read_record(chosen / 'record.json')
    for key, value in (('chosen', {'smic/s01': dict(candidate='C=3', uf1=0.5)}), ('candidates', [MANY])):
        write_record(chosen / 'record.json', record | dict(selection=record['selection'] | {key: value}))
        with pytest.raises(InputError, match='expected the candidates and folds of the record'):
            write_leaderboard([tmp_path / 'runs'], tmp_path / 'synthetic.md')


def test_audits_and_curves_are_collected_and_checked(audited, tmp_path):
    (audited / 'curves.csv').write_text('epoch\n1\n')
    (folder,) = collect([tmp_path / 'runs'], tmp_path / 'results').folders
    for name in ('audit.csv', 'curves.csv'):
        assert (folder / name).read_bytes() == (audited / name).read_bytes()
        assert f'{name}\n' in (tmp_path / 'results/SHA256SUMS').read_text()
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert check_results([tmp_path / 'results'], tmp_path / 'leaderboards') == []
