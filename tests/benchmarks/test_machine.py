import pytest

from benchmarks import machine

CPUINFO = """processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Some Processor
stepping\t: 8
flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16
"""


@pytest.fixture
def known(tmp_path, monkeypatch):
    path = tmp_path / 'cpuinfo'
    path.write_text(CPUINFO)
    monkeypatch.setattr(machine, 'CPUINFO', path)
    monkeypatch.setattr(machine, 'hidden_flags', set)


def test_instructions_come_from_the_flags_the_best_first(known):
    assert machine.instructions() == ['amx_bf16', 'avx512_bf16', 'avx512f', 'avx2']


def test_model_is_not_model_name(known):
    assert machine.cpuinfo('model') == '143'


def test_a_cpu_is_named_with_cores_and_best_instructions():
    cpu = {'processor': 'Some Processor', 'cores': 2, 'instructions': ['avx512_bf16', 'avx2']}
    assert machine.name_cpu(cpu) == 'Some Processor, 2 cores, avx512-bf16'
    assert machine.slug(machine.name_cpu(cpu)) == 'some-processor-2-cores-avx512-bf16'


def test_a_description_names_versions_and_no_gpu_for_a_cpu():
    found = machine.describe_machine('cpu')
    assert found['gpu'] is None
    assert {'python', 'torch', 'mmengine', 'mmaction2', 'numpy', 'sklearn'} <= set(found['versions'])
    assert found['cpu']['cores'] >= 1
