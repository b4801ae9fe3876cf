# The multi-scale 3D-ResNet50 on the action units of six data sets, leave one data set out.
_base_ = [
    '_base_/models/multiscale_resnet3d50.py',
    '_base_/datasets/cd6me.py',
    '_base_/schedules/adamw_cosine.py',
    '_base_/default_runtime.py',
]
