"""Run folders that a disk or a person damaged: what is finished is named, what is unfinished is trained again."""

import json
import os
from dataclasses import replace

import pytest
import torch

from mer_bench.errors import InputError
from mer_bench.runs import run as loso
from mer_bench.runs.run import RunSettings
from mer_bench.runs.run_folder import pool_audits
from mer_bench.sweeps.plan import SweepOptions, plan_runs
from mer_bench.sweeps.status import is_complete
from mer_bench.training import fold, fold_folder
from tests.conftest import ROOT
from tests.training.test_fold_config import experiment_on

CONFIG = str(ROOT / 'configs/mer_smic.py')


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)


def set_to(key, value):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))


def answer_otherwise(path):
    header, row, *rows = path.read_text().splitlines()
    path.write_text('\n'.join([header, row.replace('negative', 'positive'), *rows, '']))


@pytest.mark.parametrize(
    ('name', 'damage', 'sentence'),
    [
        ('fold.json', halve, 'expected JSON in UTF-8'),
        ('fold.json', lambda path: path.write_bytes(b''), 'expected JSON in UTF-8'),
        ('fold.json', lambda path: path.write_text('[' * 100_000), 'expected JSON in UTF-8'),
        ('fold.json', lambda path: path.unlink(), "expected a JSON file, but got 'No such file"),
        ('fold.json', as_pipe, 'expected a file, found a pipe'),
        ('fold.json', set_to('train_seconds', '5'), "expected a valid number for the key 'train_seconds'"),
        ('fold.json', set_to('test_seconds', -1), "expected a number greater than or equal to 0 for the key 'test_"),
        ('fold.json', set_to('versions', [1]), "expected an object for the key 'versions'"),
        ('fold.json', set_to('n_train', 7), 'expected what was written, but it was changed'),
        ('fold.json', set_to('fold', 'smic/s03'), 'expected the fold smic/s02, but it is of the fold smic/s03'),
        ('predictions.csv', lambda path: path.write_bytes(b''), 'expected the predictions that were written'),
        ('predictions.csv', lambda path: path.unlink(), "expected the predictions of a fold, but got 'No such file"),
        ('predictions.csv', answer_otherwise, 'expected the predictions that were written'),
        ('predictions.csv', as_pipe, 'expected a file, found a pipe'),
        ('curves.csv', lambda path: path.unlink(), 'expected the file that was written, but it is missing or another'),
    ],
)
def test_a_damaged_finished_fold_is_named_with_what_to_do(run, experiment, name, damage, sentence):
    file = run / 'folds/smic_s02' / name
    damage(file)
    with pytest.raises(InputError) as error:
        fold_folder.read_result(run, experiment.folds[1])
    assert str(error.value).startswith(f'{file}: {sentence}')
    assert str(error.value).endswith('remove the folder of this fold and run the same command to train it again')


def test_a_run_with_a_damaged_fold_is_not_scored(run, experiment):
    answer_otherwise(run / 'folds/smic_s02/predictions.csv')
    before = (run / 'record.json').read_bytes()
    with pytest.raises(InputError, match=r'smic_s02/predictions\.csv: expected the predictions that were written'):
        loso.run_folds(experiment, RunSettings(0, run))
    assert (run / 'record.json').read_bytes() == before


def without_digest(run):
    for path in run.glob('folds/*/fold.json'):
        content = json.loads(path.read_text())
        del content['predictions_digest'], content['curves_digest'], content['digest']
        path.write_text(json.dumps(content))


def test_a_run_of_an_earlier_version_goes_on(run, finished_run, experiment):
    without_digest(run)
    for path in run.rglob('curves.csv'):
        path.unlink()
    record = loso.run_folds(experiment, RunSettings(0, run))
    assert record['complete']
    assert 'curves.csv' not in record['files']
    assert (run / 'predictions.csv').read_bytes() == (finished_run / 'predictions.csv').read_bytes()


def test_an_empty_cell_is_named_and_not_called_nan(run, experiment):
    without_digest(run)
    path = run / 'folds/smic_s01/predictions.csv'
    header, first, *rows = path.read_text().splitlines()
    path.write_text('\n'.join([header, first, 'smic/s01/ne_1,smic', *rows[1:], '']))
    with pytest.raises(InputError, match=r'row 2 below the header has an empty cell in the column subject'):
        loso.run_folds(experiment, RunSettings(0, run))


def test_a_sweep_does_not_take_a_damaged_run_as_finished(run, prepared_data, tiny_override):
    args = SweepOptions(roots={CONFIG: [str(prepared_data)]}, device='cpu', threads=1)
    (planned,), _ = plan_runs([CONFIG], [(str(tiny_override),)], [0], run, args)
    planned = replace(planned, folder=run)
    assert is_complete(planned)
    for path in (run / 'predictions.csv', run / 'folds/smic_s01/predictions.csv', run / 'record.json'):
        content = path.read_bytes()
        for damage in (halve, as_pipe):
            damage(path)
            assert not is_complete(planned)
            path.unlink()
            path.write_bytes(content)


