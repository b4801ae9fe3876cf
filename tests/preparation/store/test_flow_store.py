"""Damage to a prepared data set, by accident or on purpose, is named before any number is read."""

import json
import pickle

import numpy as np
import pytest

from mer_bench.errors import InputError
from mer_bench.files import digest_file, write_json
from mer_bench.loading.prepared_data import open_prepared_data, open_store, read_digests
from mer_bench.preparation.store import flow_store
from mer_bench.preparation.store.flow_store import FlowStore, seal
from mer_bench.protocols.label_schemes import load_scheme
from tests.conftest import write_prepared_data

SOURCE = {'dataset': 'smic', 'owner': 'its owner', 'prepare': 'python tools/prepare.py smic --raw DIR'}
FLOW, INDEX, ABOUT = flow_store.PARTS


def opened(*roots):
    scheme = 'smic_3class' if len(roots) == 1 else 'megc2019_3class'
    return open_prepared_data(roots, load_scheme(scheme), [SOURCE] * len(roots))


@pytest.fixture
def root(tmp_path):
    return write_prepared_data(tmp_path / 'smic')


def bytes_of(change):
    return lambda path: path.write_bytes(change(path.read_bytes()))


def shape(path):
    clips = np.load(path)
    np.save(path, clips.reshape(18, 3, 2, 16, 64))


def rows(change):
    def write(path):
        first, second, *rest = path.read_text().splitlines(keepends=True)[1:]
        path.write_text('row,sample_id,apex,remark\n' + ''.join(change(first, second)) + ''.join(rest))

    return write


def about(**changes):
    """Change store.json; Ellipsis takes a key out."""

    def write(path):
        info = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in info.items() if value is not ...}))

    return write


