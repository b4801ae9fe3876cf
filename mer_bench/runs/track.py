"""The learning curves of finished folds for TensorBoard, W&B or MLflow, through MMEngine's vis backends: `--track`.

Every way of training leaves curves.csv in the folder of a fold, so there is one way to track all of them, which no
training notices. Each fold is a run of the tool, in `track/<tool>/` of the run folder, and is written once: a copy of
its curves.csv there says that it is done.
"""

import os
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.evaluation.curves import COLUMNS, CURVES, read_curves
from mer_bench.experiment.experiment import Experiment
from mer_bench.protocols.folds import Fold
from mer_bench.training.fold_folder import finished_folders, read_result

TOOLS = {  # how to install each, and how to look at its folder
    'tensorboard': ("pip install 'mer_bench[track]'", 'tensorboard --logdir {}'),
    'wandb': ('pip install wandb', 'wandb sync {}/*/wandb/offline-run-*'),
    'mlflow': ('pip install mlflow', 'MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {}/mlruns'),
}
QUIET = {  # unless the user says otherwise: no request leaves this machine, and MLflow takes a folder for its store
    'WANDB_MODE': 'offline',
    'WANDB_SILENT': 'true',
    'WANDB_ERROR_REPORTING': 'false',
    'MLFLOW_DISABLE_TELEMETRY': 'true',
    'MLFLOW_ALLOW_FILE_STORE': 'true',
}


def refuse_tool(tool: str) -> None:
    """Refuse a tool that is unknown or not installed, before anything is trained."""
    if tool not in TOOLS:
        raise InputError(f'--track {tool!r:.40}: expected {", ".join(TOOLS)}; choose one of them')
    if find_spec(tool) is None:
        raise InputError(f'--track {tool}: {tool} is not installed; run `{TOOLS[tool][0]}`')


def how_to_look(work_dir: Path, tool: str) -> str:
    """Return the command that shows what was tracked."""
    return TOOLS[tool][1].format(work_dir / 'track' / tool)


def track_folds(experiment: Experiment, seed: int, work_dir: Path, tool: str, folds: Iterable[Fold]) -> str | None:
    """Write the curves of those folds that are finished and not written yet.

    Returns:
        Why that failed, if so: the tool's own error, which must not end a training.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    finished = finished_folders(work_dir, folds)
    try:
        for fold in folds:
            if fold.name in finished and (finished[fold.name] / CURVES).exists():
                track_fold(experiment, seed, work_dir, tool, fold)
    except Exception as error:  # a tool, or its server, can raise anything
        return f'--track {tool}: {type(error).__name__}: {error}; run the same command again to write what is missing'
    return None


def track_fold(experiment: Experiment, seed: int, work_dir: Path, tool: str, fold: Fold) -> None:
    """Write the curves of a finished fold, unless the same curves are written already."""
    base = work_dir / 'track' / tool
    source, done, begun = work_dir / 'folds' / fold.folder, base / fold.folder, base / f'.{fold.folder}'
    if (done / CURVES).is_file() and (done / CURVES).read_bytes() == (source / CURVES).read_bytes():
        return
    for old in (done, begun):  # of a fold that was trained again, or of a command that was stopped
        shutil.rmtree(old, ignore_errors=True)
    begun.mkdir(parents=True)
    backend = open_backend(experiment, seed, tool, fold, source, begun)
    names = COLUMNS if tool == 'wandb' else COLUMNS[1:]  # its backend takes no step
    for row in read_curves(source / CURVES, COLUMNS).to_dict('records'):
        backend.add_scalars({name: row[name] for name in names if row[name] == row[name]}, step=int(row['epoch']))
    backend.close()
    shutil.copyfile(source / CURVES, begun / CURVES)
    begun.rename(done)


def open_backend(experiment: Experiment, seed: int, tool: str, fold: Fold, source: Path, folder: Path):
    """Return MMEngine's vis backend of a tool for one fold, with the config of the method and a name.

    Args:
        source: The folder of the finished fold; MLflow keeps its config.py, fold.json and train.log.
        folder: Of what the tool writes; the store of MLflow, which all folds share, lies beside it.
    """
    from mmengine.config import Config
    from mmengine.visualization.vis_backend import VISBACKENDS  # with all of them

    method, result = experiment.method, read_result(source.parents[1], fold)
    chosen = {key: result['inner'][key] for key in ('candidate', 'epoch') if key in result.get('inner', ())}
    about = dict(config_name=method.config_name, method=method.name, seed=seed, fold=fold.name, chosen=chosen)
    config = Config(method.cfg.to_dict() | about | dict(work_dir=str(source)), format_python_code=False)
    run, name = f'{method.config_name}/{method.name}/seed{seed}', fold.folder
    if tool == 'wandb':  # add_config would also store, or send, the Python files of the working directory
        how = dict(project='mer_bench', group=run, name=f'{run}/{name}', config=config.to_dict())
        axis = [dict(name='*', step_metric='epoch')]
        return VISBACKENDS.build(
            dict(type='WandbVisBackend', save_dir=str(folder), init_kwargs=how, define_metric_cfg=axis)
        )
    if tool == 'mlflow':
        store = dict(save_dir=str(folder.with_name('mlruns')), tracking_uri=os.environ.get('MLFLOW_TRACKING_URI'))
        backend = VISBACKENDS.build(dict(type='MLflowVisBackend', exp_name=run, run_name=name, **store))
    else:
        backend = VISBACKENDS.build(dict(type='TensorboardVisBackend', save_dir=str(folder)))
    backend.add_config(config)
    return backend