@pytest.mark.parametrize('damage', [halve, set_to('config', 'abc'), set_to('precision', {'used': 'fp7'})])
def test_a_damaged_record_is_one_sentence(run, experiment, damage):
    damage(run / 'record.json')
    with pytest.raises(InputError, match=r'record.json is damaged \(.*put back a copy of it, or give another'):
        loso.run_folds(experiment, RunSettings(0, run))


def test_a_damaged_audit_of_all_folds_is_made_again(tmp_path):
    part, audit = tmp_path / 'part.csv', tmp_path / 'audit.csv'
    part.write_text('sample_id,predicted\nsmic/s01/ne_0,ab\n')
    audit.write_bytes(part.read_bytes().replace(b'ab', b'a\xa5'))
    pool_audits([part], audit)
    assert audit.read_bytes() == part.read_bytes()


def write_checkpoint(path, epoch):
    meta = dict(epoch=epoch, iter=4 * epoch)
    weights = dict(weight=torch.zeros(100, 1000))
    torch.save(dict(meta=meta, state_dict=weights, optimizer={}, message_hub={}), path)
    path.with_name('last_checkpoint').write_text(str(path))


def lose_40_kb(path):
    content = bytearray(path.read_bytes())
    content[200_000:240_000] = b'\1' * 40_000
    path.write_bytes(content)


@pytest.mark.parametrize('damage', [halve, lose_40_kb, lambda path: path.write_bytes(b'')])
def test_an_unfinished_fold_continues_from_its_newest_whole_checkpoint(tmp_path, experiment, damage):
    first, folder = experiment.folds[0], tmp_path / 'folds/.smic_s01'
    folder.mkdir(parents=True)
    for epoch in (9, 10):
        write_checkpoint(folder / f'epoch_{epoch}.pth', epoch)
    assert fold_folder.mend_folder(tmp_path, first) is None
    damage(folder / 'epoch_10.pth')
    line = fold_folder.mend_folder(tmp_path, first)
    assert line == 'smic/s01: epoch_10.pth is damaged; this fold continues from epoch_9.pth'
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'epoch_9.pth')
    damage(folder / 'epoch_9.pth')
    assert fold_folder.mend_folder(tmp_path, first).endswith(
        'is damaged; this fold is trained again from its beginning'
    )
    assert not folder.exists()


def test_what_is_no_file_is_not_continued_from_and_makes_room(tmp_path, experiment):
    folder = tmp_path / 'folds/.smic_s01'
    folder.mkdir(parents=True)
    write_checkpoint(folder / 'epoch_1.pth', 1)
    (folder / 'last_checkpoint').unlink()
    (folder / 'last_checkpoint').mkdir()
    (folder / 'epoch_3.pth').mkdir()
    for name in ('epoch_2.pth', 'epoch'):
        os.mkfifo(folder / name)
    assert fold_folder.read_epochs(tmp_path, experiment.folds[:1], 5) == [0]
    line = fold_folder.mend_folder(tmp_path, experiment.folds[0])
    assert line == 'smic/s01: epoch_3.pth is damaged; this fold continues from epoch_1.pth'
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'epoch_1.pth')
    assert {path.name for path in folder.glob('*.pth')} == {'epoch_1.pth'}


def test_a_checkpoint_with_code_is_not_continued_from(tmp_path):
    torch.save(dict(meta=dict(epoch=1, iter=4), state_dict={}, optimizer={}, message_hub=print), tmp_path / 'e1.pth')
    assert not fold_folder.can_resume(tmp_path / 'e1.pth')


def test_a_training_whose_checkpoint_is_damaged_ends_with_the_same_predictions(
    finished_run, prepared_data, tiny_override, tmp_path, monkeypatch, capsys
):
    one = experiment_on(prepared_data, overrides=[str(tiny_override)], folds=['s01'])

    def stop_in_second_epoch(folder, epoch):
        if epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fold, 'report_epoch', stop_in_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            loso.run_folds(one, RunSettings(0, tmp_path))
    lose_40_kb(tmp_path / 'folds/.smic_s01/epoch_1.pth')
    loso.run_folds(one, RunSettings(0, tmp_path))
    line = 'smic/s01: epoch_1.pth is damaged; this fold is trained again from its beginning\n'
    assert capsys.readouterr().err.count(line) == 1
    again, before = (path / 'folds/smic_s01/predictions.csv' for path in (tmp_path, finished_run))
    assert again.read_bytes() == before.read_bytes()


@pytest.mark.parametrize('text', ['', 'x', '9' * 5000, '-3', '\udcff'])
def test_the_number_of_epochs_on_the_bar_is_no_reason_to_stop(tmp_path, experiment, text):
    folder = tmp_path / 'folds/.smic_s01'
    folder.mkdir(parents=True)
    (folder / 'epoch').write_bytes(text.encode(errors='surrogateescape'))
    assert fold_folder.read_epochs(tmp_path, experiment.folds[:1], 2) == [0]
