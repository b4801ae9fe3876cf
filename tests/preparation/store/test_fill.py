import pandas as pd
import pytest

from mer_bench.datasets.table import annotation_table, read_annotations
from mer_bench.errors import InputError
from mer_bench.files import digest_file, read_own_json, write_json
from mer_bench.preparation.store.fill import refuse_changes_by_hand, renew, write_table_alone
from mer_bench.preparation.store.flow_store import seal


def table_of(emotion):
    row = {
        'sample_id': 'smic/s01/c1',
        'dataset': 'smic',
        'subject': 'smic/s01',
        'clip': 'c1',
        'synthetic': False,
        'emotion': emotion,
    }
    return annotation_table([row])


@pytest.fixture
def out(tmp_path):
    """A folder whose store knows the table of anger."""
    (tmp_path / 'store').mkdir()
    write_json(tmp_path / 'store' / 'store.json', {'annotations_digest': '', 'n_clips': 1})
    renew(tmp_path, table_of('anger'))
    return tmp_path


def test_a_table_that_was_deleted_is_written_again(out):
    whole = (out / 'annotations.csv').read_bytes()
    assert not renew(out, table_of('anger'))
    (out / 'annotations.csv').unlink()
    refuse_changes_by_hand(out, table_of('anger'))
    assert renew(out, table_of('anger'))
    assert (out / 'annotations.csv').read_bytes() == whole


def test_a_table_of_a_changed_sheet_takes_the_place_of_ours(out):
    refuse_changes_by_hand(out, table_of('fear'))
    assert renew(out, table_of('fear'))
    assert read_annotations(out / 'annotations.csv')['emotion'].tolist() == ['fear']
    info = read_own_json(out / 'store' / 'store.json')
    sealed = {'annotations_digest': digest_file(out / 'annotations.csv'), 'n_clips': 1}
    assert info == seal(sealed)
    renew(out, table_of('fear'), {'frames_digest': 'f'})  # of a store of an earlier version
    assert read_own_json(out / 'store' / 'store.json') == seal(sealed | {'frames_digest': 'f'})


def test_a_table_that_was_changed_by_hand_is_never_written_over(out):
    path = out / 'annotations.csv'
    path.write_text(path.read_text().replace('anger', 'contempt'))
    with pytest.raises(InputError, match=r'annotations.csv: .* changed since; undo the change, .* delete it'):
        refuse_changes_by_hand(out, table_of('anger'))
    refuse_changes_by_hand(out, table_of('contempt'))  # a stop before store.json was written


def test_a_table_without_a_store_is_protected_too(tmp_path):
    write_table_alone(tmp_path, table_of('anger'))
    write_table_alone(tmp_path, table_of('fear'))  # the sheet changed
    path = tmp_path / 'annotations.csv'
    assert read_annotations(path)['emotion'].tolist() == ['fear']
    path.write_text(path.read_text().replace('fear', 'contempt'))
    for write in (write_table_alone, refuse_changes_by_hand):
        with pytest.raises(InputError, match='changed since'):
            write(tmp_path, table_of('anger'))


def test_a_table_of_somebody_else_is_not_written_over(tmp_path):
    pd.DataFrame({'a': [1]}).to_csv(tmp_path / 'annotations.csv')
    with pytest.raises(InputError, match='delete it'):
        write_table_alone(tmp_path, table_of('anger'))
