"""The time and the cost of a whole sweep, against numbers by hand."""

import json

import pytest

from mer_bench.protocols.folds import Fold
from mer_bench.sweeps.estimate import Steps, TimeEstimate, estimate_cost, format_cost, same_device
from mer_bench.sweeps.plan import PlannedRun


def planned(base, method, seeds=(0,), clips=(10, 20), epochs=5, config='mer_smic'):
    """Runs of a method with a fold for each number of training clips."""
    folds = tuple((Fold(f's{i}', (), ()), n) for i, n in enumerate(clips))
    folder = base / config / method
    return [
        PlannedRun(
            f'configs/{config}.py', (), (), method, seed, folder / f'seed{seed}', 'smic', folds=folds, max_epochs=epochs
        )
        for seed in seeds
    ]


def write_record(folder, seconds=(90.0, 10.0), clips=10, folds=3, epochs=5, device='cpu, 1 thread a training'):
    """A finished run whose folds are not there: every clip is trained on in all folds but one."""
    record = dict(config=dict(text=f'train_cfg = dict(max_epochs={epochs})'), n_clips=clips, folds=dict(total=folds))
    record |= dict(seconds=dict(train=seconds[0], test=seconds[1]), device=device, versions=dict(processor='a chip'))
    folder.mkdir(parents=True)
    (folder / 'record.json').write_text(json.dumps(record))


def cost(runs, base, measured=(), workers=2, unit='core', share=1):
    estimate = TimeEstimate(base, workers, measured=measured, device=same_device(unit, share))
    return estimate_cost(runs, estimate, workers, unit, share)


def names(found, known):
    return [method['method'] for method in found['methods'] if (method['seconds'] is not None) == known]


def test_the_cost_of_a_sweep_is_that_of_a_hand_calculation(tmp_path):
    write_record(tmp_path / 'results/smic/mer_smic/ststnet/seed0')  # 100 s for 10 clips * 2 folds * 5 epochs: 1 s each
    runs = planned(tmp_path / 'runs', 'ststnet', seeds=range(100))
    found = cost(runs, tmp_path / 'runs', [tmp_path / 'results'], workers=50)
    (method,) = found['methods']
    assert method['trainings'] == 200
    assert method['seconds'] == pytest.approx((10 + 20) * 5 * 100)
    assert found['hours'] == pytest.approx(15000 / 3600)
    assert found['wall_seconds'] == pytest.approx(15000 / 50)
    assert '200 trainings: 4.17 core-hours\n' in format_cost(found)
    assert 'measured on: cpu, 1 thread a training, a chip' in format_cost(found)


def test_no_number_of_workers_makes_a_sweep_shorter_than_its_longest_training(tmp_path):
    write_record(tmp_path / 'results/smic/mer_smic/ststnet/seed0')
    runs = planned(tmp_path / 'runs', 'ststnet')
    found = cost(runs, tmp_path / 'runs', [tmp_path / 'results'], workers=1000)
    assert found['wall_seconds'] == pytest.approx(20 * 5)


def test_measured_steps_come_after_folds_of_the_same_config_and_before_those_of_others(tmp_path):
    (run,) = planned(tmp_path, 'ststnet')
    steps = {run.folder.parent: Steps(once=0.0, fold=1.0, clip=0.5)}
    write_record(tmp_path / 'mer_samm/ststnet/seed0')  # 1 s a clip and epoch
    assert TimeEstimate(tmp_path, 1).seconds(run) == pytest.approx((10 + 20) * 5)
    assert TimeEstimate(tmp_path, 1).lacks(run)
    assert TimeEstimate(tmp_path, 1, steps=steps).seconds(run) == pytest.approx(2 * 1 + (10 + 20) * 5 * 0.5)
    assert not TimeEstimate(tmp_path, 1, steps=steps).lacks(run)
    write_record(tmp_path / 'mer_smic/ststnet/seed1', seconds=(180.0, 20.0))
    assert TimeEstimate(tmp_path, 1, steps=steps).seconds(run) == pytest.approx((10 + 20) * 5 * 2)
    assert not TimeEstimate(tmp_path, 1).lacks(run)


def test_what_was_not_measured_is_named_and_in_no_sum(tmp_path):
    write_record(tmp_path / 'results/smic/mer_smic/ststnet/seed0')
    write_record(tmp_path / 'results/smic/mer_smic/continued/seed0', seconds=(None, 10.0))
    runs = [run for name in ('ststnet', 'new', 'continued') for run in planned(tmp_path / 'runs', name)]
    found = cost(runs, tmp_path / 'runs', [tmp_path / 'results'])
    assert names(found, known=False) == ['new', 'continued']
    assert found['hours'] == pytest.approx(150 / 3600)
    assert found['not_measured'] == 4
    assert 'not in the sums: 4 trainings of new on mer_smic, continued on mer_smic' in format_cost(found)


def test_measurements_of_other_devices_do_not_count(tmp_path):
    for method, device in dict(
        one='cpu, 1 thread a training', four='cpu, 4 threads a training', gpu='H100, bf16'
    ).items():
        write_record(tmp_path / 'results/smic/mer_smic' / method / 'seed0', device=device)
    runs = [run for name in ('one', 'four', 'gpu') for run in planned(tmp_path / 'runs', name)]

    def known(unit, share):
        return names(cost(runs, tmp_path / 'runs', [tmp_path / 'results'], unit=unit, share=share), known=True)

    assert known('core', 1) == ['one']
    assert known('core', 4) == ['four']
    assert known('GPU', 0.5) == ['gpu']


def test_hours_count_the_cores_or_the_share_of_a_gpu_of_a_training(tmp_path):
    write_record(tmp_path / 'results/smic/mer_smic/full/seed0', device='H100, bf16')
    runs = planned(tmp_path / 'runs', 'full')
    found = cost(runs, tmp_path / 'runs', [tmp_path / 'results'], unit='GPU', share=0.25)
    assert found['hours'] == pytest.approx(150 / 3600 / 4)


def test_own_folds_come_before_records_and_the_same_config_before_others(tmp_path):
    write_record(tmp_path / 'results/x/mer_samm/ststnet/seed0', seconds=(900.0, 100.0))
    write_record(tmp_path / 'results/y/mer_smic/ststnet/seed0')
    runs = planned(tmp_path / 'runs', 'ststnet')
    assert cost(runs, tmp_path / 'runs', [tmp_path / 'results'])['hours'] == pytest.approx(150 / 3600)
    write_record(tmp_path / 'runs/mer_smic/ststnet/seed7', seconds=(180.0, 20.0))
    assert cost(runs, tmp_path / 'runs', [tmp_path / 'results'])['hours'] == pytest.approx(300 / 3600)


def test_folds_of_all_runs_together_use_all_workers(tmp_path):
    write_record(tmp_path / 'runs/mer_smic/ststnet/seed7')
    (run,) = planned(tmp_path / 'runs', 'ststnet')
    assert TimeEstimate(tmp_path / 'runs', 10).seconds(run) == pytest.approx(150 / 2)  # it has two folds
    assert TimeEstimate(tmp_path / 'runs', 10, together=True).seconds(run) == pytest.approx(150 / 10)
