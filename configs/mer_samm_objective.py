# The multi-scale 3D-ResNet50 on SAMM, objective classes I to V.
_base_ = 'mer_samm.py'
label_scheme = 'objective_5class'
