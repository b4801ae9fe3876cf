# The multi-scale 3D-ResNet50 for one 28x28 flow picture a clip, 68 folds: no kernel and no stride over time where there is
# no time, a stem that keeps the resolution, and a quarter of the width (442 small pictures do not carry 26 million
# parameters).
_base_ = [
    '_base_/models/multiscale_resnet3d50.py',
    '_base_/datasets/megc2019_flow.py',
    '_base_/schedules/adamw_cosine.py',
    '_base_/default_runtime.py',
]
method = 'multiscale_resnet3d50_28x28'
base_channels, width = 16, 64
model = dict(
    data_preprocessor=dict(max_shift=0.07),
    backbone=dict(
        base_channels=base_channels,
        conv1_kernel=(1, 5, 5),
        conv1_stride_s=1,
        pool1_stride_t=1,
        temporal_strides=(1, 1, 1, 1),
        inflate=0,
        max_kernel_t=(1, 1, 1, 1)),
    neck=dict(in_channels=[base_channels * 8, base_channels * 16, base_channels * 32], channels=width),
    cls_head=dict(in_channels=[width] * 4))
del base_channels, width
train_dataloader = dict(batch_size=32)
test_dataloader = dict(batch_size=64)
train_cfg = dict(max_epochs=20)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
