# What every run shares. There is no validation and no best checkpoint: both would choose on the held-out subject.
custom_imports = dict(imports=['mer_bench.registry'], allow_failed_imports=False)
default_scope = 'mmaction'
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=1000, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # for continuing inside a fold; two are kept so that a stop while one is written loses nothing
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=2, save_last=False, save_best=None),
    sampler_seed=dict(type='DistSamplerSeedHook'))
env_cfg = dict(
    cudnn_benchmark=False,  # it would time its kernels anew for every size of a last batch
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))
log_processor = dict(type='LogProcessor', by_epoch=True)
visualizer = dict(type='ActionVisualizer', vis_backends=[])
# mixed precision: True, False, or 'auto': False for a network that can be trained from memory (see docs/performance.md),
# else bf16 on a GPU (fp16 before compute capability 8) or a CPU with bf16 instructions
amp = 'auto'
channels_last = 'auto'  # memory layout of 3D convolutions: True, False, or 'auto': on a GPU, and on a CPU in bf16
log_level = 'INFO'
load_from = None