DAMAGE = {
    'zeros': (FLOW, bytes_of(lambda content: content[:5000] + bytes(10_000) + content[15_000:])),
    'one bit': (FLOW, bytes_of(lambda content: content[:-1] + bytes([content[-1] ^ 1]))),
    'empty flow': (FLOW, bytes_of(lambda content: b'')),
    'half of the flow': (FLOW, bytes_of(lambda content: content[: len(content) // 2])),
    'header': (FLOW, bytes_of(lambda content: content.replace(b"'descr'", b"'de(cr'"))),
    'an archive': (FLOW, bytes_of(lambda content: b'PK\x03\x04' + content[4:])),
    'shape': (FLOW, shape),
    'exchanged': (INDEX, rows(lambda one, two: ('1' + one[1:], '0' + two[1:]))),
    'row -1': (INDEX, rows(lambda one, two: ('-1' + one[1:], two))),
    'row 99': (INDEX, rows(lambda one, two: ('99' + one[1:], two))),
    'huge row': (INDEX, rows(lambda one, two: ('9' * 5000 + one[1:], two))),
    'repeated row': (INDEX, rows(lambda one, two: (one, two.replace('1,', '0,', 1)))),
    'repeated clip': (INDEX, rows(lambda one, two: (one, '1' + one[1:]))),
    'no index': (INDEX, bytes_of(lambda content: b'')),
    'no text in it': (INDEX, bytes_of(lambda content: b'row,sample_id\n\xff\x00')),
    'a key': (ABOUT, about(n_clips=...)),
    'a type': (ABOUT, about(n_clips='18')),
    'true': (ABOUT, about(clip_len=True)),
    'a size': (ABOUT, about(size=[32, 32, 10**30])),
    'channels': (ABOUT, about(channels=[['u'], 'v', 'strain'])),
    'faces': (ABOUT, about(faces=5)),
    'seconds': (ABOUT, about(seconds=float('nan'))),
    'a surrogate': (ABOUT, about(dataset='\ud800')),
    'deep': (ABOUT, bytes_of(lambda content: b'[' * 10_000)),
    'deep object': (ABOUT, bytes_of(lambda content: b'{"a":' * 10_000 + b'1' + b'}' * 10_000)),
    'a list': (ABOUT, bytes_of(lambda content: b'[]')),
}


ON_PURPOSE = {*DAMAGE} - {'zeros', 'one bit', 'exchanged'}  # which make another store where the digests fit


@pytest.mark.parametrize('sealed', [False, True], ids=['by accident', 'with fitting digests'])
@pytest.mark.parametrize('name', DAMAGE)
def test_a_damaged_store_is_refused_with_the_command_to_run(root, name, sealed):
    part, damage = DAMAGE[name]
    damage(root / 'store' / part)
    if sealed and name in ON_PURPOSE:
        reseal(root / 'store')
    with pytest.raises(InputError) as error:
        opened(root)
    assert str(error.value).startswith(f'{root}/store/{part} is damaged (')
    assert str(error.value).endswith(f': `python tools/prepare.py smic --raw DIR --out {root}`')
    assert len(str(error.value).splitlines()) == 1


def reseal(store):
    """Bring the digests up to date, as far as store.json can be read."""
    try:
        info = json.loads((store / ABOUT).read_text()) | {'data_digest': digest_file(store / FLOW)}
        text = seal(info | {'index_digest': digest_file(store / INDEX)})
    except (ValueError, RecursionError, TypeError):
        return
    (store / ABOUT).write_text(json.dumps(text))


def test_of_several_stores_the_damaged_one_is_named(root, tmp_path):
    other = write_prepared_data(tmp_path / 'samm', dataset='samm', emotions=('anger', 'happiness', 'surprise'))
    about(reference='previous')(other / 'store' / ABOUT)
    with pytest.raises(InputError, match=rf'^{other}/store/store.json is damaged'):
        opened(root, other)


def test_a_change_of_any_value_of_store_json_is_seen(root):
    path = root / 'store' / ABOUT
    whole = json.loads(path.read_text())
    for key in whole:
        write_json(path, whole | {key: 'x'})
        with pytest.raises(InputError, match=r'store\.json is damaged'):
            FlowStore(root / 'store')


def test_flow_is_read_from_end_to_end_once_for_a_run_and_its_workers(root, monkeypatch):
    read = []
    monkeypatch.setattr(flow_store, 'digest_file', lambda path: read.append(path) or digest_file(path))
    data = opened(root)
    opened(root)
    assert len(read) == 1
    flow_store.CHECKED.clear()  # a worker that starts
    read_digests(data.roots, pickle.loads(pickle.dumps(data.checked)))
    assert len(read) == 1
    bytes_of(bytes)(root / 'store' / FLOW)  # the same again
    assert read_digests(data.roots, data.checked) == data.digests
    assert len(read) == 2


def test_a_store_that_changes_is_opened_anew(root):
    first = open_store(str(root / 'store'))
    assert open_store(str(root / 'store')) is first
    about(reference='previous')(root / 'store' / ABOUT)
    with pytest.raises(InputError, match=r'store\.json is damaged'):
        open_store(str(root / 'store'))


def test_a_store_of_the_version_before_is_taken_with_a_note(root, capsys):
    about(schema_version=3, digest=...)(root / 'store' / ABOUT)
    assert len(opened(root).annotations) == 18
    assert 'store.json is of an earlier version' in capsys.readouterr().err
    about(n_clips=...)(root / 'store' / ABOUT)
    with pytest.raises(InputError, match='n_clips is missing'):
        opened(root)
    about(schema_version=2)(root / 'store' / ABOUT)
    with pytest.raises(InputError, match='its schema_version is not 4'):
        opened(root)


@pytest.mark.parametrize('content', [b'', b'\xff\xfe', b'sample_id\n' + b'"' * 9999, b'\0'])
def test_a_damaged_annotation_table_is_named(root, content):
    (root / 'annotations.csv').write_bytes(content)
    with pytest.raises(InputError, match=rf'^{root}/annotations.csv is not the table .* delete it and run `python'):
        opened(root)
