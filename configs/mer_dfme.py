# The multi-scale 3D-ResNet50 on DFME, seven classes, ten folds by subject.
_base_ = [
    '_base_/models/multiscale_resnet3d50.py',
    '_base_/datasets/dfme.py',
    '_base_/schedules/adamw_cosine.py',
    '_base_/default_runtime.py',
]
