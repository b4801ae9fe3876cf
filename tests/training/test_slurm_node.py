"""The commands of the nodes of a Slurm job, read by the tools that they start."""

import pickle
import runpy
import sys

import pytest

from mer_bench.training import slurm_node
from mer_bench.training.slurm_node import SweepNode, head_command, ip_of, node_command, port_of, sweep_command
from tests.conftest import ROOT

scripts = pytest.importorskip('ray.scripts.scripts')
pytest.importorskip('submitit')
TOOL = runpy.run_path(str(ROOT / 'tools/slurm_sweep.py'))


@pytest.mark.parametrize('command', [head_command('10.0.0.1:20007', 32, 4), node_command('10.0.0.1:20007', 32, 4)])
def test_ray_reads_the_commands_of_the_nodes(command):
    assert command[:4] == [sys.executable, '-m', 'ray.scripts.scripts', 'start']
    read = scripts.start.make_context('start', command[4:]).params
    assert (read['num_cpus'], read['num_gpus'], read['block']) == (32, 4, True)
    assert (read['head'], read['port']) == (True, 20007) if read['head'] else read['address'] == '10.0.0.1:20007'


def test_the_tool_reads_the_command_of_the_sweep():
    command = sweep_command('10.0.0.1:20007', ['--configs', 'configs/mer_smic.py', '--seeds', '0', '1'])
    args = runpy.run_path(command[1])['make_parser']().parse_args(command[2:])
    assert (args.engine, args.address, args.seeds) == ('ray', '10.0.0.1:20007', [0, 1])


def test_every_job_has_a_port_and_the_same_on_all_nodes():
    assert port_of('1234567') == port_of('1234567') == 20000 + 1234567 % 20000
    assert port_of('12_3') == 20123


def test_a_node_that_names_itself_by_a_local_address_is_found_from_outside(monkeypatch):
    monkeypatch.setattr(slurm_node.socket, 'gethostbyname', dict(node1='10.0.0.1', node2='127.0.1.1').get)
    monkeypatch.setattr('ray.util.get_node_ip_address', lambda: '10.0.0.2')
    assert [ip_of('node1'), ip_of('node2')] == ['10.0.0.1', '10.0.0.2']


def test_all_nodes_of_a_job_have_its_token_and_no_other_job_has_it():
    node, other = (SweepNode(('--configs', 'a.py'), 32, 0, '/home/me') for _ in range(2))
    assert pickle.loads(pickle.dumps(node)).environment['RAY_AUTH_TOKEN'] == node.token != other.token
    assert node.token not in repr(node)


def test_slurm_is_asked_for_one_process_a_node():
    words = '--nodes 4 --cpus 32 --gpus 2 --hours 1.5 --partition long -- --configs configs/mer_smic.py --seeds 0'
    args = TOOL['make_parser']().parse_args(words.split())
    assert args.sweep == ['--configs', 'configs/mer_smic.py', '--seeds', '0']
    assert TOOL['job_parameters'](args) == dict(
        name='mer_bench',
        nodes=4,
        tasks_per_node=1,
        cpus_per_task=32,
        gpus_per_node=2,
        timeout_min=90,
        slurm_partition='long',
    )
