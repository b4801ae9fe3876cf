"""The leak meter has a table of its own, and no other table takes its numbers."""

import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.results.check import check_results
from mer_bench.results.collect import collect
from mer_bench.results.leaderboard import write_leaderboard
from mer_bench.results.pages import write_pages
from tests.results.conftest import TRUTH

LETTERS = dict(negative='a', positive='b', surprise='c')


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
    assert cells[2].startswith('0.8519')
    assert cells[3].startswith('1.0000')
    assert cells[4] == '1'
    assert cells[5].startswith('1.0000')
    assert cells[6] == '+0.1481'
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


def test_collected_audits_are_checked_to_the_byte(audited, tmp_path):
    (folder,) = collect([tmp_path / 'runs'], tmp_path / 'results').folders
    assert (folder / 'audit.csv').read_bytes() == (audited / 'audit.csv').read_bytes()
    write_pages([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert check_results([tmp_path / 'results'], tmp_path / 'leaderboards') == []
    text = (folder / 'audit.csv').read_text()
    (folder / 'audit.csv').write_text(text.replace(',aa', ',ba', 1))
    faults = check_results([tmp_path / 'results'], tmp_path / 'leaderboards')
    assert any('smic_test_selected.csv: expected what the records give' in fault for fault in faults)
