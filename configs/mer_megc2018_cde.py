# The multi-scale 3D-ResNet50 on CASME II and SAMM together, objective classes, leave one subject out (the composite
# database evaluation of MEGC2018).
_base_ = [
    '_base_/models/multiscale_resnet3d50.py',
    '_base_/datasets/megc2018.py',
    '_base_/schedules/adamw_cosine.py',
    '_base_/default_runtime.py',
]
