# The multi-scale 3D-ResNet50 on the MEGC2019 composite of SMIC-HS, CASME II and SAMM, leave one subject out.
_base_ = [
    '_base_/models/multiscale_resnet3d50.py',
    '_base_/datasets/megc2019.py',
    '_base_/schedules/adamw_cosine.py',
    '_base_/default_runtime.py',
]
