# The multi-scale 3D-ResNet50 on the micro-expressions of CAS(ME)^2, four classes, leave one subject out.
_base_ = [
    '_base_/models/multiscale_resnet3d50.py',
    '_base_/datasets/casme_sq.py',
    '_base_/schedules/adamw_cosine.py',
    '_base_/default_runtime.py',
]
